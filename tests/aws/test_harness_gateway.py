"""The emulated API Gateway hands requests and answers on as API Gateway does, as far as this project leans on it."""

import base64
import gzip
import json
import re
import socket
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import requests

from tests.aws.account import Account
from tests.aws.hand_made import HandMade
from tests.aws.proxy_events import EDGE

ECHO = """
import base64, json
def handler(event, context):
    return {"statusCode": 200, "body": json.dumps(event)}
"""
ANSWER = "import json\ndef handler(event, context): return json.loads(event['queryStringParameters']['answer'])"
PATCH_BINARY = ("add", "/binaryMediaTypes/*~1*", "")


class Answer(NamedTuple):
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name]


Asks = Callable[..., Answer]


@pytest.fixture
def ask(account: Account) -> Asks:
    """Return what asks a URL with curl."""

    def ask(url: str, *options: str) -> Answer:
        done = account.curl("--include", *options, url)
        assert done.returncode == 0, done.stderr
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = [(line.split(": ", 1)[0], line.split(": ", 1)[1]) for line in lines]
        return Answer(int(first.split()[1]), headers, body)

    return ask


@pytest.fixture
def echo(made: HandMade) -> tuple[str, str]:
    """Return the id and the URL of an API that answers with the event."""
    api = made.api(made.function("echo", ECHO), "echo")
    return api, f"https://{api}.execute-api.us-east-1.amazonaws.com/dev"


@pytest.fixture
def answering(made: HandMade) -> tuple[str, str]:
    """Return the id and the URL of an API that answers what the parameter `answer` says, as its function returned it."""
    api = made.api(made.function("answering", ANSWER), "answering")
    return api, f"https://{api}.execute-api.us-east-1.amazonaws.com/dev"


def returning(url: str, **answer: Any) -> list[str]:
    """Return curl's arguments for a request that makes a function return this."""
    return ["--get", "--data-urlencode", f"answer={json.dumps(answer)}", url]


def test_a_request_is_an_event(ask: Asks, echo: tuple[str, str]):
    api, url = echo
    options = ["--user-agent", "me", "--header", "X-Two: 1", "--header", "X-Two: 2", "--data-binary", '{"ä": 1}']

    answer = ask(f"{url}/caf%C3%A9/x%20y?a=1&a=%C3%A4+b&empty=", "--header", "Content-Type: application/json", *options)

    event = json.loads(answer.body)
    context, identity = event.pop("requestContext"), event["requestContext"]["identity"] if 0 else None
    assert identity is None
    many = event.pop("multiValueHeaders")
    trace = many.pop("X-Amzn-Trace-Id")
    host = f"{api}.execute-api.us-east-1.amazonaws.com"
    assert re.fullmatch(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24}", trace[0])
    assert many == {
        "Accept": ["*/*"],
        "Content-Type": ["application/json"],
        "Host": [host],
        "User-Agent": ["me"],
        "Via": ["1.1 d111111abcdef8.cloudfront.net (CloudFront)"],
        "X-Forwarded-For": [f"127.0.0.1, {EDGE}"],
        "X-Forwarded-Port": ["443"],
        "X-Forwarded-Proto": ["https"],
        "X-Two": ["1", "2"],
    }
    assert event == {
        "resource": "/{proxy+}",
        "path": "/café/x y",
        "httpMethod": "POST",
        "headers": {name: values[-1] for name, values in many.items()} | {"X-Amzn-Trace-Id": trace[0]},
        "queryStringParameters": {"a": "ä b", "empty": ""},
        "multiValueQueryStringParameters": {"a": ["1", "ä b"], "empty": [""]},
        "pathParameters": {"proxy": "café/x y"},
        "stageVariables": None,
        "body": '{"ä": 1}',
        "isBase64Encoded": False,
    }
    known = ("accountId", "apiId", "domainName", "httpMethod", "path", "protocol", "resourcePath", "stage")
    assert {name: context[name] for name in known} == {
        "accountId": "123456789012",
        "apiId": api,
        "domainName": host,
        "httpMethod": "POST",
        "path": "/dev/café/x y",
        "protocol": "HTTP/1.1",
        "resourcePath": "/{proxy+}",
        "stage": "dev",
    }
    assert (context["identity"]["sourceIp"], context["identity"]["userAgent"]) == ("127.0.0.1", "me")
    assert len(context["requestId"]) == 36


