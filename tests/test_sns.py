"""Subscribing through a real SNS interface: what is asked of it, how often, and what happens when it fails."""

import logging
import re
from collections.abc import Callable, Iterator

import pytest

from quotes import subscription_models as models
from quotes.database import Database
from quotes.errors import OptedOut, TextMayBeSent, TextsUnavailable
from quotes.sns import Topic, topic
from quotes.subscriptions import Subscriptions
from tests.conftest import Clock
from tests.sns import SNS, Call, Exchange, hang_up, lose_answer, refuse

pytest_plugins = ("tests.s3", "tests.sns")

ME, OTHER, OPTED_OUT = "+919028012345", "+14155552671", "+919028012399"  # moto's own rule: 99 at the end


@pytest.fixture
def flow(sns: SNS, database: Database, clock: Clock, caplog: pytest.LogCaptureFixture) -> Subscriptions:
    caplog.set_level(logging.DEBUG)
    return Subscriptions(database, Topic(sns.topic, "us-east-1"), secret="0123456789abcdef" * 2, now=clock)


def codes(sns: SNS) -> list[str]:
    """Return the codes that SNS took."""
    return [call.text[:6] for call in sns.texts() if call.text]


def confirm(flow: Subscriptions, sns: SNS, purpose: str, number: str = ME) -> None:
    flow.ask(number, purpose)
    flow.confirm(number, purpose, codes(sns)[-1])


def fill(sns: SNS, number: int) -> None:
    """Subscribe numbers that no record tells of, as another program would."""
    own = Topic(sns.topic, "us-east-1")
    for n in range(number):
        own.subscribe(f"+9190280{n:05}")


def actions(sns: SNS) -> list[str]:
    return [call.action for call in sns.asked]


def test_a_code_goes_out_as_transactional_once_it_is_known_that_texts_are_allowed(flow: Subscriptions, sns: SNS):
    flow.ask(ME, "subscribe")

    (code,) = codes(sns)
    text = (
        f"{code} is your OTP to start the quote of the day by text. It is valid for 10 minutes. Not you? Ignore this."
    )
    assert sns.asked == [
        Call("CheckIfPhoneNumberIsOptedOut", ME),
        Call("Publish", ME, text, "Transactional"),
    ]


def test_the_topic_is_made_once_and_ending_a_subscription_is_one_call(flow: Subscriptions, sns: SNS):
    fill(sns, 120)
    confirm(flow, sns, "subscribe", OTHER)
    confirm(flow, sns, "subscribe")
    both = sns.subscribers()
    sns.asked.clear()
    confirm(flow, sns, "unsubscribe")

    assert both[-2:] == [OTHER, ME]
    assert sns.subscribers() == both[:-1]
    assert actions(sns) == ["CheckIfPhoneNumberIsOptedOut", "Publish", "Unsubscribe"]


def test_a_number_subscribed_before_is_found_by_paging(flow: Subscriptions, sns: SNS):
    fill(sns, 250)
    sns.asked.clear()
    confirm(flow, sns, "unsubscribe", "+919028000249")

    assert len(sns.subscribers()) == 249
    assert actions(sns)[2:] == ["CreateTopic", *["ListSubscriptionsByTopic"] * 3, "Unsubscribe"]


def test_an_arn_of_another_topic_is_not_used(flow: Subscriptions, sns: SNS, database: Database):
    confirm(flow, sns, "subscribe")
    database.write(lambda db: models.Subscription.update(arn=f"console:{ME}").execute(db))
    confirm(flow, sns, "unsubscribe")

    assert sns.subscribers() == []
    assert actions(sns)[-2:] == ["ListSubscriptionsByTopic", "Unsubscribe"]


def test_ending_what_is_not_there_is_no_error(flow: Subscriptions, sns: SNS):
    confirm(flow, sns, "unsubscribe")

    assert actions(sns)[2:] == ["CreateTopic", "ListSubscriptionsByTopic"]


