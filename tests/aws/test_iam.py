"""A stage that wants signed requests: closed to who does not sign, and to who signs but may not."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.aws.account import Account
from tests.aws.closed import answers, commands, deployed, invocations, refusals
from tests.aws.stages import Stage

pytest_plugins = ("tests.aws.stages",)

EXAMPLE = ".venv/bin/python examples/signed_request.py"
UNSIGNED = refusals(403, '{"message": "Missing Authentication Token"}')


@pytest.fixture(scope="module")
def told(account: Account, project: Path) -> Iterator[tuple[Stage, str]]:
    with deployed(account, project, "dev_iam") as told:
        yield told


@pytest.fixture
def stage(told: tuple[Stage, str]) -> Stage:
    return told[0]


@pytest.fixture
def key(account: Account, stage: Stage) -> Iterator[dict[str, str]]:
    """Return the key of a user who may read the quote of the day, and nothing else."""
    iam, name = account.client("iam"), "reader"
    iam.create_user(UserName=name)
    api = stage.url.removeprefix("https://").partition(".")[0]
    place = f"arn:aws:execute-api:us-east-1:123456789012:{api}/dev_iam/GET/daily"
    statement = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": place}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=document)
    made = iam.create_access_key(UserName=name)["AccessKey"]
    yield {"AWS_ACCESS_KEY_ID": made["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": made["SecretAccessKey"]}
    iam.delete_access_key(UserName=name, AccessKeyId=made["AccessKeyId"])
    iam.delete_user_policy(UserName=name, PolicyName="own")
    iam.delete_user(UserName=name)


def signed(stage: Stage, path: str, **environ: str) -> tuple[int, str]:
    """Ask by the README's example; return status and body."""
    ended = stage.account.run(stage.project, *EXAMPLE.split(), f"{stage.url}{path}", **environ)
    assert ended.returncode == 0, ended.stdout
    status, _, body = ended.stdout.rstrip("\n").partition(" ")
    return int(status), body


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


def test_unsigned_everything_is_refused_and_the_function_sees_nothing(stage: Stage):
    before = invocations(stage)

    assert answers(stage) == UNSIGNED
    assert answers(stage, "--header", "x-api-key: x") == UNSIGNED
    assert invocations(stage) == before


def test_the_example_signs_for_who_has_credentials(stage: Stage):
    assert commands(EXAMPLE) == {f"{EXAMPLE} https://<id>.execute-api.us-east-1.amazonaws.com/dev_iam/daily"}

    status, body = signed(stage, "/daily")
    assert (status, json.loads(body)["date"]) == (200, time.strftime("%Y-%m-%d", time.gmtime()))
    assert signed(stage, "/quote?type=random&author=jane%20austen&count=2")[0] == 200
    assert signed(stage, "/no/such/path")[0] == 404


def test_a_user_may_call_what_his_policy_names(stage: Stage, key: dict[str, str]):
    assert signed(stage, "/daily", **key)[0] == 200
    before = invocations(stage)

    status, body = signed(stage, "/health", **key)

    assert (status, json.loads(body)["Message"].partition(" on ")[0]) == (
        403,
        "User: arn:aws:iam::123456789012:user/reader is not authorized to perform: execute-api:Invoke",
    )
    assert invocations(stage) == before


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            {"AWS_SECRET_ACCESS_KEY": "another"},
            "The request signature we calculated does not match the signature you provided.",
        ),
        ({"AWS_ACCESS_KEY_ID": "NOBODY"}, "The security token included in the request is invalid."),
        ({"AWS_SESSION_TOKEN": "another"}, "The security token included in the request is invalid."),
    ],
)
def test_a_wrong_signature_is_refused(stage: Stage, wrong: dict[str, str], message: str):
    before = invocations(stage)

    assert signed(stage, "/daily", **wrong) == (403, json.dumps({"message": message}))
    assert invocations(stage) == before
