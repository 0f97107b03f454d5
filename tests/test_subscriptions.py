"""The flow of subscribing, on a laptop: codes, their limits, and what the topic is told."""

import datetime as dt
import logging
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from quotes import subscription_models as models
from quotes.database import Database, open_database
from quotes.errors import CodeRefused, NotSetUp, StateUnavailable, TooManyCodes
from quotes.subscriptions import Subscriptions
from quotes.texts import Console
from tests.conftest import Clock
from tests.s3 import S3, error, pass_on

pytest_plugins = ("tests.postgres", "tests.s3")

ME, OTHER = "+919028012345", "+14155552671"
SECRET = "0123456789abcdef" * 2
TEXT = re.compile(r"\[SMS to (\+[0-9]+)\] ([0-9]{6}) is your OTP to (start|stop) ")


@pytest.fixture
def database(database_url: str) -> Database:
    """Return an empty database of either kind."""
    return open_database(database_url)


@pytest.fixture
def flow(database: Database, clock: Clock, caplog: pytest.LogCaptureFixture) -> Subscriptions:
    caplog.set_level(logging.INFO)
    return Subscriptions(database, Console(), secret=SECRET, now=clock)


@pytest.fixture
def texts(caplog: pytest.LogCaptureFixture) -> Callable[[], list[tuple[str, ...]]]:
    """Return what tells the texts that were sent: number, code, what for."""
    return lambda: [found for message in caplog.messages for found in TEXT.findall(message)]


def subscribers(database: Database) -> list[tuple[str, str | None]]:
    row = models.Subscription
    rows = row.select(row.number, row.arn).where(row.is_wanted & row.is_settled).order_by(row.number)
    return database.read(lambda db: list(rows.tuples().execute(db)))


def refused(flow: Subscriptions, number: str, purpose: str, code: str) -> bool:
    try:
        flow.confirm(number, purpose, code)
    except CodeRefused:
        return True
    return False


def test_a_code_subscribes_and_another_one_unsubscribes(flow: Subscriptions, database: Database, texts):
    flow.ask(ME, "subscribe")
    flow.confirm(ME, "subscribe", texts()[-1][1])
    after_the_first = subscribers(database)
    flow.ask(ME, "unsubscribe")
    flow.confirm(ME, "unsubscribe", texts()[-1][1])

    assert [(number, purpose) for number, _, purpose in texts()] == [(ME, "start"), (ME, "stop")]
    assert after_the_first == [(ME, f"console:{ME}")]
    assert database.read(lambda db: models.subscription(db, ME)) is None


def test_a_code_is_used_once(flow: Subscriptions, database: Database, texts):
    flow.ask(ME, "subscribe")
    code = texts()[-1][1]

    assert [refused(flow, ME, "subscribe", code) for _ in range(3)] == [False, True, True]


@pytest.mark.parametrize(("minutes", "is_refused"), [(9.99, False), (10, True), (60 * 24, True)])
def test_a_code_holds_for_ten_minutes(flow: Subscriptions, clock: Clock, texts, minutes: float, is_refused: bool):
    flow.ask(ME, "subscribe")
    clock.move(minutes=minutes)

    assert refused(flow, ME, "subscribe", texts()[-1][1]) is is_refused


@pytest.mark.parametrize(("wrong", "is_refused"), [(4, False), (5, True), (6, True)])
def test_a_code_may_be_tried_five_times(flow: Subscriptions, texts, wrong: int, is_refused: bool):
    flow.ask(ME, "subscribe")
    code = texts()[-1][1]
    for n in range(1, wrong + 1):
        assert refused(flow, ME, "subscribe", f"{(int(code) + n) % 10**6:06}")

    assert refused(flow, ME, "subscribe", code) is is_refused


@pytest.mark.parametrize("moved", [{"number": OTHER}, {"purpose": "unsubscribe"}], ids=str)
def test_what_is_stored_of_a_code_holds_for_its_number_and_its_purpose(
    flow: Subscriptions, database: Database, texts, moved: dict[str, str]
):
    flow.ask(ME, "subscribe")
    database.write(lambda db: models.OneTimePassword.update(**moved).execute(db))
    asked = {"number": ME, "purpose": "subscribe"} | moved

    assert refused(flow, code=texts()[-1][1], **asked)


