"""A URL means a database that is opened safely, moves its schema forward, and fails in one way that tells no secret."""

import datetime as dt
import itertools
import multiprocessing
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import peewee
import pytest

import quotes
from quotes import models
from quotes.database import MIGRATIONS, open_database
from quotes.errors import QuotesError, StateUnavailable
from quotes.quote import Quote
from quotes.settings import Settings

pytest_plugins = ("tests.postgres",)

DAY = dt.date(2026, 11, 21)
NOON = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
PROJECT = Path(quotes.__file__).parents[1]
SPAWN = multiprocessing.get_context("spawn")


def store(words: str, day: dt.date = DAY) -> Callable[[peewee.Database], Quote]:
    return lambda db: models.store_quote(db, day, Quote(words, "author", "category"), NOON)


def stored(db: peewee.Database) -> list[tuple[Any, ...]]:
    return list(models.DailyQuote.select(models.DailyQuote.day, models.DailyQuote.quote).tuples().execute(db))


def applied(db: peewee.Database) -> list[str]:
    return [name for (name,) in db.execute_sql("SELECT name FROM schema_migration ORDER BY name")]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return the path of a SQLite file that is not there yet."""
    return tmp_path / "quotes.db"


@pytest.mark.parametrize(
    ("pragma", "value"), [("journal_mode", "wal"), ("busy_timeout", 5000), ("foreign_keys", 1), ("synchronous", 2)]
)
def test_sqlite_is_opened_with(file: Path, pragma: str, value: object) -> None:
    database = open_database(f"sqlite:///{file}")

    assert database.read(lambda db: db.execute_sql(f"PRAGMA {pragma}").fetchone()) == (value,)


def test_nothing_is_opened_before_it_is_used(file: Path) -> None:
    open_database(f"sqlite:///{file}")

    assert not file.exists()


def test_no_connection_outlives_its_use(file: Path) -> None:
    open_database(f"sqlite:///{file}").write(store("words"))

    assert list(file.parent.iterdir()) == [file]  # the last connection takes SQLite's -wal and -shm files along


def test_readers_go_on_while_another_process_writes(file: Path) -> None:
    database = open_database(f"sqlite:///{file}")
    database.write(store("words"))

    with closing(sqlite3.connect(file)) as other:
        other.execute("BEGIN EXCLUSIVE")
        other.execute("DELETE FROM daily_quote")

        assert database.read(stored) == [(DAY, "words")]


@pytest.mark.parametrize("name", ["my%20quotes.db", "100%25.db"])
def test_a_path_may_be_percent_encoded(tmp_path: Path, name: str) -> None:
    open_database(f"sqlite:///{tmp_path}/{name}").write(store("words"))

    assert [path.name for path in tmp_path.iterdir()] == [name.replace("%20", " ").replace("%25", "%")]


@pytest.fixture
def _packaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder that holds a database, as a function on Lambda may be packaged with one."""
    (tmp_path / "package").mkdir()
    monkeypatch.chdir(tmp_path / "package")
    open_database("sqlite:///quotes.db").write(store("packaged"))


@pytest.mark.usefixtures("_packaged")
def test_a_file_on_lambda_is_not_shared_and_starts_as_a_copy_of_the_packaged_one(file: Path) -> None:
    database = open_database(f"sqlite:///{file}", on_lambda=True)

    assert (database.shared, database.read(stored)) == (False, [(DAY, "packaged")])


@pytest.mark.usefixtures("_packaged")
def test_the_packaged_file_never_overwrites_what_an_instance_on_lambda_stored(file: Path) -> None:
    open_database(f"sqlite:///{file}").write(store("of this instance"))

    assert open_database(f"sqlite:///{file}", on_lambda=True).read(stored) == [(DAY, "of this instance")]


def test_a_change_that_fails_changes_nothing(database_url: str) -> None:
    database = open_database(database_url)

    def store_and_fail(db: peewee.Database) -> None:
        store("words")(db)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        database.write(store_and_fail)

    assert database.read(stored) == []


def _raise(db: peewee.Database, state: str) -> None:
    """Make PostgreSQL fail as it does when a transaction fails in this SQLSTATE."""
    db.execute_sql(f"DO $$ BEGIN RAISE 'made to fail' USING ERRCODE = '{state}'; END $$")