def test_a_number_that_replied_stop_gets_no_code_and_is_told_so(flow: Subscriptions, sns: SNS, clock: Clock):
    for _ in range(3):
        with pytest.raises(OptedOut):
            flow.ask(OPTED_OUT, "subscribe")
        clock.move(minutes=4.9)
    assert actions(sns) == ["CheckIfPhoneNumberIsOptedOut"]

    with pytest.raises(OptedOut):  # it might have sent START by now
        flow.ask(OPTED_OUT, "subscribe")
    assert actions(sns) == ["CheckIfPhoneNumberIsOptedOut"] * 2


@pytest.mark.parametrize("action", ["CheckIfPhoneNumberIsOptedOut", "Publish"])
def test_a_code_that_sns_refuses_does_not_count(flow: Subscriptions, sns: SNS, action: str):
    for _ in range(7):
        sns.faults[action] = iter([refuse])
        with pytest.raises(TextsUnavailable):
            flow.ask(ME, "subscribe")
    confirm(flow, sns, "subscribe")

    assert len(codes(sns)) == 1
    assert sns.subscribers() == [ME]


@pytest.mark.parametrize(("fault", "taken"), [(hang_up, 0), (lose_answer, 1)])
def test_a_code_whose_answer_is_lost_is_not_sent_again_by_a_retry(
    flow: Subscriptions, sns: SNS, database: Database, clock: Clock, fault: Callable[[Exchange], None], taken: int
):
    sns.faults["Publish"] = iter([fault])
    with pytest.raises(TextMayBeSent):
        flow.ask(ME, "subscribe")
    id_ = database.read(lambda db: models.OneTimePassword.select().get(db)).id

    assert flow.send_code(id_)  # as Lambda does
    flow.ask(ME, "subscribe")
    assert len(codes(sns)) == taken
    clock.move(minutes=1)
    confirm(flow, sns, "subscribe")
    assert len(codes(sns)) == taken + 1


def test_a_task_that_is_delivered_twice_sends_one_code(flow: Subscriptions, sns: SNS, database: Database):
    flow.ask(ME, "subscribe")
    id_ = database.read(lambda db: models.OneTimePassword.select().get(db)).id

    assert [flow.send_code(id_), flow.send_code(id_)] == [True, True]
    assert len(codes(sns)) == 1


def test_a_task_that_comes_too_late_sends_nothing(flow: Subscriptions, sns: SNS, database: Database, clock: Clock):
    now = flow._time()
    database.write(lambda db: models.ask(db, "id", ME, "subscribe", now))
    clock.move(minutes=10)

    assert flow.send_code("id")
    assert flow.send_code("no such id")
    assert codes(sns) == []


@pytest.mark.parametrize("fault", [refuse, hang_up])
@pytest.mark.parametrize("purpose", ["subscribe", "unsubscribe"])
def test_who_confirmed_is_told_so_and_midnight_makes_it_good(
    flow: Subscriptions, sns: SNS, fault: Callable[[Exchange], None], purpose: str
):
    if purpose == "unsubscribe":
        confirm(flow, sns, "subscribe")
    before = sns.subscribers()
    sns.faults[purpose.title()] = iter([fault, fault])
    confirm(flow, sns, purpose)
    flow.tidy()
    failed = sns.subscribers()
    flow.tidy()

    assert failed == before
    assert sns.subscribers() == ([] if before else [ME])


def test_midnight_goes_on_after_a_failure_and_gives_up_after_three(flow: Subscriptions, sns: SNS):
    numbers = [f"+9190280{n:05}" for n in range(5)]
    sns.faults["Subscribe"] = iter([refuse] * 5)
    for number in numbers:
        confirm(flow, sns, "subscribe", number)
    sns.faults["Subscribe"] = iter([refuse] * 3)
    flow.tidy()
    after_three = sns.subscribers()
    sns.faults["Subscribe"] = iter([refuse])
    flow.tidy()

    assert (after_three, len(sns.subscribers())) == ([], 4)