def test_what_is_not_there_is_null(ask: Asks, echo: tuple[str, str]):
    event = json.loads(ask(f"{echo[1]}").body)

    absent = {"queryStringParameters", "multiValueQueryStringParameters", "pathParameters", "stageVariables", "body"}
    assert {name for name, value in event.items() if value is None} == absent
    assert (event["path"], event["resource"], event["requestContext"]["path"]) == ("/", "/", "/dev")


def test_who_forwards_adds_to_what_the_client_says(ask: Asks, echo: tuple[str, str]):
    event = json.loads(ask(echo[1], "--header", "X-Forwarded-For: 192.0.2.1").body)

    assert event["headers"]["X-Forwarded-For"] == f"192.0.2.1, 127.0.0.1, {EDGE}"


def test_requests_reaches_it_too(account: Account, echo: tuple[str, str], monkeypatch: pytest.MonkeyPatch):
    for name in ("HTTPS_PROXY", "REQUESTS_CA_BUNDLE"):
        monkeypatch.setenv(name, account.environ[name])

    answer = requests.get(f"{echo[1]}/there", timeout=10)

    assert (answer.status_code, answer.json()["path"]) == (200, "/there")


def test_binary_bodies_are_base64_both_ways_where_the_api_says_so(
    ask: Asks, made: HandMade, echo: tuple[str, str], answering: tuple[str, str]
):
    encoded = base64.b64encode(bytes(range(256))).decode()
    answer = {"statusCode": 200, "headers": {"Content-Type": "image/png"}, "body": encoded, "isBase64Encoded": True}

    assert ask(*returning(f"{answering[1]}/", **answer)).body == encoded.encode()
    for api, _ in (echo, answering):
        made.patch(api, PATCH_BINARY)
    assert ask(*returning(f"{answering[1]}/", **answer))[2] == bytes(range(256))
    event = json.loads(ask(echo[1], "--data-binary", "äö").body)
    assert (event["body"], event["isBase64Encoded"]) == (base64.b64encode("äö".encode()).decode(), True)


def test_an_answers_headers_arrive(ask: Asks, answering: tuple[str, str]):
    answer = ask(
        *returning(
            f"{answering[1]}/",
            statusCode=418,
            headers={"X-One": "1", "x-two": "overridden", "X-Number": 1, "Content-Type": "text/plain; charset=utf-8"},
            multiValueHeaders={"X-Two": ["a", "b"]},
            body="ä",
        )
    )

    assert (answer.status, answer.body) == (418, "ä".encode())
    assert answer.header("x-one") + answer.header("x-two") + answer.header("x-number") == ["1", "a", "b", "1"]
    assert answer.header("content-type") == ["text/plain; charset=utf-8"]
    assert answer.header("content-length") == ["2"]


def test_headers_that_are_the_gateways_own_come_under_another_name(ask: Asks, answering: tuple[str, str]):
    given = {"WWW-Authenticate": "Bearer", "Content-Length": "999", "Date": "never", "Connection": "keep-alive"}

    answer = ask(*returning(f"{answering[1]}/", statusCode=401, headers=given, body=""))

    assert answer.header("www-authenticate") == []
    for name, value in given.items():
        assert answer.header(f"x-amzn-remapped-{name.lower()}") == [value]
    assert answer.header("content-length") == ["0"]


@pytest.mark.parametrize("status", [200, 304])
def test_what_has_no_body_has_none(ask: Asks, answering: tuple[str, str], status: int):
    options = ["--head"] if status == 200 else []

    answer = ask(*options, *returning(f"{answering[1]}/", statusCode=status, headers={"ETag": '"1"'}, body="not sent"))

    assert (answer.status, answer.header("etag"), answer.body) == (status, ['"1"'], b"")
    assert answer.header("content-length") == (["8"] if status == 200 else [])


