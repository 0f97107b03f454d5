"""The day's text goes out once: however many try, however SNS fails, and whoever dies meanwhile."""

import datetime as dt
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from quotes import subscription_models as models
from quotes.corpus import Corpus
from quotes.daily import DailyQuotes
from quotes.database import Database, open_database
from quotes.errors import (
    NotSetUp,
    PublishedElsewhere,
    QuotesError,
    StateUnavailable,
    TextMayBeSent,
    TextsUnavailable,
)
from quotes.publishing import Publishing
from quotes.schedulers import publish_quote_of_the_day
from quotes.sms import daily_text
from quotes.sns import Topic
from quotes.texts import Console
from tests.conftest import NOON, Clock
from tests.sns import SNS, Call, Exchange, every_second, hang_up, lose_answer, refuse

pytest_plugins = ("tests.postgres", "tests.s3", "tests.sns")

PROCESSES = 8
SPAWN = multiprocessing.get_context("spawn")
PATIENCE = 60.0  # seconds
DAY = NOON.date()


def text_of(corpus: Corpus, day: dt.date = DAY) -> str:
    return daily_text(corpus.of_day(day))


@pytest.fixture
def make(sns: SNS, corpus: Corpus, database: Database, clock: Clock) -> Callable[..., Publishing]:
    """Return a maker of instances, each with the same state and a topic object of its own."""

    def make(database: Database = database, clock: Callable[[], dt.datetime] = clock) -> Publishing:
        daily = DailyQuotes(corpus, None, database, now=clock)
        return Publishing(daily, database, Topic(sns.topic, "us-east-1"), now=clock)

    return make


def test_everybody_gets_the_day_s_quote_in_one_call(make: Callable[..., Publishing], sns: SNS, corpus: Corpus):
    topic = Topic(sns.topic, "us-east-1")
    for n in range(120):
        topic.subscribe(f"+9190280{n:05}")
    sns.asked.clear()
    make().start()

    assert sns.asked == [Call("CreateTopic"), Call("Publish", None, text_of(corpus), "Promotional")]


def test_a_duplicate_or_a_late_event_sends_nothing(make: Callable[..., Publishing], sns: SNS, clock: Clock):
    instances = [make() for _ in range(3)]
    for instance in instances:
        instance.start()
        instance.publish(DAY)
        clock.move(hours=3)
    make().publish(DAY)

    assert len(sns.texts()) == 1


def test_each_day_has_its_text(make: Callable[..., Publishing], sns: SNS, clock: Clock, corpus: Corpus):
    for _ in range(3):
        make().start()
        clock.move(days=1)

    assert [call.text for call in sns.texts()] == [text_of(corpus, DAY + dt.timedelta(days=n)) for n in range(3)]


@pytest.mark.parametrize(("fault", "error"), [(refuse, TextsUnavailable), (hang_up, TextMayBeSent)])
@pytest.mark.parametrize("action", ["CreateTopic", "Publish"])
def test_what_sns_did_not_take_is_sent_by_the_retry_at_once(
    make: Callable[..., Publishing], sns: SNS, fault: Callable[[Exchange], None], error: type[Exception], action: str
):
    sns.faults[action] = iter([fault, fault])
    for _ in range(2):
        with pytest.raises(error):
            make().start()
    before = sns.texts()
    make().start()
    make().start()

    assert (before, len(sns.texts())) == ([], 1)


def test_what_sns_took_without_an_answer_is_sent_again_by_the_retry(make: Callable[..., Publishing], sns: SNS):
    """Twice is the lesser evil, as docs/decisions.md says."""
    sns.faults["Publish"] = iter([lose_answer])
    with pytest.raises(TextMayBeSent):
        make().start()
    make().start()
    make().start()

    assert len(sns.texts()) == 2


def test_of_two_at_once_one_publishes_and_the_other_tries_again(make: Callable[..., Publishing], sns: SNS):
    told = []

    def meanwhile(exchange: Exchange) -> None:
        try:
            make().start()
        except PublishedElsewhere as error:
            told.append(str(error))
        exchange.answer(*exchange.forward())

    sns.faults["Publish"] = iter([meanwhile])
    make().start()
    make().start()

    assert told == ["Another instance may be publishing the quote of 2026-11-21."]
    assert len(sns.texts()) == 1


def test_who_was_stopped_for_long_after_claiming_does_not_publish(make: Callable[..., Publishing], sns: SNS, clock):
    make(clock=clock)._daily.quote_of_today()

    class Stopped(Clock):
        def __call__(self) -> dt.datetime:
            now, self.now = self.now, self.now + dt.timedelta(seconds=26)
            return now

    stopped = Publishing(make()._daily, make()._database, Topic(sns.topic, "us-east-1"), now=Stopped())
    with pytest.raises(PublishedElsewhere):
        stopped.publish(DAY)
    clock.move(seconds=50)
    make().publish(DAY)

    assert len(sns.texts()) == 1


