"""A day's quote is kept as it was served: whole, once and for good, on every kind of database."""

import datetime as dt

import pytest

from quotes import models
from quotes.database import Database, open_database
from quotes.quote import Quote

pytest_plugins = ("tests.postgres",)

DAY = dt.date(2026, 11, 21)
NOON = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
FIRST = Quote("Know thyself.", "Thales", "Self", "Fragments (1903)", "abc")
SECOND = Quote("Nothing in excess.", "Solon", "Wisdom", None, None)


@pytest.fixture
def database(database_url: str) -> Database:
    """Return an empty database of either kind."""
    return open_database(database_url)


def store(database: Database, day: dt.date, quote: Quote, now: dt.datetime = NOON) -> Quote:
    return database.write(lambda db: models.store_quote(db, day, quote, now))


def stored(database: Database, day: dt.date) -> Quote | None:
    return database.read(lambda db: models.stored_quote(db, day))


def test_a_day_nobody_stored_has_no_quote(database: Database) -> None:
    store(database, DAY, FIRST)

    assert stored(database, DAY + dt.timedelta(days=1)) is None


@pytest.mark.parametrize(
    "quote",
    [
        pytest.param(FIRST, id="with source and id"),
        pytest.param(SECOND, id="without source and id"),
        pytest.param(Quote("“知己” 🦉 %s ? \\ ';--", "Ἡράκλειτος", "O'Neill", "", ""), id="any characters"),
        pytest.param(Quote("long " * 1000, "a" * 300, "c" * 300), id="long"),
    ],
)
def test_a_quote_comes_back_as_it_was_stored(database: Database, quote: Quote) -> None:
    assert store(database, DAY, quote) == quote
    assert stored(database, DAY) == quote


def test_the_first_quote_stored_for_a_day_stays(database: Database) -> None:
    store(database, DAY, FIRST)

    assert store(database, DAY, SECOND) == FIRST
    assert stored(database, DAY) == FIRST


def test_each_day_has_a_quote_of_its_own(database: Database) -> None:
    store(database, DAY, FIRST)
    store(database, DAY + dt.timedelta(days=1), SECOND)

    assert [stored(database, DAY + dt.timedelta(days=n)) for n in range(3)] == [FIRST, SECOND, None]


def test_the_latest_quotes_are_those_of_the_last_days_that_have_one(database: Database) -> None:
    days = [DAY - dt.timedelta(days=n) for n in (-1, 0, 1, 5, 9)]
    for n, day in enumerate(days):
        store(database, day, FIRST if n % 2 else SECOND)

    assert database.read(lambda db: models.latest_quotes(db, DAY, 3)) == [
        (days[1], FIRST),
        (days[2], SECOND),
        (days[3], FIRST),
    ]


@pytest.mark.parametrize("day", [dt.date.min, dt.date(2024, 2, 29), dt.date.max])
def test_every_day_of_the_calendar_can_be_stored(database: Database, day: dt.date) -> None:
    store(database, day, FIRST)

    assert stored(database, day) == FIRST


def test_the_time_of_storing_is_kept_in_utc(database: Database) -> None:
    in_kolkata = NOON.astimezone(dt.timezone(dt.timedelta(hours=5, minutes=30)))
    store(database, DAY, FIRST, in_kolkata)

    assert database.read(lambda db: list(models.DailyQuote.select().dicts().execute(db))) == [
        {
            "day": DAY,
            "quote": "Know thyself.",
            "author": "Thales",
            "category": "Self",
            "source": "Fragments (1903)",
            "quote_id": "abc",
            "stored_at": dt.datetime(2026, 11, 21, 12),  # noqa: DTZ001 - a column without zone
        }
    ]