def test_large_answers_are_compressed_where_the_api_says_so(ask: Asks, made: HandMade, answering: tuple[str, str]):
    api, url = answering
    made.patch(api, ("replace", "/minimumCompressionSize", "100"))
    gzipped = ["--header", "Accept-Encoding: gzip"]

    small = ask(*gzipped, *returning(f"{url}/", statusCode=200, body="a" * 99))
    large = ask(*gzipped, *returning(f"{url}/", statusCode=200, body="a" * 100))
    plain = ask(*returning(f"{url}/", statusCode=200, body="a" * 100))

    assert (small.header("content-encoding"), small.body) == ([], b"a" * 99)
    assert (large.header("content-encoding"), gzip.decompress(large.body)) == (["gzip"], b"a" * 100)
    assert (plain.header("content-encoding"), plain.body) == ([], b"a" * 100)


def refused(message: str) -> bytes:
    return json.dumps({"message": message}).encode()


def test_what_does_not_exist_is_forbidden(ask: Asks, echo: tuple[str, str]):
    _, url = echo
    missing = (403, refused("Missing Authentication Token"))

    answer = ask(url.replace("/dev", "/prod"))
    assert (answer.status, answer.body) == missing
    assert answer.header("x-amzn-errortype") == ["MissingAuthenticationTokenException"]
    assert ask(f"{url.removesuffix('/dev')}/")[::2] == missing
    assert ask("https://nowhere.execute-api.us-east-1.amazonaws.com/dev")[::2] == (403, refused("Forbidden"))


def test_a_resource_without_a_method_for_it_is_missing(ask: Asks, account: Account, made: HandMade):
    api = made.api(made.function("only", ECHO), "only", ("there",))

    url = f"https://{api}.execute-api.us-east-1.amazonaws.com/dev"

    assert ask(f"{url}/there").status == 200
    assert ask(f"{url}/elsewhere")[::2] == (403, refused("Missing Authentication Token"))


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 200},
        {"statusCode": "two hundred"},
        {"statusCode": 200, "body": {"no": "string"}},
        {"statusCode": 200, "headers": {"X-List": ["1"]}},
        {"statusCode": 200, "body": "no Base64!", "isBase64Encoded": True},
    ],
)
def test_an_answer_that_is_not_understood_is_a_bad_gateway(
    ask: Asks, made: HandMade, answering: tuple[str, str], answer: dict[str, Any]
):
    made.patch(answering[0], PATCH_BINARY)

    assert ask(*returning(f"{answering[1]}/", **answer))[::2] == (502, refused("Internal server error"))


def test_an_error_of_the_function_is_a_bad_gateway(ask: Asks, answering: tuple[str, str]):
    assert ask(f"{answering[1]}/?answer=no-json")[::2] == (502, refused("Internal server error"))


def test_a_function_that_the_gateway_may_not_invoke_is_an_error_of_the_gateway(
    ask: Asks, account: Account, made: HandMade
):
    arn = made.function("closed", ECHO)
    api = made.api(arn, "")

    url = f"https://{api}.execute-api.us-east-1.amazonaws.com/dev"

    assert ask(url)[::2] == (500, refused("Internal server error"))
    account.client("lambda").add_permission(
        FunctionName="closed",
        StatementId="gateway",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
        SourceArn=f"arn:aws:execute-api:us-east-1:123456789012:{api}/*/*",
    )
    assert ask(url).status == 200


def test_a_function_that_takes_too_long_is_a_gateway_timeout(ask: Asks, made: HandMade):
    source = """
import socket
def handler(event, context):
    socket.create_connection(("127.0.0.1", int(event["queryStringParameters"]["port"]))).recv(1)
    return {"statusCode": 200}
"""
    api = made.api(made.function("late", source), "late", timeoutInMillis=200)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

        answer = ask(f"https://{api}.execute-api.us-east-1.amazonaws.com/dev/?port={port}")

        listening.settimeout(10)
        listening.accept()[0].close()  # which ends the invocation
    assert answer[::2] == (504, refused("Endpoint request timed out"))


