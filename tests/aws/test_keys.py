"""A stage that asks for API keys: closed without one, open with one, and each key made and taken away by a command."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.aws.account import Account
from tests.aws.closed import answers, commands, deployed, invocations, refusals
from tests.aws.stages import Stage, run

pytest_plugins = ("tests.aws.stages",)

FORBIDDEN = refusals(403, '{"message": "Forbidden"}')
PLAN = "usage plan quotes-dev-key: each key 10 requests a second, 20 at once, 10000 a day"


@pytest.fixture(scope="module")
def told(account: Account, project: Path) -> Iterator[tuple[Stage, str]]:
    with deployed(account, project, "dev_key") as told:
        yield told


@pytest.fixture
def stage(told: tuple[Stage, str]) -> Stage:
    return told[0]


def make(stage: Stage, command: str) -> list[str]:
    """Run a command of the deployer's; return the lines that it says."""
    return run(stage.account, stage.project, f"make --silent {command}").splitlines()


def of(value: str) -> tuple[str, str]:
    """Return the options of curl with which a request bears a key."""
    return "--header", f"x-api-key: {value}"


def test_deploying_looks_from_inside_and_from_outside(told: tuple[Stage, str]):
    stage, said = told
    looked = [line.split("  ")[1:] for line in said.splitlines() if line.startswith("ok  ")]

    assert [url.removeprefix(stage.url) for url, _ in looked] == [
        "/health",
        "/quote?type=daily",
        "/quote?type=random",
        "/health",
    ]
    assert looked[-1][1] == "403 without a credential"


def test_without_a_key_everything_is_refused_and_the_function_sees_nothing(account: Account, stage: Stage):
    before, gateway = invocations(stage), account.client("apigateway")
    zappas = next(key for key in gateway.get_api_keys(includeValues=True)["items"] if key["name"].startswith("dev_key"))

    assert answers(stage) == FORBIDDEN
    for value in ("", "x", zappas["value"]):  # Zappa's key is bound to no plan
        assert stage.curl("/daily", *of(value)).body == b'{"message": "Forbidden"}'
    assert invocations(stage) == before


def test_a_key_is_made_listed_and_taken_away_by_a_command_each(stage: Stage):
    done = {"make key STAGE=dev_key NAME=alice", "make keys STAGE=dev_key", "make revoke STAGE=dev_key NAME=alice"}
    assert commands("make (?:key|keys|revoke) ") == done

    *said, value = make(stage, "key STAGE=dev_key NAME=alice")
    assert said == [
        PLAN,
        "key alice: created; it works within a minute, as the header x-api-key, and is not shown again:",
    ]
    assert stage.curl("/daily", *of(value)).status == 200
    assert stage.curl("/no/such/path", *of(value)).status == 404

    (again,) = make(stage, "key STAGE=dev_key NAME=alice")[1:]
    assert again.startswith("key alice: exists, and is not shown again")
    listed = make(stage, "keys STAGE=dev_key")
    assert [re.sub(r"created [\d-]{10}$", "created", line) for line in listed] == [
        PLAN,
        "alice  created",
        "smoke  created",
    ]
    assert value not in "".join([again, *listed])

    assert make(stage, "revoke STAGE=dev_key NAME=alice") == ["key alice: deleted"]
    before = invocations(stage)
    assert answers(stage, *of(value)) == FORBIDDEN
    assert invocations(stage) == before


def test_a_key_is_one_persons_and_keeps_nobody_else_out(stage: Stage):
    one, other = (make(stage, f"key STAGE=dev_key NAME={name}")[-1] for name in ("one", "other"))

    make(stage, "revoke STAGE=dev_key NAME=one")

    assert [stage.curl("/daily", *of(value)).status for value in (one, other)] == [403, 200]


def test_a_key_that_an_interrupted_command_left_is_made_anew(account: Account, stage: Stage):
    gateway = account.client("apigateway")
    left = gateway.create_api_key(name="quotes-dev-key:bob", enabled=True)["value"]
    assert re.search(
        r"^bob  created [\d-]{10}, not accepted$", "\n".join(make(stage, "keys STAGE=dev_key")), re.MULTILINE
    )

    value = make(stage, "key STAGE=dev_key NAME=bob")[-1]

    assert value != left
    assert [stage.curl("/daily", *of(each)).status for each in (left, value)] == [403, 200]


def test_the_plan_becomes_again_what_the_settings_say(account: Account, stage: Stage):
    gateway = account.client("apigateway")
    (plan,) = gateway.get_usage_plans()["items"]
    changes = {"/throttle/rateLimit": "1", "/throttle/burstLimit": "1", "/quota/limit": "1"}
    patches = [{"op": "replace", "path": path, "value": value} for path, value in changes.items()]
    gateway.update_usage_plan(usagePlanId=plan["id"], patchOperations=patches)
    place = {"op": "remove", "path": "/apiStages", "value": f"{plan['apiStages'][0]['apiId']}:dev_key"}
    gateway.update_usage_plan(usagePlanId=plan["id"], patchOperations=[place])

    assert make(stage, "key STAGE=dev_key NAME=carol")[0] == PLAN

    (found,) = gateway.get_usage_plans()["items"]
    assert (found["throttle"], found["quota"]) == (
        {"rateLimit": 10, "burstLimit": 20},
        {"limit": 10000, "period": "DAY"},
    )
    assert found["apiStages"] == plan["apiStages"]


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (
            "key STAGE=dev_key",
            "key: Whose key? `make key STAGE=dev_key NAME=alice`; a name may have letters, digits and . @ _ -",
        ),
        ("key STAGE=dev_key NAME='al ice'", "key: Whose key? "),
        ("key STAGE=dev NAME=alice", "key: The stage dev requires no key: `api_key_required` is not set."),
        ("keys STAGE=dev", "keys: The stage dev requires no key: `api_key_required` is not set."),
        (
            "revoke STAGE=dev_key NAME=nobody",
            "revoke: There is no key of that name; `make keys STAGE=dev_key` lists them.",
        ),
    ],
)
def test_what_cannot_be_done_is_said(stage: Stage, command: str, why: str):
    ended = stage.account.run(stage.project, "bash", "-c", f"make --silent {command}")

    assert ended.returncode != 0
    assert ended.stdout.startswith(why)
    assert "Traceback" not in ended.stdout
