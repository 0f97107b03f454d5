"""Subscribing over HTTP: every answer whole, by GET and by POST, and what is refused."""

import json
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from falcon import testing

from quotes.database import Database, open_database
from quotes.resources import create_api
from quotes.service import Service
from quotes.settings import Settings
from quotes.sns import Topic
from quotes.subscriptions import Subscriptions
from tests.conftest import Clock
from tests.sns import SNS, refuse
from tests.test_problems import invalid, problem
from tests.test_resources import EVERY_ANSWER

pytest_plugins = ("tests.s3", "tests.sns")

ME = "919028012345"
OTP = re.compile(r"\[SMS to (\+[0-9]+)\] ([0-9]{6}) ")
SENT = (
    "An OTP verification has been sent on mobile +919028012345. "
    "To confirm, use this URL with the OTP: {}{}?mobile=919028012345&otp=<OTP>"
)
SUBSCRIBED = "Congratulations!!! You have successfully subscribed for daily famous quote."
UNSUBSCRIBED = "You have successfully unsubscribed from daily famous quote. See you again."
REFUSED = problem(
    400,
    "Invalid OTP",
    "The code is not right, or it is not valid any more. Ask for another one.",
    "urn:problem-type:invalid-otp",
)
NO_NUMBER = invalid(
    "The parameter 'mobile' is not a mobile number; "
    "write it with its country code, such as 919028012345 or +919028012345."
)


def by_get(client: testing.TestClient, path: str, **given: str) -> testing.Result:
    return client.simulate_get(path, query_string=urlencode(given))


def by_form(client: testing.TestClient, path: str, **given: str) -> testing.Result:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return client.simulate_post(path, body=urlencode(given), headers=headers)


def by_json(client: testing.TestClient, path: str, **given: str) -> testing.Result:
    return client.simulate_post(
        path, body=json.dumps(given), headers={"Content-Type": "application/json; charset=utf-8"}
    )


def assert_is(answer: testing.Result, status: int, body: dict[str, Any], **more_headers: str) -> None:
    assert (answer.status_code, answer.json) == (status, body)
    assert dict(answer.headers) == EVERY_ANSWER | {
        "content-type": "application/problem+json" if status >= 400 else "application/json",
        "content-length": str(len(answer.content)),
        "cache-control": "no-store",
    } | {name.replace("_", "-"): value for name, value in more_headers.items()}


@pytest.fixture
def codes(caplog: pytest.LogCaptureFixture) -> Callable[[], list[tuple[str, str]]]:
    """Return what tells the codes that were sent, with their numbers."""
    return lambda: [found for message in caplog.messages for found in OTP.findall(message)]


@pytest.mark.parametrize("ask", [by_get, by_form, by_json])
def test_a_number_is_subscribed_and_unsubscribed_word_for_word(client: testing.TestClient, codes, ask):
    for path, done in (("/subscribe", SUBSCRIBED), ("/unsubscribe", UNSUBSCRIBED)):
        assert_is(ask(client, path, mobile=ME), 202, {"message": SENT.format("http://falconframework.org", path)})
        assert_is(ask(client, path, mobile=ME, otp=codes()[-1][1]), 200, {"message": done})
        assert_is(ask(client, path, mobile=ME, otp=codes()[-1][1]), 400, REFUSED)

    assert [number for number, _ in codes()] == ["+919028012345"] * 2


@pytest.mark.parametrize(
    "query", ["mobile=919028012345", "mobile=+919028012345", "mobile=%2B919028012345", "mobile=%20919028012345"]
)
def test_a_plus_may_be_there_or_not_or_arrive_as_a_space(client: testing.TestClient, codes, query: str):
    answer = client.simulate_get("/subscribe", query_string=query)

    assert_is(answer, 202, {"message": SENT.format("http://falconframework.org", "/subscribe")})
    assert [number for number, _ in codes()] == ["+919028012345"]


def test_asking_again_within_a_minute_answers_the_same_and_sends_nothing(client: testing.TestClient, codes):
    first, second = (by_get(client, "/subscribe", mobile=ME) for _ in range(2))

    assert (first.status, first.headers, first.content) == (second.status, second.headers, second.content)
    assert len(codes()) == 1


