"""Damaged files: a row that cannot be read is refused and told; a file that is none stops all, and nothing changes."""

import json
from pathlib import Path

import pytest

from quotes.__main__ import main

GOOD = b'{"quote": "One is good.", "author": "Ann"}'
TWO = b'{"quote": "Two are better.", "author": "Ben"}'
LONG = b'{"quote": "' + b"x" * 10_000_000 + b'", "author": "Ann"}'
DEEP = b'{"quote": ' + b"[" * 100_000 + b"]" * 100_000 + b', "author": "Ann"}'

STOPPED = {
    "nothing.json": (b"", "is empty"),
    "spaces.csv": (b" \n\t\n", "is empty"),
    "picture.json": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)), "is no text: byte 8 is NUL"),
    "late.jsonl": (GOOD + b"\n" + b" " * 2_000_000 + b"\0", "is no text: byte 2,000,043 is NUL"),
    "page.json": (b"<html><body>404</body></html>", "is no JSON: line 1 begins with '<'"),
    "cut.json": (
        b"[" + GOOD + b",\n" + TWO[:20],
        "line 2: the array is damaged or cut off here, and no other row follows",
    ),
    "open.json": (
        b"[" + GOOD + b"\n",
        "is cut off: the array that begins in line 1 has no end, after line 2",
    ),
    "later.json": (
        b'{"count": 1,\n"results":\n[' + GOOD + b"\n",
        "is cut off: the array that begins in line 3 has no end, after line 4",
    ),
    "two.json": (b"[" + GOOD + b"]\n[" + TWO + b"]", "line 2: something follows the end of the array"),
    "none.json": (b"[]", "holds no rows"),
    "unnamed.csv": (
        b"1,2,3\n4,5,6\n",
        "line 1 names no column like a quote ('1,2,3'); it has to name the columns, and --map quote=NAME says which",
    ),
    "second.csv": (
        b"\n1,2\n",
        "line 2 names no column like a quote ('1,2'); it has to name the columns, and --map quote=NAME says which",
    ),
    "twice.csv": (b"quote,author,quote\na,b,c\n", "line 1 names the column 'quote' twice"),
    "half.csv": ("quote,author\n".encode("utf-16") + b"x", "is UTF-16 that is cut off: it ends within a character"),
    "wide.txt": (GOOD.decode().encode("utf-32"), "is UTF-32; save it as UTF-8"),
    "bytes.csv": (b"quote,author\n\x81\x8d\x8f,Ann\n", "is neither UTF-8 nor Windows-1252: it holds the byte 0x81"),
    "prose.txt": (b"Once upon a time.", "is of no format that is known by its look; say which with --format"),
}

REFUSED = {
    "broken.jsonl": (
        GOOD + b"\n{oops\n" + TWO,
        [("2", "not JSON (Expecting property name enclosed in double quotes)")],
    ),
    "twice.jsonl": (
        GOOD + b'\n{"quote": "a", "quote": "b", "author": "c"}\n' + TWO,
        [("2", "the field 'quote' is given twice")],
    ),
    "long.jsonl": (GOOD + b"\n" + LONG + b"\n" + TWO, [("2", "longer than 1,000,000 characters")]),
    "deep.jsonl": (GOOD + b"\n" + DEEP + b"\n" + TWO, [("2", "nested too deep")]),
    "deep.json": (b"[" + GOOD + b",\n" + DEEP + b",\n" + TWO + b"]", [("2", "nested too deep")]),
    "broken.json": (
        b"[" + GOOD + b',\n{"quote": "He said "no"", "author": "Ann"},\n' + TWO + b"]",
        [("2", "not JSON (Expecting ',' delimiter)")],
    ),
    "uncommaed.json": (
        b"[" + GOOD + b"\n{}\n" + TWO + b"]",
        [("2", "no quote")],
    ),
    "rubbish.json": (
        b"[" + GOOD + b"\n;{'x': {}},\n" + TWO + b"]",
        [("2", "not JSON (Expecting ',' delimiter)")],
    ),
    "nested.json": (
        b"[" + GOOD + b',\n{"quote": {"deep": 1}, "author": "Ann"}, 3, [' + GOOD + b"],\n" + TWO + b"]",
        [("2", "quote is not a text"), ("2", "not an object"), ("2", "not an object")],
    ),
    "stray.csv": (
        b'quote,author\nOne is good.,Ann\n"He said "no" to me",Ann\n"He goes on,Ann\nTwo are better.,Ben\n',
        [("3", "a stray quotation mark"), ("4", "a quotation mark is not closed")],
    ),
    "marks.csv": (
        b'quote,author\nOne is good.,A 5" Ann\n"One, two,Ann\n"Two\nare better.",Ben\n',
        [("3", "a stray quotation mark")],
    ),
    "fields.csv": (
        b"quote,author\nOne is good.,Ann\nOne, two,Ann\nTwo are better.,Ben\n",
        [("3", "3 fields, the first line has 2")],
    ),
    "bytes.jsonl": (
        '{"quote": "Über allen Gipfeln", "author": "Göthe"}\n'.encode()
        + b'{"quote": "\xff", "author": "Ann"}\n'
        + GOOD,
        [("2", "holds bytes that are no text")],
    ),
    "absent.jsonl": (
        GOOD + b'\n{"author": "Ann"}\n{"quote": "Three.", "author": " "}\n' + TWO,
        [("2", "no quote"), ("3", "no author")],
    ),
    "cut.jsonl": (
        json.dumps(json.loads(GOOD), indent=1).encode()
        + b"\n"
        + json.dumps(json.loads(TWO), indent=1).encode()
        + b'\n{\n "quote',
        [("9", "not JSON (Unterminated string starting at)")],
    ),
    "ampersands.jsonl": (
        GOOD + b'\n{"quote": "&' + b"#38;" * 200_000 + b'", "author": "Ann"}\n' + TWO,
        [("2", "quote has 800,001 characters, more than 5,000")],
    ),
    "endless.jsonl": (
        GOOD + b'\n{"quote": "' + b"x" * 6000 + b'", "author": "Ann"}\n' + TWO,
        [("2", "quote has 6,000 characters, more than 5,000")],
    ),
    "surrogate.jsonl": (
        GOOD + b'\n{"quote": "a \\ud800 b", "author": "Ann"}\n' + TWO,
        [("2", "holds bytes that are no text")],
    ),
}


