"""State on S3 where S3 fails, refuses, or holds something else: one error, in time, and nothing lost or made up."""

import hashlib
import itertools
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from quotes.database import open_database
from quotes.errors import StateUnavailable
from quotes.s3_database import BUDGET, SQLITE_MAGIC, S3Database
from quotes.s3_object import SLOWEST_CALL
from tests.conftest import Seconds
from tests.s3 import ERROR_500, S3, Exchange, drop_answer, error, opened, silent
from tests.test_database import DAY, NEXT_MIGRATION, PROJECT, SCHEMA_0001, store, stored
from tests.test_s3_database import add, methods, notes, written

pytest_plugins = ("tests.s3",)

CONFLICT = error(409, "ConditionalRequestConflict")
USES: dict[str, Callable[[S3Database], list[str]]] = {
    "read": lambda database: database.read(notes),
    "write": lambda database: database.write(add("b")),
}


@pytest.fixture
def database(s3: S3, seconds: Seconds) -> S3Database:
    """Return an instance's database, in use."""
    database = S3Database(s3.url, monotonic=seconds)
    database.write(add("a"))
    s3.requests.clear()
    return database


@pytest.mark.parametrize("use", USES)
def test_it_gives_up_before_a_call_that_could_end_after_five_seconds(
    s3: S3, database: S3Database, seconds: Seconds, use: str
) -> None:
    def fail_slowly(exchange: Exchange) -> None:
        seconds.passed += SLOWEST_CALL
        ERROR_500(exchange)

    s3.faults["GET"] = itertools.repeat(fail_slowly)

    with pytest.raises(StateUnavailable) as caught:
        USES[use](database)

    assert str(caught.value) == "Gave up on the state after 5 s: S3 answers 500 InternalError."
    assert methods(s3) == "GET GET GET"
    assert seconds.passed <= BUDGET


def test_a_writer_whom_others_keep_overtaking_gives_up(s3: S3, database: S3Database, seconds: Seconds) -> None:
    def overtake(exchange: Exchange) -> None:
        seconds.passed += 1
        CONFLICT(exchange)

    s3.faults["PUT"] = itertools.repeat(overtake)

    with pytest.raises(StateUnavailable) as caught:
        database.write(add("b"))

    assert str(caught.value) == "Gave up on the state after 5 s: other instances keep writing first."
    assert methods(s3) == "GET PUT GET PUT GET PUT GET PUT"
    assert written(s3) == ["a"]


def test_all_who_wait_for_a_silent_s3_are_told_within_five_seconds(s3: S3) -> None:
    database = S3Database(s3.url)
    database.write(add("a"))
    s3.faults = {"GET": itertools.repeat(silent), "PUT": itertools.repeat(silent)}

    def seconds_spent(use: str) -> float:
        start = time.monotonic()
        with pytest.raises(StateUnavailable):
            USES[use](database)
        return time.monotonic() - start

    with ThreadPoolExecutor(4) as pool:
        slowest = max(pool.map(seconds_spent, [*USES, *USES]))

    assert slowest <= BUDGET + SLOWEST_CALL


def test_a_write_that_was_given_up_is_not_seen_and_the_next_one_succeeds(
    s3: S3, database: S3Database, seconds: Seconds
) -> None:
    def fail_slowly(exchange: Exchange) -> None:
        seconds.passed += BUDGET
        ERROR_500(exchange)

    s3.faults["PUT"] = iter([fail_slowly])
    with pytest.raises(StateUnavailable):
        database.write(add("b"))

    assert database.read(notes, is_final=bool) == ["a"]
    assert database.read(notes) == S3Database(s3.url).read(notes) == ["a"]
    assert database.write(add("c")) == ["a", "c"]


def test_a_final_answer_is_given_while_s3_is_away(s3: S3, database: S3Database) -> None:
    s3.faults["GET"] = itertools.repeat(silent)

    assert database.read(notes, is_final=bool) == ["a"]
    assert s3.requests == []


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize(
    ("body", "told"),
    [
        pytest.param(b"", "The object that DATABASE_URL names is not a SQLite database.", id="empty"),
        pytest.param(b"<html>", "The object that DATABASE_URL names is not a SQLite database.", id="HTML"),
        pytest.param(
            SQLITE_MAGIC + bytes(4096), "The copy of the state is not usable: file is not a database", id="damaged"
        ),
    ],
)
def test_an_object_that_is_no_database_is_left_as_it_is(s3: S3, use: str, body: bytes, told: str) -> None:
    s3.body = body

    with pytest.raises(StateUnavailable) as caught:
        USES[use](S3Database(s3.url))

    assert str(caught.value) == told
    assert s3.body == body


