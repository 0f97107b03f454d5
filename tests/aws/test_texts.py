"""The quote of the day by text, on an account: what is published is done word for word, in tasks, on any instance."""

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from tests.aws.account import Account
from tests.aws.calls import Call
from tests.aws.endpoint import Answer as Reply
from tests.aws.endpoint import refused
from tests.aws.phones import Text
from tests.aws.stages import Stage, problem
from tests.aws.texting import DONE, INSTANCES, Texting, emptied, secret, set_up

pytest_plugins = ("tests.aws.stages", "tests.aws.texting")

pytestmark = pytest.mark.usefixtures("nothing_is_told")

Statement = dict[str, Any]

MOBILE, MASKED = "919028012345", "+91…45"
CODE = "{} is your OTP to {} the quote of the day by text. It is valid for 10 minutes. Not you? Ignore this."


@pytest.fixture(params=["dev", "zappas", "queued"])
def texting(deployed: dict[str, Stage], queued: Stage, request: pytest.FixtureRequest) -> Texting:
    """Return each stage in turn, as `make setup` and `make deploy` leave it: Zappa's handler, tasks through SNS."""
    stage = (deployed | {"queued": queued})[request.param]
    set_up(stage)
    return emptied(stage)


def test_the_published_lines_work_across_five_instances(account: Account, texting: Texting):
    stage = texting.stage
    account.functions.scale(stage.arn, INSTANCES)
    before = len(account.calls_of(f"quotes-{stage.name}"))
    codes, instances = [], set()
    for purpose, subscribed, end in (
        ("subscribe", [f"+{MOBILE}"], "is subscribed"),
        ("unsubscribe", [], "is not subscribed any more"),
    ):
        asked = texting.ask(purpose, MOBILE)
        codes.append(texting.code(MOBILE))
        confirmed = texting.confirm(purpose, MOBILE)

        url = f"{stage.url}/{purpose}?mobile={MOBILE}&otp=<OTP>"
        sent = f"An OTP verification has been sent on mobile +{MOBILE}. To confirm, use this URL with the OTP: {url}"
        assert (asked.status, asked.json) == (202, {"message": sent})
        assert (confirmed.status, confirmed.json) == (200, {"message": DONE[purpose]})
        assert asked.headers["cache-control"] == confirmed.headers["cache-control"] == "no-store"
        assert texting.subscribers() == subscribed
        # Two requests and two tasks, each an invocation of its own; who confirms a code is not who was asked for it.
        done = [
            texting.invocation(f"GET /{purpose}", " 202 "),
            texting.invocation(f"A code to {purpose} went to {MASKED}."),
            texting.invocation(f"GET /{purpose}", " 200 "),
            texting.invocation(f"{MASKED} {end}."),
        ]
        assert len({each.request_id for each in done}) == 4
        assert done[0].instance != done[2].instance
        instances |= {each.instance for each in done}

    texts = [CODE.format(code, aim) for code, aim in zip(codes, ("start", "stop"), strict=True)]
    assert account.phones.received == [Text(f"+{MOBILE}", text, "Transactional") for text in texts]
    assert len(instances) == INSTANCES
    calls = account.calls_of(f"quotes-{stage.name}")[before:]
    carried = [call.resource for call in calls if call.action in ("lambda:InvokeFunction", "sns:Publish")]
    queue = f"arn:aws:sns:us-east-1:{account.number}:quotes-queued-zappa-async"
    task = queue if stage.name == "queued" else stage.arn
    assert carried == [task, f"+{MOBILE}", task, task, f"+{MOBILE}", task]
    _is_in_the_bucket_alone(secret(stage), account, stage)


def _is_in_the_bucket_alone(key: str, account: Account, stage: Stage) -> None:
    function = account.functions.named(stage.arn)
    with zipfile.ZipFile(io.BytesIO(function.code_bytes)) as package:
        everything = b"".join(package.read(name) for name in package.namelist())
    assert len(key) == 64
    assert key.encode() not in everything
    assert key not in json.dumps(function.environment_vars)
    assert b"Subscribing needs QUOTES_OTP_SECRET" in everything


def test_a_form_and_json_do_the_same(account: Account, dev: Texting):
    form = dev.stage.curl("/subscribe", "--data", f"mobile={MOBILE}")
    account.functions.join()
    given = json.dumps({"mobile": "+91 90280 12345", "otp": dev.code(MOBILE)})
    confirmed = dev.stage.curl("/subscribe", "--header", "Content-Type: application/json", "--data", given)
    account.functions.join()

    assert (form.status, confirmed.status, confirmed.json) == (202, 200, {"message": DONE["subscribe"]})
    assert dev.subscribers() == [f"+{MOBILE}"]


def test_who_replied_stop_is_told_so(account: Account, dev: Texting):
    first, second = (dev.ask("subscribe", "919028012399") for _ in range(2))

    assert (first.status, second.status) == (202, 409)
    assert account.phones.received == []


