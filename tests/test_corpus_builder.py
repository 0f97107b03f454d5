"""The library's file is built from its text: the same bytes everywhere, whole or not at all, wrong lines named."""

import datetime as dt
import json
import multiprocessing
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from itertools import pairwise
from multiprocessing.synchronize import Barrier
from os import mkfifo
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from quotes.corpus import EMBEDDED, FORMAT, Corpus
from quotes.corpus_builder import build, built_file, source_of
from quotes.errors import CorpusError
from quotes.quote import Quote

LINE = {"id": "1", "quote": "Know thyself.", "author": "Thales", "category": "Self"}
SPAWN = multiprocessing.get_context("spawn")


def write(text: Path, lines: Sequence[dict[str, Any]]) -> Path:
    text.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return text


def by_authors(authors: Sequence[object]) -> list[dict[str, Any]]:
    return [LINE | {"id": f"id {n}", "author": f"Author {author}"} for n, author in enumerate(authors)]


def days_of(built: Path, days: int) -> list[Quote]:
    corpus = Corpus(lambda: built)
    return [corpus.of_day(dt.date(2026, 1, 1) + dt.timedelta(days=day)) for day in range(days)]


@pytest.fixture
def text(tmp_path: Path) -> Path:
    """Return a text of three lines."""
    return write(tmp_path / "corpus.jsonl", by_authors("abc"))


def test_the_same_text_gives_the_same_bytes_in_every_folder(tmp_path: Path) -> None:
    files = []
    for name in ("one", "another"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "my quotes.jsonl").write_bytes(EMBEDDED.read_bytes())
        files.append(built_file(folder / "my quotes.jsonl"))

    assert files == [tmp_path / "one" / "my quotes.sqlite3", tmp_path / "another" / "my quotes.sqlite3"]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_fresh_file_is_not_built_again(text: Path) -> None:
    before = built_file(text).stat()

    assert built_file(text).stat() == before


def test_a_file_is_built_again_once_its_text_has_changed(text: Path) -> None:
    built_file(text)
    write(text, [LINE])

    assert days_of(built_file(text), 1) == [Quote("Know thyself.", "Thales", "Self", None, "1")]


@pytest.mark.parametrize("damage", ["rubbish", "empty", "cut short", "of an older format"])
def test_a_damaged_file_is_built_again(text: Path, damage: str) -> None:
    built = built_file(text)
    whole = built.read_bytes()
    if damage == "of an older format":
        with closing(sqlite3.connect(built)) as db, db:
            db.execute("UPDATE meta SET value = replace(value, 'format 1', 'format 0')")
    else:
        built.write_bytes({"rubbish": b"rubbish", "empty": b"", "cut short": whole[:100]}[damage])

    assert built_file(text).read_bytes() == whole


def test_on_lambda_a_missing_file_is_an_error_and_not_built(text: Path) -> None:
    with pytest.raises(CorpusError) as caught:
        built_file(text, may_build=False)

    missing = "corpus.sqlite3 is missing from the package; build it before packaging: `make corpus`."
    assert str(caught.value) == missing
    assert list(text.parent.iterdir()) == [text]


def test_on_lambda_a_stale_file_is_taken_as_it_was_packaged(text: Path) -> None:
    packaged = built_file(text).read_bytes()
    write(text, [LINE])

    assert built_file(text, may_build=False).read_bytes() == packaged


def test_a_built_library_is_taken_as_it_is(text: Path) -> None:
    library = built_file(text)
    before = library.read_bytes()

    assert built_file(library) == library
    assert library.read_bytes() == before


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE meta SET value = 'format 1, sha256 00'", "format 1"),
        ("DELETE FROM meta", "unfinished"),
        ("DROP TABLE meta", "no such table: meta"),
    ],
)
def test_a_built_library_of_another_version_is_refused(text: Path, statement: str, found: str) -> None:
    library = built_file(text)
    with closing(sqlite3.connect(library)) as db, db:
        db.execute(statement)

    with pytest.raises(CorpusError, match=r"set QUOTES_CORPUS to the \.jsonl that it was built from") as told:
        built_file(library)

    assert f"is no library that this version built ({found}, not format {FORMAT})" in str(told.value)


def _meet(barrier: Barrier) -> None:
    barrier.wait()


def test_eight_processes_may_build_at_once(text: Path, tmp_path: Path) -> None:
    build(text, tmp_path / "alone")
    with ProcessPoolExecutor(8, SPAWN, _meet, (SPAWN.Barrier(8),)) as pool:
        files = list(pool.map(built_file, [text] * 8))

    assert files == [text.with_suffix(".sqlite3")] * 8
    assert files[0].read_bytes() == (tmp_path / "alone").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alone", "corpus.jsonl", "corpus.sqlite3"]


@pytest.mark.timeout(60)
def test_a_process_killed_while_it_builds_leaves_the_old_file(text: Path, tmp_path: Path) -> None:
    built = built_file(text)
    before = built.read_bytes()
    endless = tmp_path / "endless.jsonl"
    mkfifo(endless)
    builder = SPAWN.Process(target=build, args=(endless, built))
    builder.start()

    with endless.open("wb") as lines:  # once both ends are open, the builder is at work
        lines.write(json.dumps(LINE).encode() + b"\n")
        lines.flush()
        builder.kill()
        builder.join()

    assert builder.exitcode == -9
    builder.close()
    assert built.read_bytes() == before


