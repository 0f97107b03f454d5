"""State on S3: one database for every instance, whatever happens between them and S3."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import peewee
import pytest

from quotes.s3_database import TOKENS_KEPT, S3Database
from tests.s3 import (
    ERROR_500,
    PATIENCE,
    S3,
    SLOW_DOWN,
    Exchange,
    Fault,
    Request,
    drop,
    drop_answer,
    error,
    opened,
    pass_on,
    silent,
)

pytest_plugins = ("tests.s3",)

Change = Callable[[peewee.Database], list[str]]


def add(words: str) -> Change:
    """Return a change that can be seen to be applied twice; its result is what it then sees."""

    def change(db: peewee.Database) -> list[str]:
        db.execute_sql("CREATE TABLE IF NOT EXISTS note (words TEXT)")
        db.execute_sql("INSERT INTO note VALUES (?)", (words,))
        return notes(db)

    return change


def notes(db: peewee.Database) -> list[str]:
    rows = db.execute_sql("SELECT words FROM note ORDER BY rowid") if db.table_exists("note") else ()
    return [words for (words,) in rows]


def written(s3: S3) -> list[str]:
    """Return what is in the object."""
    with opened(s3.body) as db:
        return [words for (words,) in db.execute("SELECT words FROM note ORDER BY rowid")]


def methods(s3: S3) -> str:
    return " ".join(request.method for request in s3.requests)


@pytest.fixture
def database(s3: S3) -> S3Database:
    """Return an instance's database; its object is not there yet."""
    return S3Database(s3.url)


@pytest.fixture
def other(s3: S3) -> S3Database:
    """Return another instance's database in the same object."""
    return S3Database(s3.url)


def test_nothing_is_asked_before_it_is_used(s3: S3, database: S3Database) -> None:
    assert s3.requests == []
    assert (database.kind, database.shared) == ("s3", True)


@pytest.mark.parametrize("use", [lambda it: it.read(notes), lambda it: it.write(notes)], ids=["read", "write"])
def test_the_first_use_makes_the_object(s3: S3, database: S3Database, use: Callable[[S3Database], list[str]]) -> None:
    assert use(database) == []

    assert s3.requests == [Request("GET"), Request("PUT", if_none_match="*")]
    with opened(s3.body) as db:
        assert db.execute("SELECT name FROM schema_migration").fetchall() != []
        assert db.execute("SELECT * FROM daily_quote").fetchall() == []


def test_a_write_is_seen_by_another_instance_that_has_an_older_copy(database: S3Database, other: S3Database) -> None:
    assert other.read(notes) == []

    assert database.write(add("a")) == ["a"]
    assert other.read(notes) == ["a"]


def test_a_write_names_the_version_that_it_was_made_from(s3: S3, database: S3Database) -> None:
    database.write(add("a"))
    database.write(add("b"))

    etag = s3.requests[2].if_none_match
    assert etag
    assert s3.requests[2:] == [Request("GET", if_none_match=etag), Request("PUT", if_match=etag)]


@pytest.mark.parametrize("before", [[], ["old"]], ids=["absent object", "older version"])
def test_a_change_that_was_overtaken_runs_again_on_the_other_version(
    s3: S3, database: S3Database, other: S3Database, before: list[str]
) -> None:
    for words in before:
        database.write(add(words))

    def overtaken(exchange: Exchange) -> None:
        other.write(add("theirs"))
        pass_on(exchange)  # a 412

    s3.faults["PUT"] = iter([overtaken])

    assert database.write(add("ours")) == [*before, "theirs", "ours"]
    assert written(s3) == [*before, "theirs", "ours"]


def test_a_change_that_met_another_one_at_s3_runs_again(s3: S3, database: S3Database) -> None:
    s3.faults["PUT"] = iter([error(409, "ConditionalRequestConflict"), error(409, "OperationAborted")])

    assert database.write(add("a")) == ["a"]
    assert written(s3) == ["a"]
    assert methods(s3) == "GET PUT GET PUT GET PUT"


def test_two_instances_with_four_writing_threads_each_lose_nothing(
    s3: S3, database: S3Database, other: S3Database
) -> None:
    words = [str(n) for n in range(24)]
    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit((database, other)[n % 2].write, add(word)) for n, word in enumerate(words)]
        results = [future.result() for future in futures]

    assert sorted(written(s3), key=int) == words
    assert sorted(result[-1] for result in results) == sorted(words)  # each write's result is its own
    assert database.read(notes) == other.read(notes) == written(s3)


def test_an_upload_that_was_carried_out_unanswered_is_found_and_not_repeated(s3: S3, database: S3Database) -> None:
    s3.faults["PUT"] = iter([drop_answer])

    assert database.write(add("a")) == ["a"]
    assert written(s3) == ["a"]
    assert methods(s3) == "GET PUT GET"


