"""A deployed stage that sends texts, and what its tests check: phones, topic, log and state.

Modules that use the fixtures name this one and tests.aws.stages in `pytest_plugins`: PYTEST_DONT_REWRITE.
"""

import contextlib
import copy
import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from moto.sns.models import Subscription, sns_backends

from tests.aws.account import Account
from tests.aws.stages import BUCKET, Answer, Stage, run

SECRET = "tests-have-no-secrets-but-need-32-characters"
TOPIC = "DailyQuoteSubscription"
INSTANCES = 5
DONE = {
    "subscribe": "Congratulations!!! You have successfully subscribed for daily famous quote.",
    "unsubscribe": "You have successfully unsubscribed from daily famous quote. See you again.",
}


class Invocation(NamedTuple):
    """What an instance logged for one event."""

    instance: str
    request_id: str
    lines: list[str]


class Texting:
    """A stage that has sent nothing yet.

    Attributes:
        stage: The stage.
        account: Its account.
    """

    def __init__(self, stage: Stage) -> None:
        self.stage, self.account = stage, stage.account
        self._logged = len(self._events())
        self.account.phones.received.clear()

    def ask(self, purpose: str, mobile: str, *options: str) -> Answer:
        """Request a code, and wait until it has arrived."""
        answer = self.stage.curl(f"/{purpose}?mobile={mobile}", *options)
        self.account.functions.join()
        return answer

    def confirm(self, purpose: str, mobile: str) -> Answer:
        """Confirm with the latest code, and wait until the topic has changed."""
        answer = self.stage.curl(f"/{purpose}?mobile={mobile}&otp={self.code(mobile)}")
        self.account.functions.join()
        return answer

    def code(self, mobile: str) -> str:
        """Return the latest code on the phone."""
        return self.account.phones.of(f"+{mobile}")[-1].text[:6]

    def subscribers(self) -> list[str]:
        """Return the numbers that are subscribed on SNS."""
        subscriptions = sns_backends[self.account.number][self.account.region].subscriptions
        return [each.endpoint for each in subscriptions.values() if each.topic.name == TOPIC]

    def subscribe_directly(self, numbers: list[str]) -> list[str]:
        """Subscribe numbers on SNS; return the subscriptions' ARNs."""
        backend = sns_backends[self.account.number][self.account.region]
        topic = backend.create_topic(TOPIC)
        made = [Subscription(self.account.number, topic, number, "sms") for number in numbers]
        backend.subscriptions.update((each.arn, each) for each in made)
        return [each.arn for each in made]

    def invocations(self) -> list[Invocation]:
        """Return what has been logged since, by event."""
        found: dict[tuple[str, str], list[str]] = {}
        request_ids: dict[str, str] = {}
        for event in self._events()[self._logged :]:
            instance, line = event["logStreamName"], event["message"]
            if line.startswith("START RequestId: "):
                request_ids[instance] = line.split()[2]
            found.setdefault((instance, request_ids[instance]), []).append(line)
        return [Invocation(*key, lines) for key, lines in found.items()]

    def invocation(self, *texts: str) -> Invocation:
        """Return the one invocation with a line that contains all the given texts."""
        (found,) = (
            each for each in self.invocations() if any(all(text in line for text in texts) for line in each.lines)
        )
        return found

    def lines(self, text: str) -> list[str]:
        """Return the new lines that contain a text."""
        return [line for each in self.invocations() for line in each.lines if text in line]

    @property
    def variables(self) -> dict[str, str]:
        """Return the function's variables."""
        return dict(self.account.functions.named(self.stage.arn).environment_vars)

    @contextlib.contextmanager
    def configured(self, **variables: str) -> Iterator[None]:
        """Replace the function's variables within a block."""
        function, before = self.account.client("lambda"), self.variables
        name = f"quotes-{self.stage.name}"
        function.update_function_configuration(FunctionName=name, Environment={"Variables": variables})
        try:
            yield
        finally:
            function.update_function_configuration(FunctionName=name, Environment={"Variables": before})

    @contextlib.contextmanager
    def policy(self, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> Iterator[None]:
        """Replace the statements of the role's policy within a block."""
        iam, role = self.account.client("iam"), f"quotes-{self.stage.name}-ZappaLambdaExecutionRole"
        before = self.statements()
        (name,) = iam.list_role_policies(RoleName=role)["PolicyNames"]

        def put(statements: list[dict[str, Any]]) -> None:
            document = json.dumps({"Version": "2012-10-17", "Statement": statements})
            iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=document)

        put(change(copy.deepcopy(before)))
        try:
            yield
        finally:
            put(before)

    def statements(self) -> list[dict[str, Any]]:
        """Return the statements of the role's only policy."""
        return statements(self.account, self.stage)

    @contextlib.contextmanager
    def second_function(self, name: str, region: str) -> Iterator[None]:
        """Create another function from the same package, with its own role, within a block."""
        iam, functions = self.account.client("iam"), self.account.client("lambda", region)
        role = iam.create_role(RoleName="second", AssumeRolePolicyDocument=json.dumps({"Statement": []}))["Role"]
        logs = {"Effect": "Allow", "Action": "logs:PutLogEvents", "Resource": f"arn:aws:logs:{region}:*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [*self.statements(), logs]})
        iam.put_role_policy(RoleName="second", PolicyName="own", PolicyDocument=document)
        first = self.account.functions.named(self.stage.arn)
        functions.create_function(
            FunctionName=name,
            Runtime="python3.11",
            Handler=first.handler,
            Role=role["Arn"],
            Code={"ZipFile": first.code_bytes},
            Timeout=30,
            Environment={"Variables": self.variables},
        )
        try:
            yield
        finally:
            functions.delete_function(FunctionName=name)
            iam.delete_role_policy(RoleName="second", PolicyName="own")
            iam.delete_role(RoleName="second")
            self.account.client("logs", region).delete_log_group(logGroupName=f"/aws/lambda/{name}")

    def lines_of(self, function: str, region: str) -> list[str]:
        """Return another function's log."""
        events = self.account.client("logs", region).filter_log_events(logGroupName=f"/aws/lambda/{function}")
        return [event["message"] for event in events["events"]]

    @contextlib.contextmanager
    def state(self) -> Iterator[sqlite3.Connection]:
        """Yield the state, opened; write changes back at the end."""
        s3 = self.account.client("s3")
        body = s3.get_object(**self.stage.state)["Body"].read()
        with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
            db.deserialize(body)
            yield db
            if db.total_changes:
                s3.put_object(**self.stage.state, Body=db.serialize())

    def fire(self, job: str, times: int = 1) -> None:
        """Trigger a scheduled job, and wait until it has ended."""
        self.account.fire(f"quotes-{self.stage.name}-quotes.schedulers.{job}", times)
        self.account.functions.join()

    def _events(self) -> list[dict[str, Any]]:
        logs, group = self.account.client("logs"), f"/aws/lambda/quotes-{self.stage.name}"
        try:
            pages = list(logs.get_paginator("filter_log_events").paginate(logGroupName=group))
        except logs.exceptions.ResourceNotFoundException:
            return []
        return [event for page in pages for event in page["events"]]


def emptied(stage: Stage) -> Texting:
    """Return a stage with an empty state and without a topic."""
    stage.forget()
    sns = stage.account.client("sns")
    sns.delete_topic(TopicArn=topic_arn(stage.account))
    return Texting(stage)


def topic_arn(account: Account) -> str:
    """Return the topic's ARN."""
    return f"arn:aws:sns:{account.region}:{account.number}:{TOPIC}"


def statements(account: Account, stage: Stage) -> list[dict[str, Any]]:
    """Return the statements of the only policy of a stage's role."""
    iam, role = account.client("iam"), f"quotes-{stage.name}-ZappaLambdaExecutionRole"
    assert iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"] == []
    (name,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    found: list[dict[str, Any]] = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]["Statement"]
    return found


def set_up(stage: Stage) -> None:
    """Give a stage only the settings that `make setup` generates."""
    stage.account.client("s3").delete_object(Bucket=BUCKET, Key=f"{stage.name}/environment.json")
    said = run(stage.account, stage.project, f"make setup STAGE={stage.name}")
    assert f"s3://{BUCKET}/{stage.name}/environment.json: QUOTES_OTP_SECRET, generated" in said


def secret(stage: Stage) -> str:
    """Return a stage's `QUOTES_OTP_SECRET`."""
    stored = stage.account.client("s3").get_object(Bucket=BUCKET, Key=f"{stage.name}/environment.json")
    return str(json.loads(stored["Body"].read())["QUOTES_OTP_SECRET"])


@pytest.fixture
def nothing_is_told(account: Account) -> Iterator[None]:
    """Check that no log of the account contains a number or a code that arrived on the phones."""
    yield
    texts = account.phones.received
    logs = account.client("logs")
    groups = [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]]
    everything = "\n".join(line for group in groups for line in account.logs(group.removeprefix("/aws/lambda/")))
    numbers = {text.number[1:] for text in texts}
    assert not numbers & set(re.findall(r"\d{8,}", everything))
    assert not {number[2:] for number in numbers} & set(re.findall(r"\d{8,}", everything))
    codes = {text.text[:6] for text in texts if re.match(r"[0-9]{6} is your OTP", text.text)}
    assert not {code for code in codes if re.search(rf"(?<![\w.-]){code}(?![\w-])", everything)}
    account.client("sns").delete_topic(TopicArn=topic_arn(account))
    account.phones.received.clear()


