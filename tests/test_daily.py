"""One day has one quote: decided once, kept for good, and given even while nothing can be recorded."""

import datetime as dt
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quotes.corpus import Corpus
from quotes.daily import DAYS_KEPT, STATE_LEFT_ALONE_FOR, Daily, DailyQuotes
from quotes.database import Database, open_database
from quotes.errors import QuoteNotFound, StateUnavailable
from quotes.mashape import Mashape
from quotes.models import store_quote
from quotes.quote import Quote
from tests.conftest import NOON, Clock, Seconds

TODAY = NOON.date()
TOMORROW = TODAY + dt.timedelta(days=1)
LAST_YEAR = TODAY - dt.timedelta(days=365)
FROM_UPSTREAM = Quote("Fresh words.", "Somebody", "Life")
OTHERS = Quote("Other words.", "Somebody else", "Love")


class Upstream(Mashape):
    """Give one quote, or none, without a network; count how often it is asked."""

    def __init__(self, *quotes: Quote) -> None:
        super().__init__("http://127.0.0.1:1/", "")
        self.quotes = list(quotes)
        self.asked = 0

    def random(self, count: int = 1) -> list[Quote]:
        self.asked += 1
        return self.quotes[:count]


@pytest.fixture
def make(corpus: Corpus, database: Database, clock: Clock, seconds: Seconds) -> Callable[..., DailyQuotes]:
    """Return a maker of one process's daily quotes; all of them share the test's database."""

    def make(
        upstream: Mashape | None = None, database: Database = database, timezone: dt.tzinfo = dt.UTC
    ) -> DailyQuotes:
        return DailyQuotes(corpus, upstream, database, timezone, clock, seconds)

    return make


def record(database: Database, *days: dt.date, quote: Quote = OTHERS) -> None:
    database.write(lambda db: [store_quote(db, day, quote, NOON) for day in days])


def take_away(database_file: Path) -> None:
    """Put something in the file's place that is no database."""
    database_file.unlink()
    database_file.mkdir()


def test_without_upstream_the_corpus_picks_and_the_pick_is_recorded(
    make: Callable[..., DailyQuotes], corpus: Corpus
) -> None:
    expected = Daily(TODAY, corpus.of_day(TODAY), on_record=True)

    assert make().quote_of_today() == expected
    assert make(Upstream(FROM_UPSTREAM)).quote_of_today() == expected  # another process finds it decided


def test_the_upstreams_quote_is_recorded(make: Callable[..., DailyQuotes]) -> None:
    expected = Daily(TODAY, FROM_UPSTREAM, on_record=True)

    assert make(Upstream(FROM_UPSTREAM, OTHERS)).quote_of_today() == expected
    assert make().quote_of_today() == expected


def test_an_upstream_that_gives_nothing_leaves_the_day_to_the_corpus(
    make: Callable[..., DailyQuotes], corpus: Corpus
) -> None:
    assert make(Upstream()).quote_of_today() == Daily(TODAY, corpus.of_day(TODAY), on_record=True)


def test_instances_that_share_no_record_take_the_corpuss_pick(
    make: Callable[..., DailyQuotes], corpus: Corpus, tmp_path: Path
) -> None:
    upstream = Upstream(FROM_UPSTREAM)
    unshared = open_database(f"sqlite:///{tmp_path}/instance.db", on_lambda=True)

    daily = make(upstream, unshared).quote_of_today()

    assert daily == Daily(TODAY, corpus.of_day(TODAY), on_record=True)
    assert upstream.asked == 0


def test_the_upstream_is_asked_once_however_many_threads_want_the_day(make: Callable[..., DailyQuotes]) -> None:
    upstream = Upstream(FROM_UPSTREAM)
    daily_quotes = make(upstream)

    with ThreadPoolExecutor(16) as pool:
        answers = {future.result() for future in [pool.submit(daily_quotes.quote_of_today) for _ in range(64)]}

    assert answers == {Daily(TODAY, FROM_UPSTREAM, on_record=True)}
    assert upstream.asked == 1