def test_an_upload_that_was_carried_out_unanswered_is_found_below_others_writes(
    s3: S3, database: S3Database, other: S3Database
) -> None:
    def drop_answer_and_go_on(exchange: Exchange) -> None:
        exchange.forward()
        other.write(add("theirs"))
        exchange.hang_up()

    s3.faults["PUT"] = iter([drop_answer_and_go_on])

    assert database.write(add("ours")) == ["ours"]  # what it saw when it was carried out
    assert database.read(notes) == written(s3) == ["ours", "theirs"]


@pytest.mark.parametrize("fault", [ERROR_500, SLOW_DOWN, drop, silent], ids=["500", "503", "dropped", "silence"])
def test_an_upload_that_was_not_carried_out_is_repeated(s3: S3, database: S3Database, fault: Fault) -> None:
    s3.faults["PUT"] = iter([fault])

    assert database.write(add("a")) == ["a"]
    assert written(s3) == ["a"]
    assert methods(s3) == "GET PUT GET PUT"


class Latecomer:
    """Hold back an upload that its client gives up, until another exchange lets it arrive."""

    def __init__(self) -> None:
        self._may_arrive, self._has_ended = threading.Event(), threading.Event()

    def hold(self, exchange: Exchange) -> None:
        assert self._may_arrive.wait(PATIENCE)
        exchange.forward()
        self._has_ended.set()

    def come_after_it(self, exchange: Exchange) -> None:
        self._arrive()
        pass_on(exchange)

    def come_before_it(self, exchange: Exchange) -> None:
        answer = exchange.forward()
        self._arrive()
        exchange.answer(answer)

    def _arrive(self) -> None:
        self._may_arrive.set()
        assert self._has_ended.wait(PATIENCE)


@pytest.mark.parametrize(
    ("gets", "puts", "conversation"),
    [
        pytest.param("pass after", "hold", "GET PUT GET", id="found by looking"),
        pytest.param("pass pass after", "hold drop", "GET PUT GET PUT GET", id="found by looking again"),
        pytest.param("", "hold after", "GET PUT GET PUT GET", id="the repetition is refused"),
        pytest.param("", "hold before", "GET PUT GET PUT", id="it is refused"),
    ],
)
def test_an_upload_that_arrives_after_it_was_given_up_is_applied_once(
    s3: S3, database: S3Database, gets: str, puts: str, conversation: str
) -> None:
    late = Latecomer()
    named = {"hold": late.hold, "after": late.come_after_it, "before": late.come_before_it}
    named |= {"pass": pass_on, "drop": drop}
    s3.faults = {
        "GET": iter([named[name] for name in gets.split()]),
        "PUT": iter([named[name] for name in puts.split()]),
    }

    assert database.write(add("a")) == ["a"]
    assert methods(s3) == conversation
    assert database.read(notes) == written(s3) == ["a"]


def test_a_change_that_changes_nothing_uploads_nothing(s3: S3, database: S3Database) -> None:
    database.write(add("a"))
    s3.requests.clear()

    assert database.write(notes) == ["a"]
    assert methods(s3) == "GET"


def test_a_change_that_fails_changes_and_uploads_nothing(s3: S3, database: S3Database) -> None:
    database.write(add("a"))
    s3.requests.clear()

    def add_and_fail(db: peewee.Database) -> None:
        add("b")(db)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        database.write(add_and_fail)

    assert methods(s3) == "GET"
    assert database.read(notes) == ["a"]


def test_an_object_that_was_deleted_is_made_again(s3: S3, database: S3Database) -> None:
    database.write(add("a"))
    s3.delete()

    assert database.write(add("b")) == ["b"]
    assert written(s3) == ["b"]


def test_the_uploads_tokens_do_not_pile_up(s3: S3, database: S3Database) -> None:
    def count(db: peewee.Database) -> int:
        return int(db.execute_sql("SELECT count(*) FROM s3_upload").fetchone()[0])

    database.write(add("a"))
    tokens = [(f"token {n}",) for n in range(TOKENS_KEPT)]
    database.write(lambda db: db.connection().executemany("INSERT INTO s3_upload (token) VALUES (?)", tokens) and None)

    assert database.read(count) == TOKENS_KEPT
    s3.faults["PUT"] = iter([drop_answer])
    assert database.write(add("b")) == ["a", "b"]  # found by its token
    assert database.read(count) == TOKENS_KEPT


def test_a_change_of_tables_alone_is_uploaded(database: S3Database, other: S3Database) -> None:
    database.read(notes)

    database.write(lambda db: db.execute_sql("CREATE TABLE note (words TEXT)") and None)

    assert other.read(lambda db: db.table_exists("note"))
