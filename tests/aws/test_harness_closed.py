"""The emulated API Gateway lets in whom AWS's would, and says to the others what AWS's says."""

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.aws.account import Account
from tests.aws.curled import Answer
from tests.aws.hand_made import ECHO, Api, HandMade
from tests.aws.roles import DEPLOYER

Asks = Callable[..., Answer]

# Answers a request with its event, and decides by the token, which is a policy, or a text to fail with.
BOTH = """
import json
def handler(event, context):
    if event.get("type") != "TOKEN":
        return {"statusCode": 200, "body": json.dumps(event)}
    print("asked", json.dumps(event, sort_keys=True))
    said = json.loads(event["authorizationToken"])
    if isinstance(said, str):
        raise Exception(said)
    return said
"""
EXPIRED = "20200229T120000Z"


def told(answer: Answer) -> tuple[int, Any, list[str]]:
    return answer.status, json.loads(answer.body), answer.header("x-amzn-errortype")


class Clock:
    """Be a time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0  # a Friday in January 2027, 08:00 UTC

    def __call__(self) -> float:
        return self.now


class Planned(NamedTuple):
    """Hold an API that asks for keys, a key that opens it, and the time by which requests are counted."""

    api: Api
    plan: str
    key: str
    clock: Clock


@pytest.fixture
def planned(account: Account, made: HandMade, monkeypatch: pytest.MonkeyPatch) -> Iterator[Planned]:
    closed = {"authorizationType": "NONE", "apiKeyRequired": True}
    api = made.api(made.function("counted", ECHO), "counted", closed=closed)
    gateway, clock = account.client("apigateway"), Clock()
    before = account.apis.keys.clock
    account.apis.keys.clock = clock
    own = {"apiId": api.id, "stage": "dev"}
    plan = gateway.create_usage_plan(
        name="small",
        apiStages=[own],
        throttle={"rateLimit": 2, "burstLimit": 3},
        quota={"limit": 5, "period": "DAY"},
    )["id"]
    key = gateway.create_api_key(name="somebody", enabled=True)
    gateway.create_usage_plan_key(usagePlanId=plan, keyId=key["id"], keyType="API_KEY")
    yield Planned(api, plan, key["value"], clock)
    account.apis.keys.clock = before
    gateway.delete_api_key(apiKey=key["id"])
    gateway.update_usage_plan(
        usagePlanId=plan, patchOperations=[{"op": "remove", "path": "/apiStages", "value": f"{api.id}:dev"}]
    )
    gateway.delete_usage_plan(usagePlanId=plan)


def test_a_key_opens_the_stages_of_its_plan_while_it_is_enabled(ask: Asks, account: Account, planned: Planned):
    gateway, header = account.client("apigateway"), ("--header", f"x-api-key: {planned.key}")
    forbidden = (403, {"message": "Forbidden"}, ["ForbiddenException"])
    (key,) = gateway.get_api_keys(nameQuery="somebody")["items"]

    identity = json.loads(ask(planned.api.url, *header).body)["requestContext"]["identity"]
    assert (identity["apiKey"], identity["apiKeyId"]) == (planned.key, key["id"])
    assert told(ask(planned.api.url)) == forbidden
    assert told(ask(planned.api.url, "--header", f"x-api-key: {planned.key}0")) == forbidden
    for value, expected in (("false", 403), ("true", 200)):
        enabled = {"op": "replace", "path": "/enabled", "value": value}
        gateway.update_api_key(apiKey=key["id"], patchOperations=[enabled])
        assert ask(planned.api.url, *header).status == expected


def test_who_asks_too_fast_or_too_much_is_told_so(ask: Asks, planned: Planned):
    def statuses(count: int) -> list[tuple[int, bytes]]:
        answers = [ask(planned.api.url, "--header", f"x-api-key: {planned.key}") for _ in range(count)]
        return [(each.status, each.body if each.status != 200 else b"") for each in answers]

    well, fast, much = (
        (200, b""),
        (429, b'{"message": "Too Many Requests"}'),
        (429, b'{"message": "Limit Exceeded"}'),
    )
    assert statuses(4) == [well, well, well, fast]  # three at once
    planned.clock.now += 0.5  # two a second
    assert statuses(2) == [well, fast]
    planned.clock.now += 60
    assert statuses(2) == [well, much]  # five a day
    planned.clock.now += 24 * 60 * 60
    assert statuses(1) == [well]


def test_a_usage_plan_that_opens_a_stage_cannot_be_deleted(account: Account, planned: Planned):
    gateway = account.client("apigateway")

    with pytest.raises(gateway.exceptions.BadRequestException, match="because there are API Stages associated with it"):
        gateway.delete_usage_plan(usagePlanId=planned.plan)


@pytest.fixture
def signed(made: HandMade) -> Api:
    """Return an API that wants signatures."""
    return made.api(made.function("signed", ECHO), "signed", closed={"authorizationType": "AWS_IAM"})


def signature(url: str, method: str = "GET", body: bytes = b"", place: str = "us-east-1") -> dict[str, str]:
    """Return the headers that sign a request with the deployer's key."""
    request = AWSRequest(method, url, data=body)
    key = Credentials(DEPLOYER.access_key_id, DEPLOYER.secret_access_key)
    SigV4Auth(key, "execute-api", place).add_auth(request)
    return dict(request.headers)