@pytest.fixture
def dev(deployed: dict[str, Stage]) -> Texting:
    """Return the stage `dev`, with a key for codes and an empty state."""
    deployed["dev"].set_environment(QUOTES_OTP_SECRET=SECRET)
    return emptied(deployed["dev"])


@pytest.fixture(scope="session")
def queued(account: Account, project: Any, deployed: dict[str, Stage]) -> Iterator[Stage]:
    """Return a stage whose tasks go through SNS."""
    file = project / "zappa_settings.json"
    settings = json.loads(file.read_text())
    dev = settings["dev"]
    settings["queued"] = {
        "extends": "dev",
        "remote_env": dev["remote_env"].replace("/dev/", "/queued/"),
        "aws_environment_variables": {
            "DATABASE_URL": dev["aws_environment_variables"]["DATABASE_URL"].replace("/dev/", "/queued/"),
            "QUOTES_TASK_SERVICE": "sns",
        },
        "async_source": "sns",
        "async_resources": True,
    }
    file.write_text(json.dumps(settings))
    run(account, project, "make setup STAGE=queued")
    said = run(account, project, "make deploy STAGE=queued")
    url = next(word for line in said.splitlines() for word in line.split() if word.endswith("/health"))
    stage = Stage(account, project, "queued", url.removesuffix("/health"))
    yield stage
    # Zappa looks for its topic only among the account's first hundred subscriptions, in any order.
    Texting(stage).subscribe_directly([f"+9190281{number:05}" for number in range(150)])
    subscriptions = sns_backends[account.number][account.region].subscriptions
    for arn in [arn for arn in subscriptions if "quotes-queued" in arn]:
        subscriptions.move_to_end(arn)
    said = run(account, project, "echo y | make undeploy STAGE=queued")
    assert f"topic {topic_arn(account)}: stays, with the subscribed numbers" in said
    account.client("sns").delete_topic(TopicArn=topic_arn(account))
    assert [each for each in account.left_behind() if each.startswith("sns") and "quotes-queued" in each] == []
