"""Reading state on S3: from the copy where that is enough, currently where it must be, and whole always."""

import datetime as dt
import itertools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from quotes.corpus import Corpus
from quotes.daily import DailyQuotes
from quotes.database import never
from quotes.s3_database import S3Database
from tests.conftest import Clock
from tests.s3 import ERROR_500, S3, SLOW_DOWN, Exchange, Fault, cut, drop, error, is_whole, opened, pass_on, silent
from tests.test_s3_database import add, database, methods, notes, other, written  # noqa: F401

pytest_plugins = ("tests.s3",)

A_DAY = dt.timedelta(days=1)


def test_a_final_answer_needs_no_request(s3: S3, database: S3Database, other: S3Database) -> None:
    database.write(add("a"))
    other.write(add("b"))
    s3.requests.clear()

    assert database.read(notes, is_final=bool) == ["a"]
    assert s3.requests == []


def test_an_answer_that_is_not_final_needs_one_request_and_is_current(
    s3: S3, database: S3Database, other: S3Database
) -> None:
    database.read(notes)
    other.write(add("a"))
    s3.requests.clear()

    assert database.read(notes, is_final=bool) == ["a"]
    assert methods(s3) == "GET"


def test_the_last_days_need_no_request_once_a_copy_has_todays(
    s3: S3, database: S3Database, corpus: Corpus, clock: Clock
) -> None:
    daily = DailyQuotes(corpus, None, database, now=clock)
    asked = []
    for _ in range(2):
        clock.now += A_DAY
        asked.append(daily.quote_of_today())
    s3.requests.clear()

    assert daily.latest(30) == asked[::-1]
    assert s3.requests == []


def test_a_read_that_finds_its_copy_current_does_not_get_it_again(s3: S3, database: S3Database) -> None:
    database.write(add("a"))
    s3.requests.clear()
    statuses = []

    def note_status(exchange: Exchange) -> None:
        answer = exchange.forward()
        statuses.append((answer.status, answer.body))
        exchange.answer(answer)

    s3.faults["GET"] = iter([note_status])

    assert database.read(notes) == ["a"]
    assert statuses == [(304, b"")]


def test_readers_see_what_was_uploaded_and_miss_nothing_that_was_confirmed(
    s3: S3, database: S3Database, other: S3Database
) -> None:
    uploaded: list[bytes] = []
    confirmed: list[str] = []
    over = threading.Event()
    versions: list[list[str]] = [[]]

    def keep_reading(reader: S3Database, is_final: Callable[[list[str]], bool]) -> int:
        reads = 0
        while not over.is_set():
            told = len(confirmed)
            seen = reader.read(notes, is_final)
            assert seen in versions
            assert len(seen) >= told
            reads += 1
        return reads

    def carry_out(exchange: Exchange) -> None:
        with opened(exchange.body) as db:
            versions.append([words for (words,) in db.execute("SELECT words FROM note ORDER BY rowid")])
        uploaded.append(exchange.body)
        pass_on(exchange)

    database.read(notes)
    refused = error(409, "ConditionalRequestConflict")
    s3.faults["PUT"] = itertools.chain.from_iterable(itertools.repeat([refused, ERROR_500, carry_out]))
    with ThreadPoolExecutor(8) as pool:
        readers = [
            *(pool.submit(keep_reading, database, lambda _: True) for _ in range(6)),  # from the writer's copy
            *(pool.submit(keep_reading, other, never) for _ in range(2)),
        ]
        try:
            for n in range(20):
                database.write(add(str(n)))
                confirmed.append(str(n))
        finally:
            over.set()
        assert all(reader.result() for reader in readers)

    assert written(s3) == confirmed
    assert all(is_whole(body) for body in uploaded)


@pytest.mark.parametrize(
    "fault", [ERROR_500, SLOW_DOWN, drop, silent, cut], ids=["500", "503", "drop", "silence", "cut"]
)
def test_a_read_that_got_no_answer_is_repeated(s3: S3, database: S3Database, other: S3Database, fault: Fault) -> None:
    database.read(notes)
    other.write(add("a"))
    s3.faults["GET"] = iter([fault, fault])

    assert database.read(notes) == ["a"]