@pytest.mark.parametrize("state", [pytest.param("40001", id="serialization"), pytest.param("40P01", id="deadlock")])
def test_a_change_that_lost_against_another_one_runs_again(make_postgres_url: Callable[[], str], state: str) -> None:
    database, attempts = open_database(make_postgres_url()), itertools.count(1)

    def lose_twice(db: peewee.Database) -> int:
        attempt = next(attempts)
        store(f"attempt {attempt}")(db)
        if attempt < 3:
            _raise(db, state)
        return attempt

    assert database.write(lose_twice) == 3
    assert database.read(stored) == [(DAY, "attempt 3")]


def test_a_change_that_failed_otherwise_does_not_run_again(make_postgres_url: Callable[[], str]) -> None:
    database, attempts = open_database(make_postgres_url()), itertools.count(1)

    with pytest.raises(StateUnavailable, match=r"^The postgresql database is not usable: made to fail$"):
        database.write(lambda db: (next(attempts), _raise(db, "53100")))  # disk full

    assert next(attempts) == 2


_together: list[Barrier] = []  # in a process of the pool: where it waits for the others


def _join(barrier: Barrier) -> None:
    _together.append(barrier)


def _store_first(urls: list[str], words: str) -> list[str]:
    """Be one process: start on one database after the other, each time together with the other processes."""
    found = []
    for url in urls:
        _together[0].wait()
        try:
            found.append(open_database(url).write(store(words)).quote)
        except StateUnavailable as error:
            found.append(str(error))
    return found


@pytest.mark.parametrize(("kind", "rounds"), [("sqlite", 60), ("postgresql", 5)])
def test_eight_processes_may_start_at_once_on_an_empty_database(
    tmp_path: Path, make_postgres_url: Callable[[], str], kind: str, rounds: int
) -> None:
    urls = [f"sqlite:///{tmp_path}/{n}.db" if kind == "sqlite" else make_postgres_url() for n in range(rounds)]

    with ProcessPoolExecutor(8, SPAWN, _join, (SPAWN.Barrier(8, timeout=30),)) as pool:
        found = pool.map(_store_first, [urls] * 8, map(str, range(8)))
        answers = [set(of_one_database) for of_one_database in zip(*found, strict=True)]

    databases = [open_database(url) for url in urls]
    assert [answer for answer in answers if len(answer) > 1] == []
    assert [{words for _, words in database.read(stored)} for database in databases] == answers
    every_migration = sorted(path.stem for path in MIGRATIONS.glob("[0-9]*.py"))
    assert [database.read(applied) for database in databases] == [every_migration] * rounds


NEXT_MIGRATION = """
from peewee import IntegerField

def up(migrator, db):
    migrator.migrate(migrator.add_column("daily_quote", "likes", IntegerField(default=7)))
"""


def test_the_next_version_moves_the_schema_forward_and_keeps_every_row(database_url: str, tmp_path: Path) -> None:
    database = open_database(database_url)
    days = [DAY - dt.timedelta(days=n) for n in range(30)]
    for day in days:
        database.write(store(f"of {day}", day))
    code = shutil.copytree(PROJECT / "quotes", tmp_path / "next" / "quotes")
    (code / "migrations" / "9999_likes.py").write_text(NEXT_MIGRATION)

    start = "import sys; from quotes.database import open_database; open_database(sys.argv[1]).read(lambda db: None)"
    subprocess.run([sys.executable, "-c", start, database_url], cwd=code.parent, check=True)

    likes = database.read(lambda db: db.execute_sql("SELECT day, quote, likes FROM daily_quote").fetchall())
    assert sorted((str(day), words, number) for day, words, number in likes) == sorted(
        (str(day), f"of {day}", 7) for day in days
    )
    assert sorted(database.read(stored)) == sorted((day, f"of {day}") for day in days)  # by the older version
    assert database.read(applied)[-1] == "9999_likes"


