"""The daily text goes out once, by one call, whatever fails and however many there are to get it."""

import datetime as dt
import itertools
import threading
import time
from collections import Counter
from typing import Any

import pytest

from quotes import sms
from quotes.quote import Quote
from tests.aws.account import Account
from tests.aws.calls import Call
from tests.aws.endpoint import Answer as Reply
from tests.aws.endpoint import refused
from tests.aws.phones import Text
from tests.aws.texting import Texting, emptied

pytest_plugins = ("tests.aws.stages", "tests.aws.texting")
pytestmark = pytest.mark.usefixtures("nothing_is_told")

JOB = "publish_quote_of_the_day"
INSTANCES = 8
NUMBERS = [f"+91902801234{digit}" for digit in range(3)]
MANY = 100_000
PATIENCE = 20.0  # seconds
HOLD = 3.0  # seconds; the product gives SNS five


def text_of_the_day(texting: Texting) -> str:
    """Return what everybody is to get: the quote that the API answers."""
    daily = texting.stage.curl("/daily").json
    daily.pop("date")
    return sms.daily_text(Quote(**daily))


def publishes(call: Call) -> bool:
    return (call.action, call.resource.rpartition(":")[2]) == ("sns:Publish", "DailyQuoteSubscription")


def test_eight_events_on_eight_instances_send_one_text_while_sns_fails_every_second_call(
    account: Account, dev: Texting
):
    dev.subscribe_directly(NUMBERS)
    account.functions.scale(dev.stage.arn, INSTANCES)
    turns, failed = itertools.cycle([True, False]), []

    def fails(call: Call, answer: Any) -> Reply:
        if call.service == "sns" and next(turns):
            failed.append(call)
            return refused()
        if publishes(call):  # while another instance comes to the same point, if there is nothing that keeps it away
            until(lambda: dev.lines("PublishedElsewhere") != [], HOLD, is_needed=False)
        return answer()

    with account.interference(fails):
        dev.fire(JOB, times=INSTANCES)
    text = text_of_the_day(dev)
    dev.fire(JOB)  # late

    assert sorted(account.phones.received) == [Text(number, text, "Promotional") for number in NUMBERS]
    assert failed != []
    assert len({each.instance for each in dev.invocations()}) >= INSTANCES
    assert len(dev.lines("was published.")) == 1


def test_an_instance_that_dies_between_claim_and_text_is_made_good_by_the_next_try(account: Account, dev: Texting):
    dev.subscribe_directly(NUMBERS)
    died = []

    def dies(call: Call, answer: Any) -> Reply:
        if not publishes(call) or died:
            return answer()
        until(lambda: dev.lines("END RequestId") != [])  # of the job, which has started the task
        with dev.state() as db:
            died.append(db.execute("SELECT claim IS NOT NULL, done_at FROM publication").fetchall())
        for container in account.functions.containers(dev.stage.arn):
            container.kill()
        return refused()

    def a_minute_passes() -> None:
        """Make the claim older, for nobody here waits for as long as Lambda does before it tries again."""
        with dev.state() as db:
            ((claimed_at,),) = db.execute("SELECT claimed_at FROM publication").fetchall()
            earlier = dt.datetime.fromisoformat(claimed_at) - dt.timedelta(minutes=1)
            db.execute("UPDATE publication SET claimed_at = ?", (earlier.isoformat(" "),))

    account.functions.waiting = a_minute_passes
    try:
        with account.interference(dies):
            dev.fire(JOB)
    finally:
        account.functions.waiting = lambda: None
    dev.fire(JOB)

    assert died == [[(1, None)]]
    text = text_of_the_day(dev)
    assert sorted(account.phones.received) == [Text(number, text, "Promotional") for number in NUMBERS]
    assert len(dev.lines("was published.")) == 1
    assert len(dev.lines("was published already.")) == 1


def test_while_a_claim_holds_nobody_else_publishes(account: Account, dev: Texting):
    """As the test before, but no minute passes."""
    dev.subscribe_directly(NUMBERS)

    def dies(call: Call, answer: Any) -> Reply:
        if publishes(call):
            until(lambda: dev.lines("END RequestId") != [])
            for container in account.functions.containers(dev.stage.arn):
                container.kill()
            return refused()
        return answer()

    with account.interference(dies):
        dev.fire(JOB)

    assert account.phones.received == []
    assert len(dev.lines("PublishedElsewhere: Another instance may be publishing")) == 2


def until(happened: Any, patience: float = PATIENCE, *, is_needed: bool = True) -> None:
    """Wait until something has happened."""
    deadline = time.monotonic() + patience
    while not happened():
        if time.monotonic() > deadline:
            assert not is_needed
            return
        threading.Event().wait(0.02)


def test_a_hundred_thousand_subscribers_take_as_many_calls_as_one(account: Account, dev: Texting):
    costs = []
    for count in (1, MANY):
        texting = emptied(dev.stage)
        numbers = [f"+9190{8_000_000 + number}0" for number in range(count)]
        arns, text = texting.subscribe_directly(numbers), text_of_the_day(texting)
        with texting.state() as db:
            rows = zip(numbers, arns, strict=True)
            db.executemany("INSERT INTO subscription (number, is_wanted, is_settled, arn) VALUES (?, 1, 1, ?)", rows)
        begun = len(account.calls_of("quotes-dev"))

        texting.fire(JOB)
        published = len(account.calls_of("quotes-dev"))
        assert account.phones.received == [Text(number, text, "Promotional") for number in numbers]
        texting.ask("unsubscribe", numbers[-1][1:])
        texting.confirm("unsubscribe", numbers[-1][1:])
        assert texting.subscribers() == numbers[:-1]

        calls = account.calls_of("quotes-dev")[begun:]
        to_publish, to_end = calls[: published - begun], calls[published - begun :]
        assert len(to_end) <= 20  # with those of S3, which depend on how many instances there are
        costs.append([Counter(call.action for call in each if call.service == "sns") for each in (to_publish, to_end)])

    to_publish = {"sns:CreateTopic": 1, "sns:Publish": 1}
    to_end = {"sns:CheckIfPhoneNumberIsOptedOut": 1, "sns:Publish": 1, "sns:Unsubscribe": 1}  # the text brings the code
    assert costs == [[to_publish, to_end]] * 2