def test_a_code_is_only_for_its_number_and_its_purpose(flow: Subscriptions, database: Database, clock: Clock, texts):
    for number in (ME, OTHER):
        for purpose in ("subscribe", "unsubscribe"):
            flow.ask(number, purpose)
            clock.move(seconds=1)
    codes = {(number, purpose): code for number, code, purpose in texts()}
    mine = codes[ME, "start"]

    assert [refused(flow, OTHER, "subscribe", mine), refused(flow, ME, "unsubscribe", mine)] == [True, True]
    assert subscribers(database) == []
    assert not refused(flow, ME, "subscribe", mine)


def test_the_newest_code_is_the_one_that_counts(flow: Subscriptions, clock: Clock, texts):
    flow.ask(ME, "subscribe")
    clock.move(minutes=1)
    flow.ask(ME, "subscribe")
    (_, old, _), (_, new, _) = texts()

    assert [refused(flow, ME, "subscribe", code) for code in (old, new)] == [True, False]


def test_a_number_that_never_asked_has_no_code(flow: Subscriptions):
    with pytest.raises(CodeRefused) as refusal:
        flow.confirm(ME, "subscribe", "000000")

    assert str(refusal.value) == "The code is not right, or it is not valid any more. Ask for another one."


def test_asking_again_within_a_minute_sends_nothing(flow: Subscriptions, clock: Clock, texts):
    for _ in range(6):
        flow.ask(ME, "subscribe")
        clock.move(seconds=11.9)  # 59.5 in all
    before = len(texts())
    clock.move(seconds=1)
    flow.ask(ME, "subscribe")

    assert (before, len(texts())) == (1, 2)


def test_a_number_gets_five_codes_within_a_day(flow: Subscriptions, clock: Clock, texts):
    for n in range(5):
        flow.ask(ME, ("subscribe", "unsubscribe")[n % 2])
        clock.move(hours=4)
    with pytest.raises(TooManyCodes) as refusal:
        flow.ask(ME, "subscribe")
    flow.ask(OTHER, "subscribe")  # others may
    clock.move(hours=4)
    flow.ask(ME, "subscribe")

    assert str(refusal.value) == "This number was sent as many codes as may be sent. Try again in 14401 seconds."
    assert (refusal.value.seconds, refusal.value.is_own) == (14401, True)
    assert [number for number, _, _ in texts()] == [ME] * 5 + [OTHER, ME]


def test_all_numbers_together_get_a_hundred_codes_within_an_hour(flow: Subscriptions, clock: Clock, texts):
    clock.move(seconds=-3600)
    for n in range(100):
        flow.ask(f"+9190280{n:05}", "subscribe")
        clock.move(seconds=36)
    flow.ask(ME, "subscribe")  # the first one is an hour old
    with pytest.raises(TooManyCodes) as refusal:
        flow.ask(OTHER, "subscribe")

    assert str(refusal.value) == "All numbers together were sent as many codes as may be sent. Try again in 37 seconds."
    assert (refusal.value.seconds, refusal.value.is_own) == (37, False)
    assert len(texts()) == 101


def test_nothing_stored_tells_a_code(flow: Subscriptions, database: Database, texts):
    flow.ask(ME, "subscribe")
    code = texts()[-1][1]
    rows = database.read(lambda db: list(models.OneTimePassword.select().dicts().execute(db)))

    assert [(row["number"], row["tries"], len(row["digest"])) for row in rows] == [(ME, 0, 64)]
    assert code not in re.sub(r"[0-9a-f]{32,}", "", repr(rows)).replace(ME, "")


def test_a_code_cannot_be_checked_with_another_secret(database: Database, clock: Clock, texts, flow: Subscriptions):
    flow.ask(ME, "subscribe")
    other = Subscriptions(database, Console(), secret=SECRET[::-1], now=clock)

    assert refused(other, ME, "subscribe", texts()[-1][1])