@pytest.mark.parametrize(
    ("environ", "base"),
    [
        ({}, "https://api.example.org/dev"),
        ({"QUOTES_PUBLIC_URL": "https://quotes.example.org/"}, "https://quotes.example.org"),
    ],
    ids=["from the request", "as it is set"],
)
def test_the_url_to_confirm_with_is_the_public_one(make_service: Callable[..., Service], environ, base: str):
    client = testing.TestClient(create_api(Settings.from_environ(environ), make_service()))
    answer = client.simulate_get(
        "/unsubscribe", params={"mobile": ME}, host="api.example.org", protocol="https", root_path="/dev"
    )

    message = SENT.format(base, "/unsubscribe")
    assert_is(answer, 202, {"message": message}, strict_transport_security="max-age=31536000")


def test_head_sends_nothing_and_uses_nothing_up(client: testing.TestClient, codes):
    asked = client.simulate_head("/subscribe", params={"mobile": ME})
    before = codes()
    by_get(client, "/subscribe", mobile=ME)
    confirmed = [client.simulate_head("/subscribe", params={"mobile": ME, "otp": codes()[0][1]}) for _ in range(6)]
    answer = by_get(client, "/subscribe", mobile=ME, otp=codes()[0][1])

    assert (asked.status_code, asked.content, asked.headers["cache-control"]) == (202, b"", "no-store")
    assert {(head.status_code, head.content) for head in confirmed} == {(200, b"")}
    assert (before, len(codes())) == ([], 1)
    assert_is(answer, 200, {"message": SUBSCRIBED})
    assert client.simulate_head("/subscribe", params={"mobile": "1"}).status_code == 400


@pytest.mark.parametrize("path", ["/subscribe", "/unsubscribe"])
@pytest.mark.parametrize("ask", [by_get, by_form, by_json])
@pytest.mark.parametrize(
    ("given", "body"),
    [
        ({}, invalid("The parameter 'mobile' is missing.")),
        ({"otp": "123456"}, invalid("The parameter 'mobile' is missing.")),
        ({"mobile": ""}, invalid("The parameter 'mobile' is empty.")),
        ({"mobile": " + "}, NO_NUMBER),
        ({"mobile": "919028"}, NO_NUMBER),
        ({"mobile": "+442071838750"}, NO_NUMBER),
        ({"mobile": "919028XXXXXX"}, NO_NUMBER),
        ({"mobile": "9" * 201}, invalid("The parameter 'mobile' is longer than 200 characters.")),
        ({"mobile": "91902801\x002345"}, invalid("The parameter 'mobile' holds control characters.")),
        ({"mobile": ME, "otp": ""}, invalid("The parameter 'otp' is empty.")),
        ({"mobile": ME, "otp": "12345"}, invalid("The parameter 'otp' is not a code of six digits.")),
        ({"mobile": ME, "otp": "1234567"}, invalid("The parameter 'otp' is not a code of six digits.")),
        ({"mobile": ME, "otp": "12345\u0666"}, invalid("The parameter 'otp' is not a code of six digits.")),
        ({"mobile": ME, "otp": "123456"}, REFUSED),
    ],
)
def test_what_cannot_be_used_is_refused(client: testing.TestClient, codes, path: str, ask, given, body):
    assert_is(ask(client, path, **given), 400, body)
    assert codes() == []


