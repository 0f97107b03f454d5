"""The role may do what the function does, and nothing else: compared with the calls that were really made."""

import json

import pytest

from tests.aws.account import Account
from tests.aws.permissions import allows
from tests.aws.stages import Stage
from tests.aws.texting import SECRET, emptied, statements

pytest_plugins = ("tests.aws.stages", "tests.aws.texting")

# Granted for what AWS itself does with the role, which no call of the function's shows.
NOT_CALLED = {
    "logs:CreateLogGroup",  # Lambda
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "s3:ListBucket",  # S3, to tell a missing object from a forbidden one
    "xray:PutTelemetryRecords",  # Lambda, where tracing is on
    "xray:PutTraceSegments",
}
# What knows no resources, or none that has an ARN (AWS, "Service Authorization Reference").
WITHOUT_RESOURCE = {
    "sns:CheckIfPhoneNumberIsOptedOut",
    "sns:Unsubscribe",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
}
MOBILES = ("919028012345", "919028012346")


@pytest.fixture(params=["dev", "zappas", "queued"])
def stage(deployed: dict[str, Stage], queued: Stage, request: pytest.FixtureRequest) -> Stage:
    """Return each stage in turn, the one whose tasks go through SNS among them."""
    return (deployed | {"queued": queued})[request.param]


def granted(account: Account, stage: Stage) -> set[tuple[str, str, str]]:
    """Return what the role's only policy grants: statement, action, and on what."""
    found = set()
    for statement in statements(account, stage):
        assert statement["Effect"] == "Allow"
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        resource = statement.get("Resource") or f"not {statement['NotResource']}"
        found |= {(statement["Sid"], action, resource) for action in actions}
    return found


def test_no_action_and_no_resource_is_a_wildcard(account: Account, stage: Stage):
    for _, action, resource in granted(account, stage):
        assert "*" not in action
        if resource.startswith("not "):  # a number has no ARN, and everything else that can be published to has one
            assert (action, resource) == ("sns:Publish", "not arn:aws:sns:*:*:*")
        else:
            assert ("*" in resource.removesuffix(":*")) is (action in WITHOUT_RESOURCE)  # `:*` are a log's streams


def test_what_is_granted_is_what_is_called(account: Account, new_stage: Stage):
    function = f"quotes-{new_stage.name}"
    new_stage.set_environment(QUOTES_OTP_SECRET=SECRET, QUOTES_DIAGNOSTICS="1")
    texting = emptied(new_stage)
    before = len(account.calls_of(function))
    for path in ("/daily", "/daily?date=2020-02-29", "/quote?type=random", "/health", "/no/such/path"):
        new_stage.curl(path)
    texting.fire("set_quote_of_the_day")
    for purpose, mobile in (("subscribe", MOBILES[0]), ("unsubscribe", MOBILES[0]), ("unsubscribe", MOBILES[1])):
        texting.ask(purpose, mobile)
        texting.confirm(purpose, mobile)
    texting.fire("publish_quote_of_the_day")
    new_stage.curl("/async-failure")
    account.functions.join()
    account.functions.discard(new_stage.arn)
    new_stage.curl("/daily")

    calls = account.calls_of(function)[before:]

    document = statements(account, new_stage)
    called = {
        (statement["Sid"], call.action)
        for call in calls
        for statement in document
        if allows([{"Statement": [statement]}], call.action, call.resource)
    }
    grants = {(sid, action) for sid, action, _ in granted(account, new_stage)}
    # The gateway invokes with the role as well; where tasks go through SNS, nobody else does.
    queues = (
        {("TheGatewayAndTasksInvokeWithThisRole", "lambda:InvokeFunction")} if new_stage.name == "queued" else set()
    )
    assert {grant for grant in grants if grant[1] not in NOT_CALLED} - queues == called
    assert {action for _, action in grants} >= NOT_CALLED
    refused = {call.action for call in calls if not allows([{"Statement": document}], call.action, call.resource)}
    assert refused <= {"sts:GetCallerIdentity"}  # which needs no permission
    assert ("TasksThroughSns" in {sid for sid, _ in called}) is (new_stage.name == "queued")


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

    # Without its remote environment our handler does not start, for the state's address may be in it; Zappa's does.
    is_started = missing == "s3:PutObject" or new_stage.name == "zappas"
    expected = (200, "no-store") if is_started else (502, None)
    assert (answer.status, answer.headers.get("cache-control")) == expected
    assert [line for line in account.logs(f"quotes-{new_stage.name}") if "S3 refuses: AccessDenied" in line]
