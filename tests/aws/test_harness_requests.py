"""The emulated API Gateway hands requests and answers on as API Gateway does, as far as this project leans on it."""

import base64
import gzip
import json
import re
from collections.abc import Callable

import pytest
import requests

from tests.aws.account import Account
from tests.aws.curled import Answer, returning
from tests.aws.hand_made import EVERYTHING_IS_BINARY, Api, HandMade
from tests.aws.proxy_events import EDGE

Asks = Callable[..., Answer]


def test_a_request_is_an_event(ask: Asks, echo: Api):
    api, url = echo
    options = ["--user-agent", "me", "--header", "X-Two: 1", "--header", "X-Two: 2", "--data-binary", '{"ä": 1}']

    answer = ask(f"{url}/caf%C3%A9/x%20y?a=1&a=%C3%A4+b&empty=", "--header", "Content-Type: application/json", *options)

    event = json.loads(answer.body)
    context = event.pop("requestContext")
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


def test_what_is_not_there_is_null(ask: Asks, echo: Api):
    event = json.loads(ask(f"{echo.url}").body)

    absent = {"queryStringParameters", "multiValueQueryStringParameters", "pathParameters", "stageVariables", "body"}
    assert {name for name, value in event.items() if value is None} == absent
    assert (event["path"], event["resource"], event["requestContext"]["path"]) == ("/", "/", "/dev")


def test_who_forwards_adds_to_what_the_client_says(ask: Asks, echo: Api):
    event = json.loads(ask(echo.url, "--header", "X-Forwarded-For: 192.0.2.1").body)

    assert event["headers"]["X-Forwarded-For"] == f"192.0.2.1, 127.0.0.1, {EDGE}"


def test_requests_reaches_it_too(account: Account, echo: Api, monkeypatch: pytest.MonkeyPatch):
    for name in ("HTTPS_PROXY", "REQUESTS_CA_BUNDLE"):
        monkeypatch.setenv(name, account.environ[name])

    answer = requests.get(f"{echo.url}/there", timeout=10)

    assert (answer.status_code, answer.json()["path"]) == (200, "/there")


def test_binary_bodies_are_base64_both_ways_where_the_api_says_so(ask: Asks, made: HandMade, echo: Api, answering: Api):
    encoded = base64.b64encode(bytes(range(256))).decode()
    answer = {"statusCode": 200, "headers": {"Content-Type": "image/png"}, "body": encoded, "isBase64Encoded": True}

    assert ask(*returning(f"{answering.url}/", **answer)).body == encoded.encode()
    for api in (echo, answering):
        made.patch(api, EVERYTHING_IS_BINARY)
    assert ask(*returning(f"{answering.url}/", **answer))[2] == bytes(range(256))
    event = json.loads(ask(echo.url, "--data-binary", "äö").body)
    assert (event["body"], event["isBase64Encoded"]) == (base64.b64encode("äö".encode()).decode(), True)


def test_an_answers_headers_arrive(ask: Asks, answering: Api):
    answer = ask(
        *returning(
            f"{answering.url}/",
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


def test_headers_that_are_the_gateways_own_come_under_another_name(ask: Asks, answering: Api):
    given = {"WWW-Authenticate": "Bearer", "Content-Length": "999", "Date": "never", "Connection": "keep-alive"}

    answer = ask(*returning(f"{answering.url}/", statusCode=401, headers=given, body=""))

    assert answer.header("www-authenticate") == []
    for name, value in given.items():
        assert answer.header(f"x-amzn-remapped-{name.lower()}") == [value]
    assert answer.header("content-length") == ["0"]


@pytest.mark.parametrize("status", [200, 304])
def test_what_has_no_body_has_none(ask: Asks, answering: Api, status: int):
    options = ["--ignore-content-length", *(["--request", "HEAD"] if status == 200 else [])]
    headers = {"ETag": '"1"'}

    answer = ask(*options, *returning(answering.url, statusCode=status, headers=headers, body="not sent"))

    assert (answer.status, answer.header("etag"), answer.body) == (status, ['"1"'], b"")
    assert answer.header("content-length") == (["8"] if status == 200 else [])


def test_large_answers_are_compressed_where_the_api_says_so(ask: Asks, made: HandMade, answering: Api):
    url = answering.url
    made.patch(answering, ("replace", "/minimumCompressionSize", "100"))
    gzipped = ["--header", "Accept-Encoding: gzip"]

    small = ask(*gzipped, *returning(f"{url}/", statusCode=200, body="a" * 99))
    large = ask(*gzipped, *returning(f"{url}/", statusCode=200, body="a" * 100))
    plain = ask(*returning(f"{url}/", statusCode=200, body="a" * 100))

    assert (small.header("content-encoding"), small.body) == ([], b"a" * 99)
    assert (large.header("content-encoding"), gzip.decompress(large.body)) == (["gzip"], b"a" * 100)
    assert (plain.header("content-encoding"), plain.body) == ([], b"a" * 100)
