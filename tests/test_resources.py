"""The service over HTTP as a whole: health, methods, preflight, secrets, and no request that breaks it."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote_from_bytes

import pytest
from falcon import testing
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quotes import __version__
from quotes.corpus import Corpus
from quotes.corpus_builder import built_file
from quotes.database import open_database
from quotes.errors import CorpusError
from quotes.mashape import Mashape
from quotes.resources import create_api
from quotes.service import Service
from quotes.settings import Settings
from tests.test_service import KEPT, write_corpus

PATHS = ["/", "/quote", "/daily", "/health"]

EVERY_ANSWER = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "ETag, Retry-After",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}

DATABASE = {
    "kind": "sqlite",
    "status": "ok",
    "shared": True,
    "meaning": "a file here; the service's processes on this machine share it",
}
HEALTHY = {
    "status": "ok",
    "version": __version__,
    "database": DATABASE,
    "upstream": {"status": "off"},
    "today": False,
}


@pytest.fixture
def one_quote(tmp_path: Path) -> Corpus:
    """Return a library in which chance has no choice."""
    return Corpus(lambda: built_file(write_corpus(tmp_path / "corpus.jsonl", [KEPT])))


def missing_corpus() -> Corpus:
    def find():
        raise CorpusError("corpus.sqlite3 is missing.")

    return Corpus(find)


def client_of(service: Service) -> testing.TestClient:
    return testing.TestClient(create_api(Settings(), service))


def test_health_is_told_whole_and_kept_by_nobody(client: testing.TestClient):
    answer = client.simulate_get("/health")

    assert answer.status_code == 200
    assert dict(answer.headers) == EVERY_ANSWER | {
        "content-type": "application/json",
        "content-length": str(len(answer.content)),
        "cache-control": "no-store",
    }
    assert answer.json == HEALTHY
    assert list(answer.json) == ["status", "version", "database", "upstream", "today"]


def test_health_says_when_the_quote_of_today_is_on_record(client: testing.TestClient):
    client.simulate_get("/daily")

    assert client.simulate_get("/health").json == HEALTHY | {"today": True}


def test_health_is_503_while_the_database_is_unusable(make_service: Callable[..., Service], tmp_path):
    service = make_service(database=open_database(f"sqlite:///{tmp_path}/no/such/folder/quotes.db"))

    answer = client_of(service).simulate_get("/health")

    assert answer.status_code == 503
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json == HEALTHY | {"status": "unavailable", "database": DATABASE | {"status": "unavailable"}}


def test_health_is_503_while_the_corpus_is_unusable(make_service: Callable[..., Service]):
    answer = client_of(make_service(corpus=missing_corpus())).simulate_get("/health")

    assert answer.status_code == 503
    assert answer.json == HEALTHY | {"status": "unavailable", "corpus": {"status": "unavailable"}}


def test_an_upstream_that_is_down_is_told_and_is_no_ill_health(make_service: Callable[..., Service]):
    client = client_of(make_service(upstream=Mashape("http://127.0.0.1:1/quotes", "s3cret")))
    before = client.simulate_get("/health")
    random = client.simulate_get("/quote?type=random")
    after = client.simulate_get("/health")

    assert random.status_code == 200
    assert (before.status_code, before.json) == (200, HEALTHY | {"upstream": {"status": "unknown"}})
    failing = {"status": "failing", "error": "the connection failed (NewConnectionError)"}
    assert (after.status_code, after.json) == (200, HEALTHY | {"upstream": failing})


@pytest.mark.parametrize("path", [*PATHS, "/quote?type=random&count=1", "/quote?format=text", "/quote?type=x", "/no"])
def test_head_answers_like_get_without_the_body(make_service: Callable[..., Service], one_quote: Corpus, path: str):
    client = client_of(make_service(corpus=one_quote))
    client.simulate_get("/daily")

    got, head = client.simulate_get(path), client.simulate_head(path)

    assert head.status == got.status
    assert dict(head.headers) == dict(got.headers)
    assert head.content == b""


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "BREW", "get"])
@pytest.mark.filterwarnings("ignore:Unknown REQUEST_METHOD")
@pytest.mark.parametrize("path", PATHS)
def test_a_method_that_a_path_does_not_know_is_405_and_told_which_it_knows(
    client: testing.TestClient, path: str, method: str
):
    answer = client.simulate_request(method, path)

    assert answer.status_code == 405
    assert dict(answer.headers) == EVERY_ANSWER | {
        "content-type": "application/problem+json",
        "content-length": str(len(answer.content)),
        "cache-control": "no-store",
        "allow": "GET, HEAD, OPTIONS",
    }
    assert answer.json["title"] == "Method Not Allowed"


@pytest.mark.parametrize("path", PATHS)
def test_a_preflight_lets_every_origin_read(client: testing.TestClient, path: str):
    asks = {"Origin": "https://example.org", "Access-Control-Request-Method": "GET"}

    answer = client.simulate_options(path, headers=asks)

    assert (answer.status_code, answer.content) == (200, b"")
    assert (
        dict(answer.headers).items()
        >= {
            "access-control-allow-origin": "*",
            "access-control-allow-methods": "GET, HEAD",
            "access-control-allow-headers": "Accept, Authorization, Content-Type, If-None-Match, X-Api-Key",
            "access-control-max-age": "86400",
            "x-content-type-options": "nosniff",
        }.items()
    )


@pytest.mark.parametrize("path", PATHS)
def test_every_path_answers_below_a_stage_prefix(client: testing.TestClient, path: str):
    assert client.simulate_get(path, root_path="/dev").status_code == 200


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://quotes:s3cret-word@127.0.0.1:1/quotes",
        "postgresql://quotes@127.0.0.1:1/quotes?password=s3cret-word",
        "cockroachdb://quotes:%73%33cret-word@127.0.0.1:1/quotes",
    ],
)
def test_no_answer_and_no_log_line_holds_the_password_of_the_database(
    make_service: Callable[..., Service], caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture, url: str
):
    caplog.set_level(logging.DEBUG)
    client = client_of(make_service(database=open_database(url)))

    with ThreadPoolExecutor() as together:  # each waits until the time for connecting is over
        answers = list(together.map(client.simulate_get, ["/", "/daily", "/daily?date=2026-11-20", "/health"]))

    assert [answer.status_code for answer in answers] == [200, 200, 503, 503]
    assert "Connection refused" in caplog.text
    told = [caplog.text, *capsys.readouterr(), *(f"{answer.headers}{answer.text}" for answer in answers)]
    assert "cret-word" not in "".join(told)  # neither as it is nor percent-encoded


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="?"), max_size=20)
LATIN_1 = st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=30)
NAMES = st.sampled_from(["type", "format", "date", "category", "author", "min_length", "max_length", "count", "x", ""])
VALUES = st.sampled_from([b"daily", b"random", b"json", b"text", b"2026-11-20", b"Love", b"0", b"50"]) | st.binary(
    max_size=12
)
PAIRS = st.tuples(NAMES, VALUES.map(quote_from_bytes)).map("=".join)
HEADERS = st.sampled_from(["Accept", "If-None-Match", "If-Modified-Since", "Range", "Origin", "Host", "Forwarded"])
WELL_FORMED = st.sampled_from(
    ["*/*", "text/plain", "text/html;q=0.5, application/json", "*", 'W/"a", "b"', "bytes=0-1"]
)


@given(
    method=st.sampled_from(["GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE"]),
    path=st.sampled_from(PATHS) | TEXT.map("/{}".format),
    query=st.lists(PAIRS, max_size=4).map("&".join) | LATIN_1.map(lambda text: text.lstrip("?")),
    headers=st.dictionaries(HEADERS, WELL_FORMED | LATIN_1, max_size=3),
    body=st.binary(max_size=20),
)
@settings(deadline=None, max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_request_breaks_the_service(client: testing.TestClient, method, path, query, headers, body):
    answer = client.simulate_request(method, path, query_string=query, headers=headers, body=body)

    assert answer.status_code in (200, 304, 400, 404, 405, 406)
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    if answer.status_code >= 400:
        assert answer.headers["Content-Type"] == "application/problem+json"
