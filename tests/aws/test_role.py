"""The role may do what the function does, and nothing else: compared with the calls that were really made."""

import json

import pytest

from tests.aws.account import Account
from tests.aws.stages import Stage

pytest_plugins = ("tests.aws.stages",)

# Granted for what AWS itself does with the role, which no call of the function's shows.
NOT_CALLED = {
    "lambda:InvokeFunction",  # API Gateway
    "logs:CreateLogGroup",  # Lambda
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "s3:ListBucket",  # S3, to tell a missing object from a forbidden one
    "xray:PutTelemetryRecords",  # Lambda, where tracing is on
    "xray:PutTraceSegments",
}


def granted(account: Account, stage: Stage) -> set[tuple[str, str]]:
    """Return what the role's only policy grants: actions, each with its resource."""
    iam, role = account.client("iam"), f"quotes-{stage.name}-ZappaLambdaExecutionRole"
    assert iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"] == []
    (name,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    found = set()
    for statement in iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]["Statement"]:
        assert statement["Effect"] == "Allow"
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        found |= {(action, statement["Resource"]) for action in actions}
    return found


def test_no_action_and_no_resource_is_a_wildcard(account: Account, stage: Stage):
    for action, resource in granted(account, stage):
        assert "*" not in action
        assert resource != "*" or action.startswith("xray:")  # which knows no resources


def test_what_is_granted_is_what_is_called(account: Account, new_stage: Stage):
    before = len(account.calls_of(f"quotes-{new_stage.name}"))
    for path in ("/daily", "/daily?date=2020-02-29", "/quote?type=random", "/health", "/no/such/path"):
        new_stage.curl(path)
    account.fire(f"quotes-{new_stage.name}-quotes.schedulers.set_quote_of_the_day")
    account.functions.join()
    new_stage.account.functions.discard(new_stage.arn)
    new_stage.curl("/daily")

    calls = account.calls_of(f"quotes-{new_stage.name}")[before:]

    called = {(call.action, call.resource) for call in calls}
    grants = granted(account, new_stage)
    assert {grant for grant in grants if grant[0] not in NOT_CALLED} == called
    assert {action for action, _ in grants} >= NOT_CALLED


@pytest.mark.parametrize("missing", ["s3:PutObject", "s3:GetObject"])
def test_without_a_grant_the_function_is_refused(account: Account, new_stage: Stage, missing: str):
    iam, role = account.client("iam"), f"quotes-{new_stage.name}-ZappaLambdaExecutionRole"
    (name,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    policy = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
    narrowed = json.loads(json.dumps(policy).replace(missing, "s3:GetBucketTagging"))
    iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(narrowed))
    try:
        answer = new_stage.curl("/daily")
    finally:
        iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(policy))

    assert (answer.status, answer.headers["cache-control"]) == (200, "no-store")
    assert [line for line in account.logs(f"quotes-{new_stage.name}") if "S3 refuses: AccessDenied" in line]
