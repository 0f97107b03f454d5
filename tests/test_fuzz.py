"""A few hundred requests of the kind that `make fuzz` sends 50,000 of; the same ones each time."""

import logging
from collections.abc import Callable, Iterator

import pytest
from falcon import App
from hypothesis import HealthCheck, example, given, settings

from quotes.resources import create_api
from quotes.service import Service
from quotes.settings import Settings
from tests.fuzz import Answered, answer_of, check, check_raw, exchange, gunicorn
from tests.fuzz_requests import Fuzzed, raw_requests, requests

NO_HEADERS: dict[str, str] = {}
ON_ONE_SERVICE = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]


@pytest.fixture
def app(make_service: Callable[..., Service], caplog: pytest.LogCaptureFixture) -> App:
    caplog.set_level(logging.CRITICAL)
    return create_api(Settings(), make_service())


@pytest.mark.timeout(120)
@settings(max_examples=800, deadline=None, derandomize=True, database=None, suppress_health_check=ON_ONE_SERVICE)
@given(requests)
@example(Fuzzed("GET", "\xff\xfe", "", NO_HEADERS, b"", None, frozenset()))
@example(Fuzzed("GET", "", "\x00\xff", NO_HEADERS, b"", "99999999999999999999", frozenset({"HTTP_HOST"})))
@example(Fuzzed("GET", "/daily", "", {"HTTP_HOST": "a b"}, b"", "", frozenset({"QUERY_STRING", "SCRIPT_NAME"})))
def test_every_answer_is_in_order_whatever_is_asked(app: App, request: Fuzzed):
    check(answer_of(app, request), request.method)


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with gunicorn(tmp_path_factory.mktemp("fuzzed")) as port:
        yield port


@pytest.mark.timeout(120)
@settings(max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(raw_requests)
def test_a_server_answers_in_order_whatever_bytes_come(port: int, pieces: list[bytes]):
    for answer in exchange(port, b"".join(pieces)):
        check_raw(answer)


WELL = {
    "access-control-allow-origin": "*",
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "content-type": "application/problem+json",
    "cache-control": "no-store",
}
PROBLEM = b'{"type": "about:blank", "title": "Bad Request", "status": 400, "detail": "No."}'


@pytest.mark.parametrize(
    ("status", "changed", "body"),
    [
        (500, {}, PROBLEM.replace(b"400", b"500")),
        (400, {}, b"Traceback (most recent call last)"),
        (400, {}, PROBLEM.replace(b"400", b"404")),
        (400, {"content-type": "text/html"}, PROBLEM),
        (400, {"x-content-type-options": ""}, PROBLEM),
        (400, {"access-control-allow-origin": "null"}, PROBLEM),
        (405, {}, PROBLEM.replace(b"400", b"405")),
        (400, {"content-length": "1"}, PROBLEM),
    ],
)
def test_an_answer_that_is_not_in_order_is_found(status: int, changed: dict[str, str], body: bytes):
    check(Answered(400, WELL | {"content-length": str(len(PROBLEM))}, PROBLEM), "GET")

    with pytest.raises((AssertionError, KeyError)):
        check(Answered(status, WELL | {"content-length": str(len(body))} | changed, body), "GET")