def test_the_first_to_record_a_day_wins(make: Callable[..., DailyQuotes], database: Database) -> None:
    class Overtaken(Upstream):
        def random(self, count: int = 1) -> list[Quote]:
            record(database, TODAY)  # another process does, while this one chooses
            return super().random(count)

    assert make(Overtaken(FROM_UPSTREAM)).quote_of_today() == Daily(TODAY, OTHERS, on_record=True)


@pytest.mark.parametrize("day", [TODAY, LAST_YEAR])
def test_a_stored_day_is_answered_without_the_database(
    make: Callable[..., DailyQuotes], database: Database, tmp_path: Path, day: dt.date
) -> None:
    record(database, day)
    daily_quotes = make()
    daily_quotes.quote_of(day)
    take_away(tmp_path / "quotes.db")

    assert daily_quotes.quote_of(day) == Daily(day, OTHERS, on_record=True)


def test_today_is_kept_however_many_earlier_days_are_asked_for(
    make: Callable[..., DailyQuotes], database: Database, tmp_path: Path
) -> None:
    earlier = [TODAY - dt.timedelta(days=n + 1) for n in range(DAYS_KEPT)]
    record(database, TODAY, *earlier)
    daily_quotes = make()
    daily_quotes.quote_of_today()
    for day in earlier:
        daily_quotes.quote_of(day)
    take_away(tmp_path / "quotes.db")

    assert daily_quotes.quote_of_today() == Daily(TODAY, OTHERS, on_record=True)


def test_an_earlier_day_is_given_as_it_was_served_or_not_at_all(
    make: Callable[..., DailyQuotes], database: Database
) -> None:
    record(database, LAST_YEAR)

    assert make().quote_of(LAST_YEAR) == Daily(LAST_YEAR, OTHERS, on_record=True)
    with pytest.raises(QuoteNotFound, match=r"^No quote is on record for 2025-11-20\.$"):
        make().quote_of(dt.date(2025, 11, 20))


def test_a_day_is_stored_once_it_was_asked_for(make: Callable[..., DailyQuotes]) -> None:
    daily_quotes = make()

    assert not daily_quotes.is_stored(TODAY)
    daily_quotes.quote_of_today()
    assert daily_quotes.is_stored(TODAY)


def test_while_the_state_is_away_the_corpus_picks_unrecorded_and_the_upstream_is_not_asked(
    make: Callable[..., DailyQuotes], corpus: Corpus, tmp_path: Path
) -> None:
    upstream = Upstream(FROM_UPSTREAM)
    daily_quotes = make(upstream, open_database(f"sqlite:///{tmp_path}/away/quotes.db"))

    assert daily_quotes.quote_of_today() == Daily(TODAY, corpus.of_day(TODAY), on_record=False)
    assert upstream.asked == 0
    with pytest.raises(StateUnavailable):
        daily_quotes.quote_of(LAST_YEAR)


def test_once_the_state_is_back_the_day_is_what_the_record_says(
    make: Callable[..., DailyQuotes], tmp_path: Path, seconds: Seconds
) -> None:
    database = open_database(f"sqlite:///{tmp_path}/away/quotes.db")
    daily_quotes = make(database=database)
    daily_quotes.quote_of_today()
    (tmp_path / "away").mkdir()
    record(database, TODAY)

    seconds.passed += STATE_LEFT_ALONE_FOR - 0.1
    assert not daily_quotes.quote_of_today().on_record  # left alone for a while
    seconds.passed += 0.1
    assert daily_quotes.quote_of_today() == Daily(TODAY, OTHERS, on_record=True)