def test_a_change_is_served_once_it_is_deployed(ask: Asks, account: Account, echo: tuple[str, str]):
    api, url = echo
    gateway = account.client("apigateway")
    gateway.update_rest_api(restApiId=api, patchOperations=[{"op": "add", "path": "/binaryMediaTypes/*~1*"}])

    assert json.loads(ask(url, "--data-binary", "text").body)["isBase64Encoded"] is False
    gateway.create_deployment(restApiId=api, stageName="dev")
    assert json.loads(ask(url, "--data-binary", "text").body)["isBase64Encoded"] is True


def test_a_custom_domain_leads_to_a_stage_and_base_paths_stay_in_the_path(
    ask: Asks, account: Account, echo: tuple[str, str]
):
    api, _ = echo
    gateway, domain = account.client("apigateway"), "quotes.example.org"
    gateway.create_domain_name(domainName=domain, certificateName="any")
    gateway.create_base_path_mapping(domainName=domain, restApiId=api, stage="dev", basePath="v1")

    below = json.loads(ask(f"https://{domain}/v1/there").body)
    beside = ask(f"https://{domain}/there")
    gateway.create_base_path_mapping(domainName=domain, restApiId=api, stage="dev")
    root = json.loads(ask(f"https://{domain}/there").body)
    gateway.delete_domain_name(domainName=domain)
    gone = account.curl(f"https://{domain}/there")

    def seen(event: dict[str, Any]) -> tuple[str, ...]:
        return (
            event["path"],
            event["pathParameters"]["proxy"],
            event["headers"]["Host"],
            event["requestContext"]["path"],
        )

    assert seen(below) == ("/v1/there", "there", domain, "/v1/there")
    assert seen(root) == ("/there", "there", domain, "/there")
    assert beside[::2] == (403, refused("Forbidden"))
    assert (gone.returncode, gone.stdout) == (56, b"")  # no such host


def test_a_cache_keeps_what_it_is_told_by_the_keys_that_it_is_told(ask: Asks, account: Account, made: HandMade):
    source = "import uuid\ndef handler(event, context): return {'statusCode': 200, 'body': str(uuid.uuid4())}"
    keys = ["method.request.querystring.day", "method.request.header.Accept"]
    api = made.api(made.function("kept", source), "kept", ("kept", "{proxy+}"), cacheKeyParameters=keys)
    gateway, url = account.client("apigateway"), f"https://{api}.execute-api.us-east-1.amazonaws.com/dev"

    def asked(path: str, accept: str = "a/a", *options: str) -> bytes:
        return ask(f"{url}{path}", "--header", f"Accept: {accept}", *options).body

    assert asked("/kept") != asked("/kept")
    gateway.create_deployment(restApiId=api, stageName="dev", cacheClusterEnabled=True, cacheClusterSize="0.5")
    settings = {"/*/*/caching/enabled": "false", "/~1kept/ANY/caching/enabled": "true"}
    settings["/~1kept/ANY/caching/ttlInSeconds"] = "300"
    changes = [{"op": "replace", "path": path, "value": value} for path, value in settings.items()]
    gateway.update_stage(restApiId=api, stageName="dev", patchOperations=changes)

    first = asked("/kept")
    assert asked("/kept") == asked("/kept?other=1") == first
    assert len({first, asked("/kept?day=1"), asked("/kept", "b/b"), asked("/kept", "a/a", "--request", "POST")}) == 4
    assert asked("/elsewhere") != asked("/elsewhere")


def test_what_is_no_name_of_the_accounts_does_not_exist(account: Account):
    done = account.curl("https://www.example.com/")

    assert (done.returncode, done.stdout) == (56, b"")
    assert b"CONNECT tunnel failed, response 502" in done.stderr
