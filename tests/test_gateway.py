"""Requests of API Gateway: the application hears what it would from Zappa's own handler, and so does the client."""

import base64
import copy
import json
import logging
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from falcon import testing
from hypothesis import given
from hypothesis import strategies as st
from zappa.wsgi import create_wsgi_request

from quotes.edges import NOTHING_ALLOWED
from quotes.gateway import create_handler, is_request
from quotes.resources import create_api
from quotes.settings import Settings

GATEWAY = "abc123.execute-api.us-east-1.amazonaws.com"
DOMAIN = "quotes.example.com"


def a_stage(**settings: Any) -> ModuleType:
    """Return the settings that Zappa packages."""
    defaults = {
        "API_STAGE": "dev",
        "BASE_PATH": None,
        "DOMAIN": None,
        "BINARY_SUPPORT": True,
        "ADDITIONAL_TEXT_MIMETYPES": [],
        "EXCEPTION_HANDLER": None,
    }
    return SimpleNamespace(**(defaults | settings))  # type: ignore[return-value]


def an_event(path: str = "/", host: str | None = GATEWAY, method: str = "GET", **changes: Any) -> dict[str, Any]:
    """Return what API Gateway sends."""
    headers = {"X-Forwarded-For": "203.0.113.7, 198.51.100.1", "X-Forwarded-Proto": "https", "X-Forwarded-Port": "443"}
    if host:
        headers["Host"] = host
    event = {
        "httpMethod": method,
        "path": path,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "requestContext": {"stage": "dev", "identity": {"sourceIp": "203.0.113.7"}},
        "body": None,
        "isBase64Encoded": False,
    }
    return event | changes


def heard(event: dict[str, Any], stage: ModuleType) -> dict[str, Any]:
    """Return the WSGI request that an application gets for an event."""
    environs: list[dict[str, Any]] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        environs.append(environ)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b""]

    create_handler(app, stage)(copy.deepcopy(event), None)
    return environs[0]


def heard_from_zappa(event: dict[str, Any], stage: Any) -> dict[str, Any]:
    """Return the WSGI request that Zappa's handler makes."""
    host = (event["headers"] or {}).get("Host")
    is_gateways = "amazonaws.com" in host if host else not stage.DOMAIN
    script_name = f"/{stage.API_STAGE}" if is_gateways else ""
    return create_wsgi_request(
        copy.deepcopy(event),
        script_name=script_name,
        binary_support=stage.BINARY_SUPPORT,
        base_path=stage.BASE_PATH,
    )


COMPARED = (
    "REQUEST_METHOD",
    "PATH_INFO",
    "SCRIPT_NAME",
    "QUERY_STRING",
    "REMOTE_ADDR",
    "wsgi.url_scheme",
    "SERVER_PORT",
)

words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)
queries = st.none() | st.dictionaries(words, st.lists(words, min_size=1, max_size=3), max_size=3)
paths = words.map(lambda text: f"/quote/{text}")


@given(paths, queries, st.sampled_from([GATEWAY, DOMAIN, None]), st.sampled_from([None, DOMAIN]))
def test_the_request_is_the_one_that_zappas_handler_makes(path, query, host, domain):
    event = an_event(path, host, multiValueQueryStringParameters=query)
    stage = a_stage(DOMAIN=domain)

    ours, zappas = heard(event, stage), heard_from_zappa(event, stage)

    assert {name: ours[name] for name in COMPARED} == {name: zappas[name] for name in COMPARED}
    names = {name for name in zappas if name.startswith("HTTP_")}
    assert {name: ours[name] for name in names} == {name: zappas[name] for name in names}


@given(st.binary(), st.booleans())
def test_a_body_comes_through_byte_for_byte(body, is_binary):
    if not is_binary:
        body = body.decode("latin-1").encode()
    sent = base64.b64encode(body).decode() if is_binary else body.decode()
    event = an_event("/subscribe", method="POST", body=sent, isBase64Encoded=is_binary)

    ours, zappas = heard(event, a_stage()), heard_from_zappa(event, a_stage())

    assert ours["wsgi.input"].read() == zappas["wsgi.input"].read() == body
    assert ours["CONTENT_LENGTH"] == zappas["CONTENT_LENGTH"] == str(len(body))


@pytest.mark.parametrize(
    ("path", "script_name", "rest"),
    [
        ("/api/quote", "/api", "/quote"),
        ("/api", "/api", ""),
        ("/api/", "/api", "/"),
        ("/quote", "/api", "/quote"),
        ("/apiary", "/api", "/apiary"),
    ],
)
def test_below_a_domains_base_path_the_application_sees_its_own_paths(path, script_name, rest):
    environ = heard(an_event(path, DOMAIN), a_stage(DOMAIN=DOMAIN, BASE_PATH="api"))

    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == (script_name, rest)


