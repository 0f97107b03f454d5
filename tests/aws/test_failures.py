"""No failure in silence: in a resource, a job, a task and at the start, each is told once and answered rightly."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.aws.account import Account
from tests.aws.stages import Stage, problem
from tests.aws.texting import SECRET, Texting, emptied

pytest_plugins = ("tests.aws.stages", "tests.aws.texting")

MOBILE, CODE = "919028012345", "482913"
KEY = "a-secret-of-the-upstream"
FORBIDDEN = (MOBILE, MOBILE[2:], CODE, KEY, SECRET, "a-password", "Bearer", "abcdef", "mobile=", "otp=")
PATIENCE = 30.0  # seconds
TRIES = 3  # of an event
ROUTE = "zappa.asynchronous.route_lambda_task"


class Mailbox:
    """Be somebody who subscribed to the topic of unhandled exceptions.

    Args:
        account: The account.
    """

    def __init__(self, account: Account) -> None:
        self._sqs, self._sns = account.client("sqs"), account.client("sns")
        self._url = self._sqs.create_queue(QueueName="alerts")["QueueUrl"]
        attributes = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])["Attributes"]
        self._topic = self._sns.create_topic(Name="UnhandledException")["TopicArn"]
        statement = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage"}
        statement |= {"Resource": attributes["QueueArn"], "Condition": {"ArnEquals": {"aws:SourceArn": self._topic}}}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self._sqs.set_queue_attributes(QueueUrl=self._url, Attributes={"Policy": policy})
        self._sns.subscribe(TopicArn=self._topic, Protocol="sqs", Endpoint=attributes["QueueArn"])
        self.mails: list[dict[str, Any]] = []

    def messages(self) -> list[dict[str, Any]]:
        """Return what arrived so far."""
        for message in self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get("Messages", []):
            self.mails.append(json.loads(message["Body"]))
            self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(mail["Message"]) for mail in self.mails]

    def close(self) -> None:
        """Take everything away."""
        for found in self._sns.list_subscriptions_by_topic(TopicArn=self._topic)["Subscriptions"]:
            self._sns.unsubscribe(SubscriptionArn=found["SubscriptionArn"])
        self._sns.delete_topic(TopicArn=self._topic)
        self._sqs.delete_queue(QueueUrl=self._url)


@pytest.fixture
def mailbox(account: Account) -> Iterator[Mailbox]:
    """Return a mailbox that is empty."""
    mailbox = Mailbox(account)
    yield mailbox
    mailbox.close()


@pytest.fixture
def dev(deployed: dict[str, Stage]) -> Iterator[Texting]:
    """Return the first stage, with secrets, and back as it was afterwards."""
    stage = deployed["dev"]
    secrets = {"QUOTES_OTP_SECRET": SECRET, "X_Mashape_Key": KEY, "QUOTES_DIAGNOSTICS": "1"}
    stage.set_environment(**secrets)
    yield emptied(stage)
    stage.set_environment(QUOTES_OTP_SECRET=SECRET)
    stage.forget()


def the_only_one(mailbox: Mailbox, again: Callable[[], object], more: int = 3) -> dict[str, Any]:
    """Return the message that arrives; what fails is done again until it does, and some times after that.

    On a machine that is busy the second may be over before the message is out; then it goes with the next event.
    """
    deadline = time.monotonic() + PATIENCE
    while not mailbox.messages():
        assert time.monotonic() < deadline
        again()
    for _ in range(more):
        again()
    (message,) = mailbox.messages()
    (mail,) = mailbox.mails
    assert [word for word in FORBIDDEN if word in json.dumps(mail)] == []
    assert set(message) == {"time", "stage", "request_id", "route", "exception", "traceback", "repeated"}
    assert (message["stage"], message["repeated"]) == ("dev", 0)
    assert len(mail["Message"].encode()) <= 256 * 1024
    return message


def test_a_defect_of_a_resource(account: Account, dev: Texting, mailbox: Mailbox):
    answers = []

    def ask() -> None:
        options = ("--header", "Authorization: Bearer abcdef")
        answers.append(dev.stage.curl(f"/daily?date=2020-02-29&mobile={MOBILE}&otp={CODE}", *options))

    dev.stage.curl("/daily")  # makes the state
    with dev.state() as db:
        db.execute("UPDATE daily_quote SET day = '2020-02-29', category = ?", (b"\xff919028012345",))
    account.functions.discard(dev.stage.arn)
    answers.clear()
    message = the_only_one(mailbox, ask)

    detail = "Something went wrong here. It is not your request's fault."
    assert {(answer.status, answer.headers["content-type"]) for answer in answers} == {
        (500, "application/problem+json")
    }
    assert [answer.json for answer in answers] == [problem(500, detail)] * len(answers)
    assert message["request_id"] == dev.invocations()[1].request_id
    assert (message["route"], message["exception"]) == (
        "GET /daily",
        "UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte",
    )
    assert [line for line in message["traceback"] if line.startswith("quotes/models.py:")] != []


def test_a_job_that_fails_is_told_once_and_tried_again(account: Account, dev: Texting, mailbox: Mailbox):
    with dev.policy(lambda before: [each for each in before if each["Sid"] != "State"]):
        dev.fire("set_quote_of_the_day")
        message = the_only_one(mailbox, account.functions.join)

    assert len(dev.lines("[ERROR] StateUnavailable: ")) == TRIES
    (tried,) = dev.invocations()  # all in one instance
    assert (message["request_id"], message["route"]) == (tried.request_id, "quotes.schedulers.set_quote_of_the_day")
    assert message["exception"].startswith("quotes.errors.StateUnavailable: The quote of 20")
    assert message["traceback"][-2].startswith("quotes/schedulers.py:")


def test_a_task_that_fails_is_told_once_by_each_instance_and_tried_again(
    account: Account, dev: Texting, mailbox: Mailbox
):
    answer = dev.stage.curl("/async-failure")
    account.functions.join()

    assert (answer.status, answer.json) == (202, {"message": "Called async task"})
    assert answer.headers["cache-control"] == "no-store"
    assert len(dev.lines("[ERROR] DeliberateFailure: ")) == TRIES
    tried = [each for each in dev.invocations() if any("DeliberateFailure" in line for line in each.lines)]
    messages = mailbox.messages()
    # An instance that is tried again knows that it told of the same failure; another one cannot know.
    assert [message["request_id"] for message in messages] == [each.request_id for each in tried]
    assert len({each.request_id for each in tried}) == 1
    assert {(message["route"], message["exception"]) for message in messages} == {
        ("quotes.tasks.async_failure", "quotes.errors.DeliberateFailure: This task fails on purpose.")
    }
    assert messages[0]["traceback"][-2].startswith("quotes/tasks.py:")


def test_a_task_that_fails_in_one_instance_is_told_once(account: Account, dev: Texting, mailbox: Mailbox):
    task = {"task_path": "quotes.tasks.async_failure", "args": [], "kwargs": {}}
    account.functions.send(dev.stage.arn, json.dumps(task | {"command": ROUTE, "capture_response": False}).encode())
    account.functions.join()

    message = the_only_one(mailbox, account.functions.join)
    assert (message["route"], len(dev.lines("[ERROR] DeliberateFailure: "))) == ("quotes.tasks.async_failure", TRIES)


@pytest.mark.parametrize(
    ("settings", "exception", "place"),
    [
        (
            {"DATABASE_URL": f"mysql://me:a-password@host/name?mobile={MOBILE}", "QUOTES_ALERT_TOPIC": "no topic"},
            "quotes.errors.SettingError: DATABASE_URL: starts with none of sqlite://, s3://, postgresql://, cockroachdb://",
            "quotes/settings.py:",
        ),
    ],
    ids=["settings"],
)
def test_a_start_that_fails(
    account: Account, dev: Texting, mailbox: Mailbox, settings: dict[str, str], exception: str, place: str
):
    dev.stage.set_environment(X_Mashape_Key=KEY, QUOTES_OTP_SECRET=SECRET, **settings)
    answers = []

    def start() -> None:
        answers.append(dev.stage.curl(f"/daily?mobile={MOBILE}&otp={CODE}"))

    message = the_only_one(mailbox, start, more=0)  # each start is that of a new instance

    assert {(answer.status, answer.body) for answer in answers} == {(502, b'{"message": "Internal server error"}')}
    assert (message["route"], message["request_id"], message["exception"]) == ("start", None, exception)
    assert [line for line in message["traceback"] if line.startswith(place)] != []


def test_a_start_without_its_environment(account: Account, dev: Texting, mailbox: Mailbox):
    answers = []
    account.functions.discard(dev.stage.arn)
    with dev.policy(lambda before: [each for each in before if each["Sid"] != "RemoteEnvironment"]):
        message = the_only_one(mailbox, lambda: answers.append(dev.stage.curl("/daily")), more=0)

    assert {answer.status for answer in answers} == {502}
    assert (message["route"], message["exception"].partition(":")[0]) == ("start", "quotes.errors.StateUnavailable")


def test_what_is_unknown_stays_unknown_without_the_setting(account: Account, dev: Texting, mailbox: Mailbox):
    dev.stage.set_environment(QUOTES_OTP_SECRET=SECRET)

    answer = dev.stage.curl("/async-failure")
    account.functions.join()

    assert (answer.status, answer.json) == (404, problem(404, "There is nothing at this path."))
    assert mailbox.messages() == []


def test_every_line_of_ours_is_json_with_the_invocation_and_its_trace(account: Account, dev: Texting):
    dev.stage.curl(f"/daily?mobile={MOBILE}", "--header", "X-Mine: abcdef")
    dev.stage.curl("/daily")

    decided, first, second = (json.loads(line) for line in dev.lines('"logger": "quotes.'))
    ids = [each.request_id for each in dev.invocations()]
    assert [first["request_id"], second["request_id"]] == ids
    assert decided["logger"] == "quotes.daily"
    assert [(line["route"], line["status"], line["whence"]) for line in (first, second)] == [
        ("/daily", 200, "corpus"),
        ("/daily", 200, "memory"),
    ]
    assert first["trace_id"] == f"1-00000000-{ids[0].replace('-', '')[:24]}"
    assert [word for word in FORBIDDEN if word in "\n".join(dev.lines(""))] == []
