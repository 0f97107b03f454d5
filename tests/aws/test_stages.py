"""Stages that are not closed but otherwise special: traced by X-Ray, and inside a VPC. They deploy, and answer."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deploy.stage import SETTINGS
from tests.aws.account import Account
from tests.aws.closed import deployed
from tests.aws.stages import run

pytest_plugins = ("tests.aws.stages",)

GIVEN = json.loads(SETTINGS.read_text(encoding="utf-8"))
STAGES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "dev_trace": lambda found: found["TracingConfig"] == {"Mode": "Active"},
    "dev_vpc": lambda found: found["VpcConfig"].items() >= GIVEN["dev_vpc"]["vpc_config"].items(),
}


@pytest.mark.parametrize("name", STAGES)
def test_it_deploys_answers_and_is_what_its_settings_say(account: Account, project: Path, name: str):
    with deployed(account, project, name) as (stage, _):
        found = account.client("lambda").get_function_configuration(FunctionName=stage.function)
        answer = stage.curl("/daily")
        lines = account.logs(stage.function)

    assert STAGES[name](found)
    assert answer.status == 200
    told = [json.loads(line) for line in lines if line.startswith("{")][-1]
    assert (told["route"], told["trace_id"]) == ("/daily", f"1-00000000-{told['request_id'].replace('-', '')[:24]}")


def test_without_the_grant_it_is_not_deployed(account: Account, project: Path):
    policy = project / "deploy" / "policy.json"
    whole = policy.read_text()
    policy.write_text(whole.replace("ec2:CreateNetworkInterface", "ec2:DescribeVpcs"))
    try:
        run(account, project, "make setup STAGE=dev_vpc")
        ended = account.run(project, "make", "deploy", "STAGE=dev_vpc")
    finally:
        policy.write_text(whole)
        run(account, project, "echo y | make undeploy STAGE=dev_vpc")

    assert ended.returncode != 0
    assert "does not have permissions to call ec2:CreateNetworkInterface on *" in ended.stdout