def meanwhile(change: Callable[[], None], *, after: bool) -> Iterator[Callable[[Exchange], None]]:
    """Let something happen while a call is under way: before SNS hears of it, or after."""

    def fault(exchange: Exchange) -> None:
        if not after:
            change()
        answer = exchange.forward()
        if after:
            change()
        exchange.answer(*answer)

    return iter([fault])


@pytest.mark.parametrize("after", [False, True])
def test_the_last_word_counts_when_a_subscription_ends_while_it_is_made(flow: Subscriptions, sns: SNS, after: bool):
    sns.faults["Subscribe"] = meanwhile(lambda: confirm(flow, sns, "unsubscribe"), after=after)
    confirm(flow, sns, "subscribe")

    assert sns.subscribers() == []


@pytest.mark.parametrize("after", [False, True])
def test_the_last_word_counts_when_a_subscription_is_made_while_it_ends(
    flow: Subscriptions, sns: SNS, database: Database, clock: Clock, after: bool
):
    confirm(flow, sns, "subscribe")
    clock.move(minutes=1)
    sns.faults["Unsubscribe"] = meanwhile(lambda: confirm(flow, sns, "subscribe"), after=after)
    confirm(flow, sns, "unsubscribe")

    assert sns.subscribers() == [ME]
    settled = database.read(lambda db: models.subscription(db, ME))
    assert settled
    assert (settled.is_wanted, settled.is_settled) == (True, True)


def test_a_topic_that_was_deleted_is_made_again(flow: Subscriptions, sns: SNS):
    def vanished(exchange: Exchange) -> None:
        exchange.answer(404, b"<ErrorResponse><Error><Code>NotFound</Code><Message>m</Message></Error></ErrorResponse>")

    confirm(flow, sns, "subscribe")
    sns.faults["Subscribe"] = iter([vanished])
    confirm(flow, sns, "subscribe", OTHER)
    sns.asked.clear()
    flow.tidy()

    assert actions(sns) == ["CreateTopic", "Subscribe"]
    assert sns.subscribers() == [ME, OTHER]


def test_texts_leave_from_the_region_that_is_set(sns: SNS):
    Topic(sns.topic, "ap-south-1").send(ME, "text")

    assert sns.asked == [Call("Publish", ME, "text", "Transactional", "ap-south-1")]


def test_with_an_endpoint_that_is_no_url_no_text_can_be_sent(aws: pytest.MonkeyPatch):
    aws.setenv("AWS_ENDPOINT_URL", "localhost:9000")

    with pytest.raises(TextsUnavailable, match=r"^SNS cannot be asked: Invalid endpoint: localhost:9000\.$"):
        Topic("topic", "us-east-1").send(ME, "text")


def test_a_process_has_one_topic():
    assert topic("A", "us-east-1") is topic("A", "us-east-1")
    assert topic("A", "us-east-1") is not topic("B", "us-east-1")


def test_no_log_and_no_error_tells_a_code_or_a_number(
    flow: Subscriptions, sns: SNS, clock: Clock, caplog: pytest.LogCaptureFixture
):
    told = []
    for action in ("CheckIfPhoneNumberIsOptedOut", "Publish", "Publish", "CreateTopic", "Subscribe", "Subscribe"):
        sns.faults[action] = iter([(refuse, hang_up, lose_answer)[len(told) % 3]])
        try:
            confirm(flow, sns, "subscribe")
        except TextsUnavailable as error:
            told.append(
                f"{error!r} {error.__cause__!r} {error.__context__ if not error.__suppress_context__ else None}"
            )
        clock.move(hours=6)
        flow.tidy()

    logged = "\n".join([*told, *caplog.messages, *(str(record.exc_text) for record in caplog.records)])
    assert len(told) >= 2
    assert "+91…45 is subscribed" in logged
    assert not re.search(r"9028012345|9028012|12345", logged)
    assert [code for code in codes(sns) if code in logged] == []
