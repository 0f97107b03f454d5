"""An event that the function cannot handle is tried three times, kept, shown, and handled once that is possible."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.aws.account import Account
from tests.aws.calls import Call
from tests.aws.closed import commands, deployed, invocations
from tests.aws.endpoint import Answer, refused
from tests.aws.stages import Stage, run

pytest_plugins = ("tests.aws.stages",)

NAME = "quotes-letters-dead-letters"
TOPIC = f"arn:aws:sns:us-east-1:123456789012:{NAME}"
MIDNIGHT, AT_TWO, TASK = (
    "quotes.schedulers.set_quote_of_the_day",
    "quotes.schedulers.publish_quote_of_the_day",
    "quotes.tasks.async_publish",
)


@pytest.fixture(scope="module")
def stage(account: Account, project: Path) -> Iterator[Stage]:
    """Return a stage that is like `dev`, and keeps dead letters."""
    settings = project / "zappa_settings.json"
    stages = json.loads(settings.read_text())
    stages["letters"] = {
        "extends": "dev",
        "remote_env": stages["dev"]["remote_env"].replace("/dev/", "/letters/"),
        "aws_environment_variables": {
            "DATABASE_URL": stages["dev"]["aws_environment_variables"]["DATABASE_URL"].replace("/dev/", "/letters/"),
            "QUOTES_SMS_TOPIC": "DailyQuoteSubscription-letters",
        },
        "dead_letter_arn": TOPIC,
    }
    settings.write_text(json.dumps(stages))
    with deployed(account, project, "letters") as (stage, _):
        yield stage


@pytest.fixture(autouse=True)
def _no_letters_of_others(account: Account, stage: Stage) -> Iterator[None]:
    """Leave no letter in the queue."""
    yield
    sqs = account.client("sqs")
    url = sqs.get_queue_url(QueueName=NAME)["QueueUrl"]
    while found := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for letter in found:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=letter["ReceiptHandle"])


@pytest.fixture
def dead(account: Account, stage: Stage) -> list[str]:
    """Let both jobs and a task fail; return what was to be done."""
    account.client("s3").put_object(**stage.state, Body=b"no database")
    account.functions.discard(stage.arn)
    before = invocations(stage)
    for job in (MIDNIGHT, AT_TWO):
        account.fire(f"quotes-letters-{job}")
        account.functions.join()
    stage.forget()
    with account.interference(_without_subscribers):
        account.fire(f"quotes-letters-{AT_TWO}")
        account.functions.join()
    assert invocations(stage) - before == 3 + 3 + 1 + 3
    return [MIDNIGHT, AT_TWO, TASK]


def _without_subscribers(call: Call, answer: Callable[[], Answer]) -> Answer:
    return refused() if call.service == "sns" and "DailyQuote" in call.resource else answer()


def make(stage: Stage, command: str) -> list[str]:
    """Run a command of the deployer's; return the lines that it says."""
    return run(stage.account, stage.project, f"make --silent {command} STAGE={stage.name}").splitlines()


def told(lines: list[str]) -> list[str]:
    """Return what each line says was to be done."""
    found = (
        re.fullmatch(r"(?:again: )?\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ  request [\da-f-]{36}  (.+)", each) for each in lines
    )
    return [each[1] if each else "?" for each in found]


def letters(account: Account) -> int:
    sqs = account.client("sqs")
    url = sqs.get_queue_url(QueueName=NAME)["QueueUrl"]
    found: dict[str, Any] = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    return int(found["Attributes"]["ApproximateNumberOfMessages"])


def test_what_fails_is_kept_shown_and_done_again(account: Account, stage: Stage, dead: list[str]):
    assert commands("make (?:dead-letters|retry) ") == {
        "make dead-letters STAGE=production",
        "make retry STAGE=production",
    }
    record = stage.account.client("s3")
    *lines, count = make(stage, "dead-letters")
    assert (told(lines), count) == (dead, "3 dead letters")
    assert make(stage, "dead-letters") == [*lines, count]  # looking takes nothing

    before = invocations(stage)
    *again, last = make(stage, "retry")
    assert (told(again), last) == (dead, "no more dead letters; what fails again comes back after some minutes")
    assert invocations(stage) - before >= 3
    assert make(stage, "dead-letters") == ["no dead letters"]
    assert b"SQLite format 3" in record.get_object(**stage.state)["Body"].read()
    assert stage.curl("/health").json["today"] is True


def test_what_fails_again_comes_back(account: Account, stage: Stage):
    arn = stage.arn
    account.functions.send(arn, json.dumps({"command": "quotes.no_such.function", "secret": "hidden"}).encode())
    account.functions.join()

    assert told(make(stage, "dead-letters")[:-1]) == ["quotes.no_such.function"]
    said = make(stage, "retry")
    account.functions.join()

    assert told(said[:-1]) == ["quotes.no_such.function"]
    assert "hidden" not in "".join(said)
    assert letters(account) == 1


def test_what_lambda_does_not_take_stays(account: Account, stage: Stage):
    account.client("sns").publish(TopicArn=TOPIC, Message='{"command": "quotes.one"}')
    account.client("sns").publish(TopicArn=TOPIC, Message="no event of Lambda's")

    def busy(call: Call, answer: Callable[[], Answer]) -> Answer:
        if call.action != "lambda:InvokeFunction":
            return answer()
        body = b'{"Message": "Rate exceeded"}'
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        return "400 Bad Request", [*headers, ("x-amzn-ErrorType", "InvalidParameterValueException")], body

    with account.interference(busy):
        ended = account.run(stage.project, "make", "--silent", "retry", "STAGE=letters")

    assert ended.returncode != 0
    assert ended.stdout.startswith("retry: AWS: An error occurred (InvalidParameterValueException)")
    *lines, count = make(stage, "dead-letters")
    assert [line.rpartition("  ")[2] for line in lines] == ["quotes.one", "an event of another kind"]
    assert count == "2 dead letters"


@pytest.mark.parametrize("command", ["dead-letters", "retry"])
def test_a_stage_without_dead_letters_says_so(stage: Stage, command: str):
    ended = stage.account.run(stage.project, "make", "--silent", command, "STAGE=dev")

    assert ended.returncode != 0
    assert ended.stdout.startswith(
        f"{command}: The stage dev keeps no dead letters: its `dead_letter_arn` names no topic."
    )


def test_only_the_topic_may_put_letters_into_the_queue(account: Account, stage: Stage):
    sns, other = account.client("sns"), account.client("sns").create_topic(Name="another")["TopicArn"]
    sns.subscribe(TopicArn=other, Protocol="sqs", Endpoint=TOPIC.replace(":sns:", ":sqs:"))

    sns.publish(TopicArn=other, Message="{}")
    found = letters(account)
    sns.delete_topic(TopicArn=other)

    assert found == 0