@pytest.mark.parametrize(
    "ask",
    [
        lambda daily_quotes: daily_quotes.quote_of(LAST_YEAR),
        lambda daily_quotes: daily_quotes.is_stored(TODAY),
        lambda daily_quotes: daily_quotes.latest(1),
    ],
    ids=["an earlier day", "health", "the feed"],
)
def test_a_state_that_failed_is_left_alone_by_all_who_ask(
    make: Callable[..., DailyQuotes], tmp_path: Path, seconds: Seconds, ask: Callable[[DailyQuotes], object]
) -> None:
    database = open_database(f"sqlite:///{tmp_path}/away/quotes.db")
    daily_quotes = make(database=database)
    with pytest.raises(StateUnavailable):
        ask(daily_quotes)
    (tmp_path / "away").mkdir()
    record(database, LAST_YEAR, TODAY)

    seconds.passed += STATE_LEFT_ALONE_FOR - 0.1
    with pytest.raises(StateUnavailable):
        ask(daily_quotes)
    seconds.passed += 0.1
    assert ask(daily_quotes)


def test_the_latest_quotes_are_not_told_without_todays(
    make: Callable[..., DailyQuotes], tmp_path: Path, database: Database, corpus: Corpus, seconds: Seconds
) -> None:
    record(database, LAST_YEAR)
    daily_quotes, file = make(), tmp_path / "quotes.db"
    file.rename(tmp_path / "away")
    file.mkdir()
    assert not daily_quotes.quote_of_today().on_record
    file.rmdir()
    (tmp_path / "away").rename(file)

    with pytest.raises(StateUnavailable):  # the state is back, but still left alone
        daily_quotes.latest(30)
    seconds.passed += STATE_LEFT_ALONE_FOR
    assert daily_quotes.latest(30) == [
        Daily(TODAY, corpus.of_day(TODAY), on_record=True),
        Daily(LAST_YEAR, OTHERS, on_record=True),
    ]


@pytest.mark.parametrize(
    ("zone", "utc_midnight_there"),
    [("UTC", "00:00"), ("Asia/Kolkata", "18:30"), ("America/New_York", "05:00"), ("Pacific/Kiritimati", "10:00")],
)
def test_the_day_begins_at_midnight_in_its_time_zone(
    make: Callable[..., DailyQuotes], corpus: Corpus, clock: Clock, zone: str, utc_midnight_there: str
) -> None:
    clock.now = dt.datetime.fromisoformat(f"2026-11-22T{utc_midnight_there}+00:00") - dt.timedelta(seconds=1)
    daily_quotes = make(timezone=ZoneInfo(zone))
    last_second = daily_quotes.quote_of_today()
    clock.move(seconds=1)

    midnight = daily_quotes.quote_of_today()

    assert midnight == Daily(last_second.day + dt.timedelta(days=1), corpus.of_day(midnight.day), on_record=True)
    assert last_second.quote != midnight.quote
    assert daily_quotes.end_of(last_second.day) == clock.now.timestamp()


@settings(deadline=None, max_examples=300)
@given(
    day=st.dates(dt.date(1990, 1, 1), dt.date(2040, 12, 31)),
    zone=st.sampled_from(
        [
            "UTC",
            "Europe/Berlin",
            "America/Havana",
            "America/Santiago",
            "Australia/Lord_Howe",
            "Africa/Cairo",
            "Pacific/Apia",
        ]
    ),
)
def test_a_day_ends_when_the_next_one_begins_summer_time_or_not(
    corpus: Corpus, tmp_path_factory: pytest.TempPathFactory, day: dt.date, zone: str
) -> None:
    clock = Clock()
    database = open_database(f"sqlite:///{tmp_path_factory.getbasetemp()}/never opened.db")
    daily_quotes = DailyQuotes(corpus, None, database, ZoneInfo(zone), clock)
    clock.now = dt.datetime.fromtimestamp(daily_quotes.end_of(day), dt.UTC)

    after = daily_quotes.today()
    clock.move(microseconds=-1)

    assert daily_quotes.today() <= day < after
