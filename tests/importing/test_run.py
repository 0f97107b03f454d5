"""What a person does: import files of every kind, import again, export, look at what is there."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quotes.__main__ import main
from quotes.corpus import EMBEDDED, Corpus
from quotes.corpus_builder import built_file

ROOT = Path(__file__).parent.parent.parent
ROWS = [("Be “kind”.", "Zoë", "Virtue"), ("Know thyself—always.", "Thales", "Wisdom")]
LINES = [{"quote": quote, "author": author, "category": category} for quote, author, category in ROWS]

KINDS = {
    "array.json": json.dumps([{"text": q, "by": a, "tags": [c.lower(), "x"]} for q, a, c in ROWS]),
    "wrapped.json": json.dumps(
        {"quotes": [{"body": q, "author": {"name": a}, "tags": c} for q, a, c in ROWS]}, indent=1
    ),
    "told.json": json.dumps(
        {"page": 1, "of": "all", "results": [{"content": q, "author": a, "tags": [c]} for q, a, c in ROWS]}
    ),
    "objects.json": "\n".join(json.dumps(line, indent=2) for line in LINES),
    "lines.txt": "\n".join(json.dumps({"q": q, "a": a, "category": c}) for q, a, c in ROWS),
    "comma.csv": "Quote,Author,Category\r\n" + "".join(f'"{q}",{a},{c}\r\n' for q, a, c in ROWS),
    "semicolon.csv": "quoteText;quoteAuthor;category\n" + "".join(f"{q};{a};{c}\n" for q, a, c in ROWS),
    "excel.csv": "sep=;\r\nquote;author;category\r\n" + "".join(f"{q};{a};{c}\r\n" for q, a, c in ROWS),
    "tab.txt": "content\tfrom\ttags\n" + "".join(f'{q}\t{a}\t"{c}, x"\n' for q, a, c in ROWS),
}


def kept(library) -> list[dict[str, object]]:
    return [{name: value for name, value in line.items() if name != "id"} for line in library()]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("name", KINDS)
def test_every_format_is_read_in_every_encoding(name: str, encoding: str, folder: Path, library):
    (folder / name).write_bytes(KINDS[name].encode(encoding))

    assert main(["import", "--replace", name]) == 0
    assert kept(library) == LINES


def test_a_fortune_file_is_read(folder: Path, library):
    (folder / "fortunes").write_text(
        'Be kind.\n\t\t-- Zoë (1900-1990)\n%% \nKnow\nthyself.\n-- Thales, "On Nature"\n%\nNobody said it.\n%\n',
        "utf-8",
    )

    assert main(["import", "--replace", "fortunes"]) == 0
    assert kept(library) == [
        {"quote": "Be kind.", "author": "Zoë (1900-1990)", "category": "General"},
        {"quote": "Know thyself.", "author": "Thales", "category": "General", "work": "On Nature"},
    ]
    assert (folder / "import-report.tsv").read_text("utf-8") == (
        "file\tline\treason\ttext\nfortunes\t8\tno author\tNobody said it.\n"
    )


def test_names_of_fields_and_what_is_missing_can_be_said(folder: Path, library):
    (folder / "odd.csv").write_text("satz,wer,quote\nSei lieb.,,x\n")

    assert (
        main(
            [
                "import",
                "--replace",
                "--map",
                "quote=satz,author=wer",
                "--author",
                "Volk",
                "--category",
                "Rat",
                "odd.csv",
            ]
        )
        == 0
    )
    assert kept(library) == [{"quote": "Sei lieb.", "author": "Volk", "category": "Rat"}]


@pytest.mark.parametrize(
    ("name", "text", "error"),
    [
        ("odd.csv", "quote,author\nBe kind.,Ann\n", "odd.csv: line 1 names no column 'wer', but --map does"),
        (
            "odd.jsonl",
            '{"quote": "Be kind."}',
            "no quote was found, so nothing was imported; import-report.tsv says why",
        ),
    ],
)
def test_a_name_that_is_mapped_and_not_there_is_told(
    name: str, text: str, error: str, folder: Path, capsys: pytest.CaptureFixture[str]
):
    (folder / name).write_text(text)

    assert main(["import", "--replace", "--map", "author=wer", name]) == 1
    assert capsys.readouterr().err == f"quotes: {error}.\n"
    assert not (folder / "library.jsonl").exists()
    if name == "odd.jsonl":
        assert (folder / "import-report.tsv").read_text().splitlines()[1:] == [
            "odd.jsonl\t1\tno author in 'wer'\tBe kind."
        ]


def test_ids_of_the_file_are_kept_where_they_can_be(folder: Path, library):
    ids = ["-7eqy9t642", "_XB2M", "ü b/c", 17, "17", "", " ", "..", "x" * 101, 1.5, None, {"$oid": "5f"}]
    (folder / "ids.json").write_text(
        json.dumps([{"_id": i, "quote": f"No. {n}", "author": "A"} for n, i in enumerate(ids)])
    )

    assert main(["import", "--replace", "ids.json"]) == 0
    found = [line["id"] for line in library()]
    assert found[:4] == ["-7eqy9t642", "_XB2M", "ü b/c", "17"]
    assert len(set(found)) == len(ids)
    assert all(len(made) == 16 for made in found[4:])


def test_a_value_of_spaces_hides_no_other(folder: Path, library):
    (folder / "rows.json").write_text('[{"quote": " ", "text": "Be kind.", "author": "A", "source": "\\n"}]')

    assert main(["import", "--replace", "rows.json"]) == 0
    assert kept(library) == [{"quote": "Be kind.", "author": "A", "category": "General"}]


def test_the_first_import_adds_to_a_copy_of_the_embedded_library_and_says_so(
    folder: Path, library, capsys: pytest.CaptureFixture[str]
):
    (folder / "mine.json").write_text(json.dumps([*LINES, LINES[0]]))

    assert main(["import", "mine.json"]) == 0
    assert capsys.readouterr() == (
        (
            "mine.json: JSON, UTF-8; 3 rows: 2 new, 1 duplicates, 0 refused\n"
            "library.jsonl: 603 quotes before, 605 now\n"
            "import-report.tsv: every row that was left out, and why\n"
            "A running service has to be restarted to see them.\n"
        ),
        "",
    )
    assert (folder / "library.jsonl").read_bytes().startswith(EMBEDDED.read_bytes())
    assert main(["random", "--author", "ZOË"]) == 0  # it is the library of every command here
    assert capsys.readouterr().out == "Be “kind”.\n— Zoë\n"


def test_doubles_are_left_out_and_the_one_with_a_source_stays(folder: Path, library):
    rows = [
        {"quote": "Don't panic!", "author": "A"},
        {"quote": "don’t panic", "author": "B"},
        {"quote": "“Don’t  PANIC…”", "author": "C", "source": "Guide"},
        {"quote": "Don't panic", "author": "D", "source": "Other"},
    ]
    (folder / "doubles.json").write_text(json.dumps(rows))

    assert main(["import", "--replace", "doubles.json"]) == 0
    assert kept(library) == [{"quote": "Don’t PANIC…", "author": "C", "category": "General", "work": "Guide"}]
    assert len((folder / "import-report.tsv").read_text("utf-8").splitlines()) == 4


def test_a_quote_of_the_library_that_gets_a_source_keeps_its_id(folder: Path, library):
    (folder / "old.json").write_text(json.dumps([{"id": n, "quote": f"No {n}.", "author": "A"} for n in (1, 2)]))
    (folder / "new.csv").write_text("id,quote,author,source\n1,no 1,A,Work\n1,Other,A,\n9,NO 2,A,Play\n1,No 1,A,Late\n")
    assert main(["import", "--replace", "old.json"]) == 0

    assert main(["import", "new.csv"]) == 0
    assert [(line["id"], line["quote"], line.get("work")) for line in library() if len(line["id"]) == 1] == [
        ("1", "no 1", "Work"),
        ("2", "NO 2", "Play"),
    ]
    assert [line["quote"] for line in library()] == ["no 1", "Other", "NO 2"]


def test_a_report_that_cannot_be_written_is_named_and_nothing_changes(folder: Path, capsys: pytest.CaptureFixture[str]):
    (folder / "mine.json").write_text(json.dumps(LINES))
    (folder / "import-report.tsv").mkdir()

    assert main(["import", "mine.json"]) == 1
    assert capsys.readouterr().err == (
        "quotes: import-report.tsv cannot be written (Is a directory); the library is as it was.\n"
    )
    assert sorted(path.name for path in folder.iterdir()) == ["import-report.tsv", "mine.json"]


def test_a_line_of_the_old_library_that_is_none_is_named(folder: Path, capsys: pytest.CaptureFixture[str]):
    (folder / "mine.json").write_text(json.dumps(LINES))
    (folder / "library.jsonl").write_text(json.dumps(LINES[0] | {"id": "a"}) + '\n\n{"quote": "a"}\n')
    error = (
        "quotes: library.jsonl, line 3: not a quote of a library, which has the texts id, quote, author, category.\n"
    )

    assert [main(["import", "mine.json"]), main(["export", "out.csv"])] == [1, 1]
    assert capsys.readouterr().err == error * 2
    assert not (folder / "out.csv").exists()


def test_a_library_behind_a_link_is_replaced_where_it_is(folder: Path, monkeypatch: pytest.MonkeyPatch):
    (folder / "there").mkdir()
    (folder / "mine.json").write_text(json.dumps(LINES))
    (folder / "there" / "real.jsonl").write_text(json.dumps(LINES[0] | {"id": "a"}))
    (folder / "own.jsonl").symlink_to("there/real.jsonl")
    monkeypatch.setenv("QUOTES_CORPUS", "own.jsonl")

    assert main(["import", "mine.json"]) == 0
    assert (folder / "own.jsonl").is_symlink()
    assert len((folder / "there" / "real.jsonl").read_text().splitlines()) == 2


def test_what_is_no_file_is_written_to_and_stays(folder: Path):
    os.mkfifo(folder / "pipe")
    with subprocess.Popen(["cat", "pipe"], stdout=subprocess.PIPE) as reader:
        assert main(["export", "--format", "tsv", "pipe"]) == 0
        assert reader.stdout
        assert reader.stdout.readline() == b"id\tquote\tauthor\tcategory\twork\tplace\tyear\ttranslator\tspeaker\n"
        assert len(reader.stdout.readlines()) == 603
    assert (folder / "pipe").is_fifo()


def test_a_directory_is_not_written_and_nothing_is_left(folder: Path, capsys: pytest.CaptureFixture[str]):
    (folder / "out").mkdir()

    assert main(["export", "out"]) == 1
    assert capsys.readouterr().err == "quotes: out cannot be written (Is a directory).\n"
    assert [path.name for path in folder.iterdir()] == ["out"]


@pytest.mark.parametrize("arguments", [["export", "-"], ["import", "--replace", "mine.json"]])
def test_who_reads_no_more_of_the_output_is_told_nothing_else(arguments: list[str], folder: Path):
    (folder / "mine.json").write_text(json.dumps(LINES))
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "quotes", *arguments]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


def test_a_dry_run_changes_nothing_but_the_report(folder: Path, capsys: pytest.CaptureFixture[str]):
    (folder / "mine.json").write_text(json.dumps([LINES[0], {"author": "A"}]))

    assert main(["import", "--dry-run", "mine.json"]) == 0
    assert capsys.readouterr().out.endswith("Nothing was changed: this was a dry run.\n")
    assert sorted(path.name for path in folder.iterdir()) == ["import-report.tsv", "mine.json"]


def test_a_library_named_by_the_setting_is_made(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("QUOTES_CORPUS", "sub/own.jsonl")
    (folder / "sub").mkdir()
    (folder / "mine.json").write_text(json.dumps(LINES))

    assert main(["import", "--replace", "mine.json"]) == 0
    assert Corpus(lambda: built_file(folder / "sub/own.jsonl")).size == 2


def test_a_built_library_is_not_imported_into(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setenv("QUOTES_CORPUS", "own.sqlite3")

    assert main(["import", "mine.json"]) == 1
    assert capsys.readouterr().err == "quotes: QUOTES_CORPUS: is no .jsonl file to import into: own.sqlite3\n"


@pytest.mark.parametrize("name", ["out.jsonl", "out.json", "out.csv", "out.tsv"])
def test_the_embedded_library_comes_back_as_it_went(name: str, folder: Path, library):
    assert main(["export", name]) == 0
    assert main(["import", "--replace", name]) == 0
    assert library() == [json.loads(line) for line in EMBEDDED.read_text("utf-8").splitlines()]


_WORDS = st.text(min_size=1, max_size=60)
_ROW = st.fixed_dictionaries(
    {"quote": _WORDS, "author": _WORDS},
    optional={"category": _WORDS, "work": _WORDS, "place": _WORDS, "year": st.integers(-9999, 9999), "speaker": _WORDS},
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(_ROW, min_size=1, max_size=8), form=st.sampled_from(["jsonl", "json", "csv", "tsv"]))
def test_what_was_imported_is_exported_and_imported_without_loss(rows, form: str, folder: Path, library):
    rows.append({"quote": "One is there.", "author": "A"})
    (folder / "in.json").write_text(json.dumps(rows))
    assert main(["import", "--replace", "in.json"]) == 0
    before = library()

    assert main(["export", f"out.{form}"]) == 0
    assert main(["import", "--replace", f"out.{form}"]) == 0
    assert library() == before


def test_killed_at_any_moment_a_reader_finds_the_old_library_or_the_new_one(folder: Path):
    rows = [{"quote": f"Number {number} is a quote.", "author": f"Author {number % 97}"} for number in range(3000)]
    (folder / "many.json").write_text(json.dumps(rows))
    (folder / "one.json").write_text(json.dumps(LINES))
    assert main(["import", "--replace", "one.json"]) == 0
    text = (folder / "library.jsonl").read_bytes()
    running = Corpus(lambda: built_file(folder / "library.jsonl"))
    assert running.size == 2
    command = [sys.executable, "-m", "quotes", "import", "--replace", "many.json"]
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    start = time.monotonic()
    subprocess.run([*command, "--dry-run"], env=environ, check=True, capture_output=True)
    whole = (time.monotonic() - start) * 2
    draw = random.Random(7)
    for number in range(10):
        with subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                process.wait(draw.uniform(0, whole))
            except subprocess.TimeoutExpired:
                process.send_signal((signal.SIGKILL, signal.SIGTERM, signal.SIGINT)[number % 3])
        is_old = (folder / "library.jsonl").read_bytes() == text
        assert Corpus(lambda: built_file(folder / "library.jsonl")).size == (2 if is_old else 3000)
        assert running.random()[0].author in {"Zoë", "Thales"}
    assert main(["import", "--replace", "one.json"]) == 0
    assert [path.name for path in folder.glob(".corpus-*")] == []


def test_two_imports_at_once_do_not_undo_each_other(folder: Path, capsys: pytest.CaptureFixture[str]):
    import fcntl

    (folder / "one.json").write_text(json.dumps(LINES))
    handle = os.open(folder, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        assert main(["import", "one.json"]) == 1
    finally:
        os.close(handle)
    assert capsys.readouterr().err == "quotes: .: another import is at work here.\n"