@pytest.mark.parametrize("forwarded_for", ["192.0.2.66, 203.0.113.7, 198.51.100.1", "192.0.2.66", ""])
def test_the_client_is_who_the_gateway_saw_whatever_it_says_itself(forwarded_for):
    headers = {"Host": GATEWAY, "X-Forwarded-For": forwarded_for}
    event = an_event(headers=headers, multiValueHeaders={name: [value] for name, value in headers.items()})

    assert heard(event, a_stage())["REMOTE_ADDR"] == "203.0.113.7"


def test_the_consoles_test_request_has_no_headers_at_all():
    event = an_event("/daily", headers=None, multiValueHeaders=None)

    environ = heard(event, a_stage())

    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("/dev", "/daily")


@pytest.mark.parametrize(
    ("media_type", "is_text"),
    [
        ("application/json", True),
        ("application/problem+json", True),
        ("text/plain; charset=utf-8", True),
        ("image/svg+xml", True),
        ("application/atom+xml", False),
        ("image/png", False),
    ],
)
def test_what_is_no_text_goes_out_as_base64(media_type, is_text):
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", media_type)])
        return ["“é”".encode()]

    answer = create_handler(app, a_stage())(an_event(), None)

    body = answer["body"].encode() if is_text else base64.b64decode(answer["body"])
    assert (answer["isBase64Encoded"], body) == (not is_text, "“é”".encode())


def test_a_stage_may_name_more_types_that_are_text():
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "application/atom+xml")])
        return [b"<feed/>"]

    answer = create_handler(app, a_stage(ADDITIONAL_TEXT_MIMETYPES=["application/atom+xml"]))(an_event(), None)

    assert (answer["isBase64Encoded"], answer["body"]) == (False, "<feed/>")


def test_the_api_answers_as_it_does_behind_any_server(make_service):
    app = create_api(Settings(), make_service())
    direct = testing.simulate_get(app, "/daily", query_string="format=text", protocol="https")

    query = {"format": ["text"]}
    answer = create_handler(app, a_stage())(an_event("/daily", multiValueQueryStringParameters=query), None)

    sent = {name.lower(): values for name, values in answer["multiValueHeaders"].items()}
    assert (answer["statusCode"], answer["body"]) == (200, direct.text)
    assert sent == {name: [value] for name, value in direct.headers.items()}


def test_each_request_is_a_line_in_the_log_without_its_query(caplog: pytest.LogCaptureFixture):
    query = {"mobile": ["919028000000"]}
    event = an_event(
        "/sub\nscribe%20é", multiValueQueryStringParameters=query, queryStringParameters={"mobile": "9190"}
    )

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("202 Accepted", [("Content-Type", "application/json")])
        return ['"é"'.encode()]

    with caplog.at_level(logging.INFO, "quotes.gateway"):
        create_handler(app, a_stage())(event, None)

    (line,) = caplog.messages
    assert line.startswith("GET /sub%0Ascribe%20%C3%A9 203.0.113.7 202 4 bytes ")
    assert line.endswith(" ms")


class Broken(SystemExit):
    """Be what an application raises; the hardest case, for it would end the process."""


def broken(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    raise Broken


told: list[tuple[Any, ...]] = []


def tell(*arguments: Any) -> bool:
    """Be a stage's exception handler."""
    told.append(arguments)
    return True


def fail(*arguments: Any) -> bool:
    """Be an exception handler that fails itself."""
    raise ValueError


@pytest.mark.parametrize("exception_handler", [None, f"{__name__}.tell", f"{__name__}.fail", "no_such_module.tell"])
def test_where_the_application_fails_the_client_gets_a_problem_and_the_stage_is_told(exception_handler):
    told.clear()
    event = an_event()

    answer = create_handler(broken, a_stage(EXCEPTION_HANDLER=exception_handler))(event, "the context")

    assert answer["statusCode"] == 500
    assert answer["headers"] == {
        "Content-Type": "application/problem+json",
        "Cache-Control": "no-store",
        "Access-Control-Allow-Origin": "*",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": NOTHING_ALLOWED,
        "Referrer-Policy": "no-referrer",
    }
    detail = "Something went wrong here. It is not your request's fault."
    problem = {"type": "about:blank", "title": "Internal Server Error", "status": 500, "detail": detail}
    assert json.loads(answer["body"]) == problem
    if exception_handler == f"{__name__}.tell":
        ((error, *rest),) = told
        assert isinstance(error, Broken)
        assert rest == [event, "the context"]


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (an_event(), True),
        (an_event(requestContext={"elb": {"targetGroupArn": "…"}}), False),
        (an_event(requestContext=None), True),
        ({"version": "2.0", "requestContext": {"http": {"method": "GET"}}}, False),
        ({"detail-type": "Scheduled Event", "resources": ["…"]}, False),
        ({"Records": [{"Sns": {}}]}, False),
        ({"command": "quotes.schedulers.set_quote_of_the_day"}, False),
        ({}, False),
    ],
    ids=["gateway", "load balancer", "the console's", "HTTP API", "rule", "topic", "zappa invoke", "nothing"],
)
def test_only_a_rest_apis_request_is_a_request(event, expected):
    assert is_request(event) is expected