def sent(
    account: Account, url: str, headers: dict[str, str], method: str = "GET", body: bytes = b""
) -> tuple[int, str]:
    with requests.Session() as session:
        session.trust_env = False
        session.proxies, session.verify = {"https": account.environ["HTTPS_PROXY"]}, account.environ["SSL_CERT_FILE"]
        answer = session.request(method, url, headers=headers, data=body, timeout=30)
    return answer.status_code, answer.headers.get("x-amzn-ErrorType", "")


def test_a_signature_covers_method_path_query_body_and_headers(account: Account, signed: Api):
    url, body = f"{signed.url}/a%20b/%C3%A6?x=1&x=%2F&a=b", b"some text"
    headers = signature(url, "POST", body)
    wrong = (403, "InvalidSignatureException")

    assert sent(account, url, headers, "POST", body) == (200, "")
    assert sent(account, url, headers, "PUT", body) == wrong
    assert sent(account, url.replace("a%20b", "a%20c"), headers, "POST", body) == wrong
    assert sent(account, url.replace("x=1", "x=2"), headers, "POST", body) == wrong
    assert sent(account, url, headers, "POST", b"another text") == wrong
    assert sent(account, url, headers | {"X-Amz-Date": f"{headers['X-Amz-Date'][:-3]}99Z"}, "POST", body)[0] == 403
    assert sent(account, url, headers | {"X-Amz-Content-SHA256": "0" * 64}, "POST", body) == wrong


def test_a_signature_is_for_a_service_a_region_and_some_minutes(
    account: Account, signed: Api, monkeypatch: pytest.MonkeyPatch
):
    wrong = (403, "InvalidSignatureException")
    headers = signature(signed.url)
    stamp = headers["X-Amz-Date"]

    assert sent(account, signed.url, signature(signed.url, place="eu-west-1")) == wrong
    for part, other in (("/execute-api/", "/s3/"), (stamp[:8], EXPIRED[:8])):
        assert (
            sent(account, signed.url, headers | {"Authorization": headers["Authorization"].replace(part, other)})
            == wrong
        )
    old = {"X-Amz-Date": EXPIRED, "Authorization": headers["Authorization"].replace(stamp[:8], EXPIRED[:8])}
    assert sent(account, signed.url, headers | old) == wrong
    for authorization in ("Bearer x", "AWS4-HMAC-SHA256 Credential=DEPLOYER"):
        assert sent(account, signed.url, {"Authorization": authorization}) == (403, "IncompleteSignatureException")
    assert sent(account, signed.url, {}) == (403, "MissingAuthenticationTokenException")


def authorizer(**given: Any) -> dict[str, Any]:
    """Return what a method asks for that has an authorizer."""
    known = {
        "name": "ours",
        "type": "TOKEN",
        "identitySource": "method.request.header.X-Token",
        "identityValidationExpression": r'[{"].*',
        "authorizerResultTtlInSeconds": 300,
    }
    return {"authorizationType": "CUSTOM", "authorizer": known | given}


def policy(*statements: tuple[str, str], **context: Any) -> dict[str, Any]:
    """Return what an authorizer answers: effects, each on what of the API."""
    document = [
        {
            "Effect": effect,
            "Action": "execute-api:Invoke",
            "Resource": f"arn:aws:execute-api:us-east-1:123456789012:{on}",
        }
        for effect, on in statements
    ]
    return {"principalId": "somebody", "policyDocument": {"Version": "2012-10-17", "Statement": document}} | (
        {"context": context} if context else {}
    )