@pytest.mark.parametrize(
    ("media_type", "content", "status", "body"),
    [
        (
            "application/x-www-form-urlencoded",
            b"mobile=1&mobile=2",
            400,
            invalid("The parameter 'mobile' is given twice."),
        ),
        ("application/x-www-form-urlencoded", b"mobile=%FF", 400, invalid("The parameter 'mobile' is not UTF-8.")),
        ("application/x-www-form-urlencoded", b"mobile=\xff", 400, invalid("The parameter 'mobile' is not UTF-8.")),
        ("application/x-www-form-urlencoded", b"", 400, invalid("The parameter 'mobile' is missing.")),
        ("application/json", b'{"mobile": "1", "mobile": "2"}', 400, invalid("The parameter 'mobile' is given twice.")),
        ("application/json", b'{"mobile": 919028012345}', 400, invalid("The parameter 'mobile' is not a string.")),
        ("application/json", b'{"mobile": null}', 400, invalid("The parameter 'mobile' is not a string.")),
        (
            "application/json",
            b'{"mobile": "\\ud800"}',
            400,
            invalid("The parameter 'mobile' holds control characters."),
        ),
        ("application/json", b'["mobile"]', 400, invalid("The parameter 'body' is not a JSON object.")),
        ("application/json", b"mobile=1", 400, invalid("The parameter 'body' is not a JSON object.")),
        ("application/json", b"\xff", 400, invalid("The parameter 'body' is not a JSON object.")),
        ("application/json", b"", 400, invalid("The parameter 'body' is not a JSON object.")),
        ("application/json", b"[" * 9999, 400, invalid("The parameter 'body' is not a JSON object.")),
        (
            "application/json",
            b'{"mobile": "' + b"1" * 10_000 + b'"}',
            413,
            problem(413, "Request Entity Too Large", "A body may have at most 10000 bytes."),
        ),
        (
            "text/plain",
            b"mobile=1",
            415,
            problem(
                415,
                "Unsupported Media Type",
                "Send a form (application/x-www-form-urlencoded) or JSON (application/json).",
            ),
        ),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(client: testing.TestClient, media_type: str, content, status, body):
    answer = client.simulate_post("/subscribe", body=content, headers={"Content-Type": media_type})

    assert_is(answer, status, body)


def test_a_post_does_not_look_at_the_query(client: testing.TestClient, codes):
    answer = client.simulate_post(
        "/subscribe", query_string=f"mobile={ME}", headers={"Content-Type": "application/json"}, body="{}"
    )

    assert_is(answer, 400, invalid("The parameter 'mobile' is missing."))
    assert codes() == []


def test_numbers_of_other_countries_are_refused(make_service: Callable[..., Service], codes):
    settings = Settings.from_environ({"QUOTES_SMS_COUNTRIES": "US,GB"})
    answer = by_get(testing.TestClient(create_api(settings, make_service())), "/subscribe", mobile=ME)

    detail = "The parameter 'mobile' is in a country that is not served here; served are: GB, US."
    assert_is(answer, 400, invalid(detail))
    assert codes() == []


def test_a_number_that_had_its_share_is_told_when_to_come_again(client: testing.TestClient, clock: Clock, codes):
    for _ in range(5):
        by_get(client, "/subscribe", mobile=ME)
        clock.move(hours=1)
    answer = by_get(client, "/unsubscribe", mobile=ME)

    detail = "This number was sent as many codes as may be sent. Try again in 68401 seconds."
    body = problem(429, "Too Many Codes", detail, "urn:problem-type:too-many-codes")
    assert_is(answer, 429, body, retry_after="68401")
    assert len(codes()) == 5


def test_when_all_had_their_share_nobody_gets_a_code(client: testing.TestClient, codes):
    for n in range(100):
        by_get(client, "/subscribe", mobile=f"9190280{n:05}")
    answer = by_get(client, "/subscribe", mobile=ME)

    detail = "All numbers together were sent as many codes as may be sent. Try again in 3601 seconds."
    body = problem(503, "Too Many Codes", detail, "urn:problem-type:too-many-codes")
    assert_is(answer, 503, body, retry_after="3601")
    assert len(codes()) == 100


def test_where_state_is_not_shared_it_is_said_what_to_set(
    make_service: Callable[..., Service], tmp_path: Path, codes, caplog: pytest.LogCaptureFixture
):
    unshared = open_database(f"sqlite:///{tmp_path}/quotes.db", on_lambda=True)
    client = testing.TestClient(create_api(Settings(), make_service(database=unshared)))

    detail = "Subscribing needs state that all instances share; set DATABASE_URL=s3://bucket/key.db, or a server's URL."
    body = problem(503, "Not Set Up", detail, "urn:problem-type:not-set-up")
    assert_is(by_get(client, "/subscribe", mobile=ME), 503, body)
    assert_is(by_get(client, "/subscribe", mobile=ME, otp="123456"), 503, body)
    assert codes() == []
    assert caplog.messages == [f"GET /subscribe: {detail}"] * 2


def test_on_lambda_without_a_secret_it_is_said_what_to_set(s3_url_for_lambda: dict[str, str]):
    settings = Settings.from_environ(s3_url_for_lambda)
    client = testing.TestClient(create_api(settings))

    detail = "Subscribing needs QUOTES_OTP_SECRET to be set: 32 characters or more that nobody knows."
    body = problem(503, "Not Set Up", detail, "urn:problem-type:not-set-up")
    assert_is(by_get(client, "/subscribe", mobile=ME), 503, body)


@pytest.fixture
def s3_url_for_lambda() -> dict[str, str]:
    """Return the environment of a function whose state is shared; nothing is asked of S3."""
    return {"AWS_LAMBDA_FUNCTION_NAME": "quotes-dev", "DATABASE_URL": "s3://bucket/quotes.db"}


def test_a_database_that_is_down_is_told_as_everywhere(make_service: Callable[..., Service], tmp_path: Path):
    down = open_database(f"sqlite:///{tmp_path}/no/such/folder/quotes.db")
    client = testing.TestClient(create_api(Settings(), make_service(database=down)))

    detail = "The data for this cannot be read right now; try again in a few seconds."
    body = problem(503, "Service Unavailable", detail)
    assert_is(by_get(client, "/subscribe", mobile=ME), 503, body, retry_after="5")
    assert_is(by_get(client, "/subscribe", mobile=ME, otp="123456"), 503, body, retry_after="5")


@pytest.fixture
def sns_client(make_service: Callable[..., Service], database: Database, clock: Clock, sns: SNS) -> testing.TestClient:
    """Return a client of an application that sends texts."""
    service = make_service()
    flow = Subscriptions(database, Topic(sns.topic, "us-east-1"), secret="s" * 32, is_secret_needed=True, now=clock)
    parts = {**vars(service), "subscriptions": flow}
    return testing.TestClient(create_api(Settings(), Service(**parts)))


def test_a_number_that_replied_stop_is_told_so(sns_client: testing.TestClient, sns: SNS):
    detail = (
        "This number replied STOP to our texts, so it gets none, and no code either. Send START to the number that the "
        "texts came from, and ask again in ten minutes."
    )
    body = problem(409, "Opted Out", detail, "urn:problem-type:opted-out")
    for _ in range(2):
        assert_is(by_get(sns_client, "/subscribe", mobile="919028012399"), 409, body)
    assert sns.texts() == []


def test_where_sns_fails_it_is_said_that_no_text_was_sent(
    sns_client: testing.TestClient, sns: SNS, caplog: pytest.LogCaptureFixture
):
    sns.faults["Publish"] = iter([refuse])
    answer = by_get(sns_client, "/subscribe", mobile=ME)

    body = problem(503, "Service Unavailable", "The text cannot be sent right now; try again in a few seconds.")
    assert_is(answer, 503, body, retry_after="5")
    assert [r.getMessage() for r in caplog.records if r.name.startswith("quotes.")] == [
        "GET /subscribe: SNS refuses publish: InternalFailure."
    ]
    assert by_get(sns_client, "/subscribe", mobile=ME).status_code == 202
    assert len(sns.texts()) == 1


@pytest.mark.parametrize("path", ["/subscribe", "/unsubscribe"])
def test_other_methods_are_refused_and_a_page_may_post(client: testing.TestClient, path: str):
    put, options = client.simulate_put(path), client.simulate_options(path)

    assert (put.status_code, put.headers["allow"]) == (405, "GET, HEAD, POST, OPTIONS")
    assert (options.status_code, options.headers["access-control-allow-methods"]) == (200, "GET, HEAD, POST")
    assert "Content-Type" in options.headers["access-control-allow-headers"]


def test_a_defect_of_ours_logs_no_query(make_service: Callable[..., Service], caplog: pytest.LogCaptureFixture, capfd):
    service = make_service()
    broken = Service(**{**vars(service), "subscriptions": None})
    answer = by_get(testing.TestClient(create_api(Settings(), broken)), "/subscribe", mobile=ME, otp="123456")

    body = problem(500, "Internal Server Error", "Something went wrong here. It is not your request's fault.")
    assert_is(answer, 500, body)
    logged = f"{caplog.text} {capfd.readouterr()}"
    assert "GET /subscribe" in logged
    assert not re.search("9028012345|123456", logged)


def test_the_line_that_zappas_own_handler_writes_holds_no_query(caplog: pytest.LogCaptureFixture):
    line = (
        '127.0.0.1 - - [21/Nov/2026:12:00:00 +0000] "GET /subscribe{} HTTP/1.1" 200 91 "https://a.example/b{}" "curl"'
    )
    with caplog.at_level(logging.INFO):
        logging.getLogger("zappa.wsgi").info(line.format(f"?mobile={ME}&otp=482913", f"?mobile=%2B{ME}"))

    assert caplog.messages == [line.format("", "")]