SCHEMA_0001 = """
CREATE TABLE schema_migration (id INTEGER PRIMARY KEY, name VARCHAR(255) NOT NULL, applied DATETIME NOT NULL);
CREATE UNIQUE INDEX schema_migration_name ON schema_migration (name);
INSERT INTO schema_migration (name, applied) VALUES ('0001_daily_quote', '2026-11-20 00:00:00');
CREATE TABLE daily_quote (
    day DATE NOT NULL PRIMARY KEY, quote TEXT NOT NULL, author TEXT NOT NULL, category TEXT NOT NULL, source TEXT,
    quote_id TEXT, stored_at DATETIME NOT NULL
);
INSERT INTO daily_quote VALUES ('2026-11-20', 'words', 'author', 'category', 'source', 'id', '2026-11-20 00:00:01');
"""


def test_a_database_of_the_first_version_is_read_and_written(file: Path) -> None:
    with closing(sqlite3.connect(file)) as db:
        db.executescript(SCHEMA_0001)
    database = open_database(f"sqlite:///{file}")

    database.write(store("today's"))

    yesterday = database.read(lambda db: models.stored_quote(db, dt.date(2026, 11, 20)))
    assert yesterday == Quote("words", "author", "category", "source", "id")
    assert database.read(stored) == [(dt.date(2026, 11, 20), "words"), (DAY, "today's")]


def _store_day_after_day(url: str, done: Connection) -> None:
    database = open_database(url)
    for ordinal in range(DAY.toordinal(), dt.date.max.toordinal()):
        day = dt.date.fromordinal(ordinal)
        done.send((day, database.write(store(f"of {day}", day)).quote))


@pytest.mark.parametrize("stored_before_the_kill", [1, 3, 10, 25, 40])
def test_a_process_killed_while_it_writes_loses_nothing_it_had_stored(file: Path, stored_before_the_kill: int) -> None:
    done, theirs = SPAWN.Pipe(duplex=False)
    writer = SPAWN.Process(target=_store_day_after_day, args=(f"sqlite:///{file}", theirs))
    writer.start()
    theirs.close()
    told = [done.recv() for _ in range(stored_before_the_kill)]
    writer.kill()
    writer.join()
    done.close()

    rows = open_database(f"sqlite:///{file}").read(stored)
    with closing(sqlite3.connect(file)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert rows[: len(told)] == told
    assert all(words == f"of {day}" for day, words in rows)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://reader:s3cret@127.0.0.1:1/quotes",
        "cockroachdb://reader:s3cret@127.0.0.1:1/quotes",
        "postgresql://reader:s3cret@127.0.0.1:1/quotes?sslmode=s3cret-mode-unknown",
        "postgresql://reader:s3cret@127.0.0.1:1/quotes?unknown=1",
    ],
)
def test_a_server_that_is_away_is_one_error_without_the_password(url: str) -> None:
    with pytest.raises(StateUnavailable, match=r"^The \w+ database is not usable: \S") as caught:
        open_database(url).read(stored)

    assert "reader:s3cret" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("obstacle", ["no folder", "a folder in its place", "not a database"])
def test_a_file_that_cannot_be_opened_is_the_same_error(tmp_path: Path, obstacle: str) -> None:
    (tmp_path / "a folder in its place").mkdir()
    (tmp_path / "not a database").write_text("not a database, but some text")
    database = open_database(f"sqlite:///{tmp_path / obstacle}{'/quotes.db' * (obstacle == 'no folder')}")

    with pytest.raises(StateUnavailable, match=r"^The sqlite database is not usable: \S"):
        database.read(stored)


def test_a_password_with_a_slash_that_was_not_percent_encoded_is_shown_to_nobody() -> None:
    environ = {"DATABASE_URL": "postgresql://reader:s3/cret@127.0.0.1/quotes"}

    with pytest.raises(QuotesError) as caught:
        open_database(Settings.from_environ(environ).database_url).read(stored)

    assert "s3" not in str(caught.value)


def test_without_psycopg_a_line_says_how_to_install_it() -> None:
    today = "import sys; sys.modules['psycopg'] = None; from quotes.__main__ import main; sys.exit(main(['today']))"
    environ = os.environ | {"DATABASE_URL": "postgresql://127.0.0.1:1/quotes"}

    ended = subprocess.run(
        [sys.executable, "-c", today], cwd=PROJECT, env=environ, capture_output=True, text=True, check=False
    )

    hint = "this kind of database needs psycopg: `pipenv install --categories postgres`"
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", f"quotes: DATABASE_URL: {hint}\n")