def state(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*library*")}


@pytest.mark.parametrize("name", STOPPED)
def test_a_file_that_is_not_what_it_claims_stops_all(
    name: str, folder: Path, library, capsys: pytest.CaptureFixture[str]
):
    content, reason = STOPPED[name]
    (folder / "good.jsonl").write_bytes(GOOD)
    (folder / name).write_bytes(content)
    assert main(["import", "--replace", "good.jsonl"]) == 0
    before = state(folder)
    capsys.readouterr()

    assert main(["import", "--replace", "good.jsonl", name]) == 1
    assert capsys.readouterr().err == f"quotes: {name}: {reason}.\n"
    assert state(folder) == before
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        ["good.jsonl", name, "import-report.tsv", "library.jsonl", "library.sqlite3"]
    )


def test_a_directory_and_a_file_that_is_not_there_stop_all(folder: Path, capsys: pytest.CaptureFixture[str]):
    (folder / "quotes.json").mkdir()

    assert [main(["import", "quotes.json"]), main(["import", "no.json"])] == [1, 1]
    assert capsys.readouterr() == (
        "",
        "quotes: quotes.json: is a directory.\nquotes: no.json: there is no such file.\n",
    )


@pytest.mark.parametrize("name", REFUSED)
def test_a_damaged_row_is_told_and_the_others_are_taken(
    name: str, folder: Path, library, capsys: pytest.CaptureFixture[str]
):
    content, refused = REFUSED[name]
    (folder / name).write_bytes(content)

    assert main(["import", "--replace", name]) == 0
    rows = [line.split("\t") for line in (folder / "import-report.tsv").read_text("utf-8").splitlines()]
    assert [(line, reason) for _, line, reason, _ in rows[1:]] == refused
    assert [rows[0], {row[0] for row in rows[1:]}] == [["file", "line", "reason", "text"], {name}]
    quotes = {line["quote"] for line in library()}
    assert len(quotes) == 2
    assert "One is good." in quotes
    assert f"2 new, 0 duplicates, {len(refused)} refused\n" in capsys.readouterr().out


@pytest.mark.parametrize("size", [262_100, 262_143, 262_144, 262_145, 500_000])
def test_an_array_reads_the_same_wherever_a_piece_of_it_ends(size: int, folder: Path, library):
    padding = b" " * (size - len(GOOD) - len(TWO) // 2)
    (folder / "array.json").write_bytes(b"[" + GOOD + b"," + padding + TWO + b"\n ]\n")

    assert main(["import", "--replace", "array.json"]) == 0
    assert [line["quote"] for line in library()] == [json.loads(GOOD)["quote"], json.loads(TWO)["quote"]]