class Guarded(NamedTuple):
    """Hold an API with an authorizer, which is the same function."""

    account: Account
    ask: Asks
    api: Api

    def by(self, token: object, path: str = "/", method: str = "GET") -> tuple[int, Any]:
        """Ask with a token; return status and answer."""
        text = token if isinstance(token, bytes) else json.dumps(token).encode()
        answer = self.ask(f"{self.api.url}{path}", "--request", method, "--header", b"X-Token: " + text)
        return answer.status, json.loads(answer.body)

    def asked(self) -> list[Any]:
        """Return the events that the authorizer got."""
        lines = self.account.logs("guarding")
        return [json.loads(line.removeprefix("asked ")) for line in lines if line.startswith("asked ")]


@pytest.fixture
def guarded(account: Account, ask: Asks, made: HandMade, request: pytest.FixtureRequest) -> Guarded:
    uri = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{}/invocations"
    function = made.function("guarding", BOTH)
    closed = authorizer(authorizerUri=uri.format(function), **getattr(request, "param", {}))
    return Guarded(account, ask, made.api(function, "guarding", closed=closed))


def test_a_token_that_is_missing_or_of_another_form_is_refused_unseen(guarded: Guarded):
    unauthorized = (401, {"message": "Unauthorized"}, ["UnauthorizedException"])

    assert told(guarded.ask(guarded.api.url)) == unauthorized
    assert told(guarded.ask(guarded.api.url, "--header", "X-Token: x{}")) == unauthorized
    assert told(guarded.ask(guarded.api.url, "--header", "Authorization: {}")) == unauthorized
    assert guarded.account.logs("guarding") == []


def test_who_is_let_in_is_told_to_the_function(guarded: Guarded):
    token = policy(("Allow", f"{guarded.api.id}/dev/*"), number=7)

    status, event = guarded.by(token, "/a/b")

    assert (status, event["requestContext"]["authorizer"]) == (200, {"principalId": "somebody", "number": 7})
    method = f"arn:aws:execute-api:us-east-1:123456789012:{guarded.api.id}/dev/GET/a/b"
    assert guarded.asked() == [{"type": "TOKEN", "authorizationToken": json.dumps(token), "methodArn": method}]


def test_what_the_authorizer_says_is_kept_by_the_token(guarded: Guarded, account: Account):
    clock, before = Clock(), account.apis.authorizers.clock
    account.apis.authorizers.clock = clock
    try:
        token = policy(("Allow", f"{guarded.api.id}/dev/GET/one"))
        assert [guarded.by(token, path)[0] for path in ("/one", "/two", "/one")] == [200, 403, 200]
        assert len(guarded.asked()) == 1
        assert guarded.by(policy(("Allow", f"{guarded.api.id}/dev/GET/two")), "/two")[0] == 200
        assert len(guarded.asked()) == 2
        clock.now += 301
        assert guarded.by(token, "/one")[0] == 200
        assert len(guarded.asked()) == 3
    finally:
        account.apis.authorizers.clock = before


@pytest.mark.parametrize("guarded", [{"authorizerResultTtlInSeconds": 0}], indirect=True)
def test_nothing_is_kept_where_nothing_should_be(guarded: Guarded):
    token = policy(("Allow", f"{guarded.api.id}/dev/*"))

    assert [guarded.by(token)[0], guarded.by(token)[0], len(guarded.asked())] == [200, 200, 2]


@pytest.mark.parametrize(
    ("statements", "explicit"),
    [
        ([], False),
        ([("Allow", "ID/prod/*")], False),
        ([("Allow", "other/dev/*")], False),
        ([("Allow", "ID/dev/POST/*")], False),
        ([("Allow", "ID/dev/GET/?")], False),
        ([("Deny", "ID/dev/*")], True),
        ([("Allow", "ID/dev/*"), ("Deny", "ID/*/GET/there")], True),
    ],
)
def test_what_a_policy_does_not_allow_or_denies_is_refused(
    guarded: Guarded, statements: list[tuple[str, str]], explicit: bool
):
    document = policy(*((effect, on.replace("ID", guarded.api.id)) for effect, on in statements))
    why = " with an explicit deny in an identity-based policy" if explicit else ""

    assert guarded.by(document, "/there") == (403, {"Message": f"User is not authorized to access this resource{why}"})


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Unauthorized", (401, {"message": "Unauthorized"})),
        ("unauthorized", (500, {"message": None})),
        ({}, (500, {"message": None})),
        ({"principalId": "somebody"}, (500, {"message": None})),
        (policy(nested={"a": 1}), (500, {"message": None})),
    ],
)
def test_an_authorizer_that_fails_or_is_not_understood(guarded: Guarded, said: object, expected: tuple[int, Any]):
    assert guarded.by(said) == expected
    assert len(guarded.asked()) == 1