@pytest.mark.parametrize(
    ("third", "where"),
    [
        pytest.param(b"rubbish", ["line 3", "not JSON"], id="not JSON"),
        pytest.param(b'{"id": "\xff"}', ["line 3", "not JSON in UTF-8"], id="not UTF-8"),
        pytest.param(b'["id"]', ["line 3", "not a JSON object"], id="not an object"),
        *(
            pytest.param(LINE | {name: value}, ["line 3", f"'{name}'"], id=f"{name}: {value!r}")
            for name in LINE
            for value in (None, "", " ", 7)
        ),
        pytest.param({"id": "3"}, ["line 3", "'quote'"], id="no quote"),
        pytest.param(LINE | {"quote": "\ud800"}, ["line 3", "'quote'"], id="a lone surrogate"),
        pytest.param(LINE | {"id": "\ud800"}, ["line 3", "'id'"], id="a lone surrogate as id"),
        pytest.param(LINE | {"work": 1984}, ["line 3", "'work'"], id="a number as work"),
        pytest.param(LINE | {"work": "Essays", "place": 12}, ["line 3", "'place'"], id="a number as place"),
        pytest.param(LINE | {"id": "id 0"}, ["line 3", "id", "'id 0'", "twice"], id="an id given twice"),
    ],
)
def test_an_error_names_the_line_and_the_field(tmp_path: Path, third: Any, where: list[str]) -> None:
    text = write(tmp_path / "corpus.jsonl", by_authors("ab"))
    with text.open("ab") as lines:
        lines.write(third if isinstance(third, bytes) else json.dumps(third).encode())

    with pytest.raises(CorpusError) as caught:
        built_file(text)

    assert [part for part in ["corpus.jsonl", *where] if part not in str(caught.value)] == []
    assert list(tmp_path.iterdir()) == [text]


def test_a_text_without_quotes_is_an_error_and_leaves_the_old_file(text: Path) -> None:
    before = built_file(text).read_bytes()
    text.write_text("\n \n")

    with pytest.raises(CorpusError, match=r"^corpus\.jsonl holds no quotes\.$"):
        built_file(text)

    assert text.with_suffix(".sqlite3").read_bytes() == before


def test_a_file_that_cannot_be_written_is_an_error(text: Path, tmp_path: Path) -> None:
    target = tmp_path / "no such folder" / "corpus.sqlite3"

    with pytest.raises(CorpusError, match=r"corpus\.sqlite3 cannot be built from corpus\.jsonl: "):
        build(text, target)


@settings(deadline=None, max_examples=300)
@given(authors=st.integers(1, 6).flatmap(lambda most: st.lists(st.integers(1, most), min_size=1, max_size=30)))
@example(authors=[1])
@example(authors=[1, 1, 1, 1])
@example(authors=[1, 2])
@example(authors=[1, 1, 2, 2])
def test_days_are_all_quotes_once_and_neighbours_differ_where_no_author_has_more_than_half(authors: list[int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        built = built_file(write(Path(folder) / "corpus.jsonl", by_authors(authors)))
        days = days_of(built, len(authors) + 1)  # one more: the wrap

    assert sorted(quote.id or "" for quote in days[:-1]) == sorted(f"id {n}" for n in range(len(authors)))
    if max(Counter(authors).values()) <= len(authors) / 2:
        assert [pair for pair in pairwise(days) if pair[0].author == pair[1].author] == []


def test_an_author_in_different_case_is_one_author(tmp_path: Path) -> None:
    text = write(tmp_path / "corpus.jsonl", by_authors(["x", "X", "y", "z"]))
    authors = [quote.author.casefold() for quote in days_of(built_file(text), 5)]

    assert [pair for pair in pairwise(authors) if pair[0] == pair[1]] == []


FULL = {"work": "Hamlet", "place": "Act I", "translator": "A. Schlegel", "speaker": "Polonius", "year": 1603}


@pytest.mark.parametrize(
    ("absent", "source"),
    [
        ([], "Polonius, in Hamlet, Act I, tr. A. Schlegel (1603)"),
        (["speaker"], "Hamlet, Act I, tr. A. Schlegel (1603)"),
        (["translator"], "Polonius, in Hamlet, Act I (1603)"),
        (["place", "translator"], "Polonius, in Hamlet (1603)"),
        (["place", "translator", "speaker", "year"], "Hamlet"),
        (["work"], None),
    ],
)
def test_a_source_is_made_of_what_is_known(absent: list[str], source: str | None) -> None:
    assert source_of({name: value for name, value in FULL.items() if name not in absent}) == source


def test_lambdas_oldest_sqlite_can_read_it(text: Path) -> None:
    with closing(sqlite3.connect(built_file(text))) as db:
        tables = dict(db.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))

    # What 3.7.17 does not know (sqlite.org/changes.html); the whole was run on one. The index of FTS5 it passes over.
    schema = " ".join(sql for name, sql in tables.items() if not name.startswith("found"))
    assert [word for word in ("WITHOUT ROWID", "STRICT", "GENERATED", " WHERE ") if word in schema] == []
    assert {"quotes", "scopes", "picks", "days", "meta"} <= tables.keys()