@pytest.mark.usefixtures("s3")
@pytest.mark.parametrize("use", USES)
def test_a_missing_bucket_is_told(use: str) -> None:
    with pytest.raises(StateUnavailable, match=r"^S3 refuses: NoSuchBucket$"):
        USES[use](S3Database("s3://no-such-bucket/quotes.db"))


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_denied_access_is_told_at_once_with_a_hint(s3: S3, method: str) -> None:
    s3.faults[method] = iter([error(403, "AccessDenied")])

    with pytest.raises(StateUnavailable) as caught:
        S3Database(s3.url).write(add("a"))

    hint = "without s3:ListBucket a missing object looks like this too"
    assert str(caught.value) == f"S3 refuses: AccessDenied; {hint}"


def test_an_object_of_the_first_version_keeps_its_rows(s3: S3) -> None:
    with closing(sqlite3.connect(":memory:")) as db:
        db.executescript(SCHEMA_0001)
        s3.body = db.serialize()

    S3Database(s3.url).write(store("today's"))

    assert [words for _, words in S3Database(s3.url).read(stored)] == ["words", "today's"]


def test_the_next_version_moves_the_objects_schema_forward_and_keeps_every_row(s3: S3, tmp_path: Path) -> None:
    database = S3Database(s3.url)
    database.write(store("words"))
    code = shutil.copytree(PROJECT / "quotes", tmp_path / "next" / "quotes")
    (code / "migrations" / "9999_likes.py").write_text(NEXT_MIGRATION)

    start = "import sys; from quotes.database import open_database; open_database(sys.argv[1]).read(lambda db: None)"
    subprocess.run([sys.executable, "-c", start, s3.url], cwd=code.parent, check=True)

    with opened(s3.body) as db:
        assert db.execute("SELECT quote, likes FROM daily_quote").fetchall() == [("words", 7)]
        assert ("9999_likes",) in db.execute("SELECT name FROM schema_migration").fetchall()
    assert database.read(stored) == [(DAY, "words")]  # by the older version


def test_a_file_of_the_sqlite_kind_may_be_uploaded_as_the_object(s3: S3, tmp_path: Path) -> None:
    open_database(f"sqlite:///{tmp_path}/quotes.db").write(store("words"))
    s3.body = (tmp_path / "quotes.db").read_bytes()  # in WAL mode
    database = S3Database(s3.url)

    assert database.read(stored) == [(DAY, "words")]
    assert database.write(add("a")) == ["a"]
    assert written(s3) == ["a"]


WRITE_AND_LIST = """
import hashlib, pathlib, sys, tempfile
from quotes.database import open_database

database = open_database(sys.argv[1])
for n in range(3):
    database.write(lambda db: db.execute_sql("INSERT INTO note VALUES ('b')") and None)
for path in pathlib.Path(tempfile.gettempdir()).rglob("*"):
    if path.is_file():
        print(hashlib.sha256(path.read_bytes()).hexdigest())
"""


@pytest.mark.usefixtures("database")
def test_tmp_holds_the_current_copy_alone_and_nothing_once_the_process_has_ended(s3: S3, tmp_path: Path) -> None:
    s3.faults["PUT"] = iter([CONFLICT, drop_answer, ERROR_500])

    process = subprocess.run(
        [sys.executable, "-c", WRITE_AND_LIST, s3.url],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert process.stdout.split() == [hashlib.sha256(s3.body).hexdigest()]
    assert list(tmp_path.iterdir()) == []


def test_a_copy_that_somebody_removed_is_fetched_again(database: S3Database) -> None:
    shutil.rmtree(database._copy.file.parent)

    assert database.write(add("b")) == ["a", "b"]
    assert database.read(notes) == ["a", "b"]


@pytest.mark.parametrize("remove", [Path.unlink, lambda file: shutil.rmtree(file.parent)], ids=["file", "folder"])
def test_a_copy_that_somebody_removed_costs_no_row(database: S3Database, remove: Callable[[Path], None]) -> None:
    rows = database.read(notes)
    remove(database._copy.file)

    assert database.read(notes) == rows
    assert database.write(add("b")) == [*rows, "b"]