def test_without_a_secret_processes_share_one_in_the_state(
    database_url: str, clock: Clock, texts, caplog: pytest.LogCaptureFixture
):
    first, second = (Subscriptions(open_database(database_url), Console(), now=clock) for _ in range(2))
    first.ask(ME, "subscribe")

    assert not refused(second, ME, "subscribe", texts()[-1][1])
    first.ask(OTHER, "subscribe")
    assert not refused(second, OTHER, "subscribe", texts()[-1][1])


def test_subscribing_twice_and_unsubscribing_twice_is_no_error(flow: Subscriptions, database: Database, texts, clock):
    for purpose in ("subscribe", "subscribe", "unsubscribe", "unsubscribe"):
        flow.ask(ME, purpose)
        flow.confirm(ME, purpose, texts()[-1][1])
        clock.move(minutes=1)

    assert len(texts()) == 4
    assert database.read(lambda db: models.subscription(db, ME)) is None


def test_who_confirmed_is_told_so_even_if_the_state_fails_a_moment_later(s3: S3, clock: Clock, texts):
    database = open_database(s3.url)
    flow = Subscriptions(database, Console(), secret=SECRET, now=clock)
    flow.ask(ME, "subscribe")
    s3.faults["GET"] = iter([pass_on, error(403, "AccessDenied"), error(403, "AccessDenied")])
    flow.confirm(ME, "subscribe", texts()[-1][1])
    with pytest.raises(StateUnavailable):
        subscribers(database)
    flow.tidy()

    assert subscribers(database) == [(ME, f"console:{ME}")]


def test_old_rows_are_removed_and_those_that_count_stay(flow: Subscriptions, database: Database, clock: Clock, texts):
    flow.ask(ME, "subscribe")
    flow.confirm(ME, "subscribe", texts()[-1][1])
    clock.move(hours=1)
    flow.ask(OTHER, "subscribe")
    clock.move(hours=23)
    flow.tidy()

    left = database.read(
        lambda db: list(models.OneTimePassword.select(models.OneTimePassword.number).tuples().execute(db))
    )
    assert left == [(OTHER,)]
    assert subscribers(database) == [(ME, f"console:{ME}")]


def test_old_publications_are_removed(flow: Subscriptions, database: Database, clock: Clock):
    today = clock.now.date()
    for days in (0, 60, 61):
        day = today - dt.timedelta(days=days)
        database.write(lambda db, day=day: models.Publication.insert(day=day).execute(db))
    flow.tidy()

    rows = database.read(lambda db: list(models.Publication.select(models.Publication.day).tuples().execute(db)))
    assert sorted(rows) == [(today - dt.timedelta(days=60),), (today,)]


@pytest.fixture
def unshared(tmp_path: Path) -> Database:
    """Return what a function on Lambda has for plain SQLite."""
    return open_database(f"sqlite:///{tmp_path}/tmp/quotes.db", on_lambda=True)


def test_where_state_is_not_shared_no_code_is_sent(unshared: Database, clock: Clock, texts, tmp_path: Path):
    flow = Subscriptions(unshared, Console(), secret=SECRET, now=clock)

    for use in (lambda: flow.ask(ME, "subscribe"), lambda: flow.confirm(ME, "subscribe", "000000")):
        with pytest.raises(NotSetUp) as refusal:
            use()
        assert str(refusal.value) == (
            "Subscribing needs state that all instances share; set DATABASE_URL=s3://bucket/key.db, or a server's URL."
        )
    flow.tidy()
    assert texts() == []
    assert not (tmp_path / "tmp").exists()


def test_where_a_secret_is_needed_and_missing_no_code_is_sent(database: Database, clock: Clock, texts):
    flow = Subscriptions(database, Console(), is_secret_needed=True, now=clock)

    for use in (lambda: flow.ask(ME, "subscribe"), lambda: flow.confirm(ME, "subscribe", "000000")):
        with pytest.raises(NotSetUp) as refusal:
            use()
        assert str(refusal.value) == (
            "Subscribing needs QUOTES_OTP_SECRET to be set: 32 characters or more that nobody knows."
        )
    assert texts() == []