def test_a_code_that_sns_refuses_is_sent_by_the_next_try(account: Account, dev: Texting):
    refusals = iter([True, False])

    def once(call: Call, answer: Any) -> Reply:
        return refused() if call.resource == f"+{MOBILE}" and next(refusals) else answer()

    with account.interference(once):
        dev.ask("subscribe", MOBILE)

    assert len(account.phones.received) == 1
    assert dev.confirm("subscribe", MOBILE).json == {"message": DONE["subscribe"]}
    assert dev.lines("SNS refuses publish: InternalFailure.") != []


def test_a_task_that_is_not_taken_is_told_and_does_not_count(account: Account, dev: Texting):
    def refusing(call: Call, answer: Any) -> Reply:
        return refused() if call.action == "lambda:InvokeFunction" else answer()

    with account.interference(refusing):
        answer = dev.ask("subscribe", MOBILE)

    assert answer.status == 503
    assert account.phones.received == []
    assert dev.ask("subscribe", MOBILE).status == 202
    assert len(account.phones.received) == 1


@pytest.mark.parametrize("without", ["shared state", "key"])
def test_no_code_is_sent_that_another_instance_cannot_check(account: Account, dev: Texting, without: str):
    what = {
        "shared state": "Subscribing needs state that all instances share; set DATABASE_URL=s3://bucket/key.db, or a "
        "server's URL.",
        "key": "Subscribing needs QUOTES_OTP_SECRET to be set: 32 characters or more that nobody knows.",
    }
    with dev.configured(**({} if without == "shared state" else dev.variables)):
        if without == "key":
            dev.stage.set_environment()
        answers = [dev.ask("subscribe", MOBILE), dev.stage.curl(f"/subscribe?mobile={MOBILE}&otp=123456")]

    expected = problem(503, what[without], "Not Set Up", "urn:problem-type:not-set-up")
    assert [(answer.status, answer.json) for answer in answers] == [(503, expected)] * 2
    assert account.phones.received == []


@pytest.mark.parametrize(
    ("sid", "told"),
    [
        ("WhatKnowsNoResources", "SNS refuses check_if_phone_number_is_opted_out: AuthorizationError."),
        ("CodesToNumbersAndNotToTopics", "SNS refuses publish: AuthorizationError."),
    ],
)
def test_without_a_grant_no_code_is_sent_and_the_log_says_why(account: Account, dev: Texting, sid: str, told: str):
    with dev.policy(lambda before: [statement for statement in before if statement["Sid"] != sid]):
        answer = dev.ask("subscribe", MOBILE)

    assert answer.status == 202
    assert account.phones.received == []
    assert len([line for line in dev.lines("[ERROR]") if told in line]) == 3  # once, and two repetitions
    assert MOBILE[2:] not in "\n".join(dev.lines(""))  # SNS's own words name it


def test_without_the_topic_who_confirmed_is_told_so_and_the_topic_follows_at_midnight(account: Account, dev: Texting):
    with dev.policy(lambda before: [statement for statement in before if statement["Sid"] != "TheDailyText"]):
        dev.ask("subscribe", MOBILE)
        answer = dev.confirm("subscribe", MOBILE)
        before = dev.subscribers()
    dev.fire("set_quote_of_the_day")

    assert answer.json == {"message": DONE["subscribe"]}
    assert (before, dev.subscribers()) == ([], [f"+{MOBILE}"])
    assert dev.lines("SNS refuses create_topic: AuthorizationError.") != []


def granting(function: str) -> Callable[[list[Statement]], list[Statement]]:
    """Return what adds to a policy that a function may be invoked."""
    return lambda before: [*before, {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": function}]


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1"])
def test_tasks_run_in_another_function_or_region(account: Account, dev: Texting, region: str):
    name = {"us-east-1": "quotes-tasks", "eu-central-1": "quotes-dev"}[region]
    own = {"us-east-1": {"QUOTES_TASK_FUNCTION": name}, "eu-central-1": {"QUOTES_TASK_REGION": region}}[region]
    there = f"arn:aws:lambda:{region}:{account.number}:function:{name}"
    with dev.second_function(name, region), dev.configured(**dev.variables, **own), dev.policy(granting(there)):
        asked, confirmed = dev.ask("subscribe", MOBILE), dev.confirm("subscribe", MOBILE)
        lines = dev.lines_of(name, region)

    assert (asked.status, confirmed.json) == (202, {"message": DONE["subscribe"]})
    assert dev.subscribers() == [f"+{MOBILE}"]
    ran = [json.loads(line)["message"] for line in lines if MASKED in line]
    assert ran == [f"A code to subscribe went to {MASKED}.", f"{MASKED} is subscribed."]
    assert not dev.lines("A code to subscribe")