def test_a_day_without_a_record_is_not_published(make: Callable[..., Publishing], sns: SNS, tmp_path: Path):
    down = open_database(f"sqlite:///{tmp_path}/no/such/folder/quotes.db")

    with pytest.raises(StateUnavailable, match=r"^The quote of 2026-11-21 is not on record yet\.$"):
        make(database=down).start()
    assert sns.asked == []


def test_where_state_is_not_shared_nothing_is_published(make: Callable[..., Publishing], sns: SNS, tmp_path: Path):
    unshared = open_database(f"sqlite:///{tmp_path}/quotes.db", on_lambda=True)

    with pytest.raises(NotSetUp) as refusal:
        make(database=unshared).start()
    assert str(refusal.value) == (
        "Publishing needs state that all instances share; set DATABASE_URL=s3://bucket/key.db, or a server's URL."
    )
    assert sns.asked == []


def test_on_a_laptop_the_text_appears_in_the_log(
    make: Callable[..., Publishing], corpus: Corpus, database: Database, clock: Clock, caplog: pytest.LogCaptureFixture
):
    for _ in range(2):
        Publishing(DailyQuotes(corpus, None, database, now=clock), database, Console(), now=clock).start()

    texts = [message for message in caplog.messages if "SMS" in message]
    assert texts == [f"[SMS to everybody who is subscribed] {text_of(corpus)}"]


def _publish(_: int = 0) -> int:
    """Be one instance: do as Lambda does with an event, until it succeeds; return how often that was tried."""
    deadline, tries = time.monotonic() + PATIENCE, 0
    while True:
        tries += 1
        try:
            publish_quote_of_the_day({"id": "the same"}, None)
        except QuotesError:
            if time.monotonic() > deadline:
                raise
        else:
            return tries


def _meet(barrier: Barrier) -> None:
    barrier.wait()


@pytest.fixture(params=["sqlite", "postgresql", "s3"])
def scheduled(request: pytest.FixtureRequest, sns: SNS, aws: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """Return the URL of an empty database of each kind, to which the settings of other processes lead."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/quotes.db"
    else:
        url = request.getfixturevalue("s3").url if request.param == "s3" else request.getfixturevalue("postgres_url")
    settings = {
        "DATABASE_URL": url,
        "QUOTES_SMS": "sns",
        "QUOTES_SMS_TOPIC": sns.topic,
        "QUOTES_OTP_SECRET": "0123456789abcdef" * 2,
    }
    for name, value in settings.items():
        aws.setenv(name, value)
    return url


def published(url: str) -> list[str]:
    """Return the texts of the days on record as published: one, unless the test ran at midnight."""
    from quotes.models import stored_quote

    def texts(db):
        row = models.Publication
        days = row.select(row.day).where(row.done_at.is_null(False)).order_by(row.day).tuples().execute(db)
        return [daily_text(quote) for (day,) in days if (quote := stored_quote(db, day))]

    return open_database(url).read(texts)


@pytest.mark.timeout(180)
def test_eight_instances_at_once_with_sns_failing_every_second_call_send_one_text(scheduled: str, sns: SNS):
    sns.faults["Publish"] = every_second(refuse)
    sns.faults["CreateTopic"] = every_second(hang_up)
    with ProcessPoolExecutor(PROCESSES, SPAWN, _meet, (SPAWN.Barrier(PROCESSES),)) as pool:
        tries = list(pool.map(_publish, range(PROCESSES)))

    assert len(tries) == PROCESSES
    assert sum(tries) > PROCESSES
    assert published(scheduled)
    assert [call.text for call in sns.texts()] == published(scheduled)


@pytest.mark.timeout(120)
def test_the_retry_sends_when_an_instance_dies_between_its_claim_and_sns(scheduled: str, sns: SNS):
    def kill(exchange: Exchange) -> None:
        assert instance.pid
        os.kill(instance.pid, signal.SIGKILL)
        instance.join()
        exchange.close_connection = True

    sns.faults["Publish"] = iter([kill])
    instance = SPAWN.Process(target=_publish)
    instance.start()
    instance.join(PATIENCE)
    before = sns.texts()
    with pytest.raises(PublishedElsewhere):
        publish_quote_of_the_day({}, None)

    claims = open_database(scheduled).read(lambda db: list(models.Publication.select().dicts().execute(db)))
    past = claims[0]["claimed_at"] - dt.timedelta(seconds=50)
    open_database(scheduled).write(lambda db: models.Publication.update(claimed_at=past).execute(db))
    publish_quote_of_the_day({}, None)
    publish_quote_of_the_day({}, None)

    assert (instance.exitcode, before) == (-signal.SIGKILL, [])
    assert [call.text for call in sns.texts()] == published(scheduled)
