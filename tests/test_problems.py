"""One shape for every error: `application/problem+json` (RFC 9457)."""

from collections.abc import Callable
from pathlib import Path

import pytest

from quotes.corpus import Corpus
from quotes.database import open_database
from quotes.errors import CorpusError
from quotes.service import Service
from tests.test_resources import EVERY_ANSWER, client_of

UNAVAILABLE = "The data for this cannot be read right now; try again in a few seconds."


def problem(status: int, title: str, detail: str, kind: str = "about:blank") -> dict[str, object]:
    return {"type": kind, "title": title, "status": status, "detail": detail}


def invalid(detail: str) -> dict[str, object]:
    return problem(400, "Invalid parameter", detail, "urn:problem-type:invalid-parameter")


BY_ACCEPT = {"vary": "Accept"}
ALLOWED = {"allow": "GET, HEAD, OPTIONS"}
LATER = {"vary": "Accept", "retry-after": "5"}

# What is asked, which part of the service is broken, what else the headers say, and the whole body.
ERRORS = {
    "type": (
        {"path": "/quote?type=weekly"},
        None,
        BY_ACCEPT,
        problem(
            400,
            "Invalid Quote type",
            "Supported types are 'daily' or 'random'.",
            "urn:problem-type:invalid-quote-type",
        ),
    ),
    "parameter": ({"path": "/quote?author="}, None, BY_ACCEPT, invalid("The parameter 'author' is empty.")),
    "format": (
        {"path": "/daily?format=xml"},
        None,
        BY_ACCEPT,
        invalid("The parameter 'format' is none of json, text, svg."),
    ),
    "number": (
        {"path": "/?count=51"},
        None,
        BY_ACCEPT,
        invalid("The parameter 'count' is not a whole number from 1 to 50."),
    ),
    "date": (
        {"path": "/daily?date=2026-11-22"},
        None,
        BY_ACCEPT,
        invalid("The parameter 'date' lies in the future; today is 2026-11-21."),
    ),
    "day": (
        {"path": "/daily?date=2026-11-20"},
        None,
        BY_ACCEPT,
        problem(404, "Not Found", "No quote is on record for 2026-11-20."),
    ),
    "match": (
        {"path": "/?author=%E2%9D%A4"},
        None,
        BY_ACCEPT,
        problem(404, "Not Found", "No quote matches author '❤'."),
    ),
    "path": ({"path": "/nowhere"}, None, {}, problem(404, "Not Found", "There is nothing at this path.")),
    "method": (
        {"path": "/daily", "method": "POST", "body": "quote=mine"},
        None,
        ALLOWED,
        problem(405, "Method Not Allowed", "This path does not know that method; Allow lists those it knows."),
    ),
    "accept": (
        {"path": "/daily", "headers": {"Accept": "image/png"}},
        None,
        BY_ACCEPT,
        problem(
            406,
            "Not Acceptable",
            "This is available as application/json or text/plain; charset=utf-8 or image/svg+xml.",
        ),
    ),
    "defect": (
        {"path": "/"},
        "code",
        BY_ACCEPT,
        problem(500, "Internal Server Error", "Something went wrong here. It is not your request's fault."),
    ),
    "corpus": ({"path": "/"}, "corpus", LATER, problem(503, "Service Unavailable", UNAVAILABLE)),
    "database": (
        {"path": "/daily?date=2026-11-20"},
        "database",
        LATER,
        problem(503, "Service Unavailable", UNAVAILABLE),
    ),
}


def corpus_that_raises(error: Exception) -> Corpus:
    def find() -> Path:
        raise error

    return Corpus(find)


@pytest.mark.parametrize(("request_", "broken", "more_headers", "body"), ERRORS.values(), ids=ERRORS)
def test_every_error_has_the_same_shape(
    make_service: Callable[..., Service], tmp_path: Path, request_, broken, more_headers, body
):
    parts = {
        None: {},
        "code": {"corpus": corpus_that_raises(RuntimeError("nobody thought of this"))},
        "corpus": {"corpus": corpus_that_raises(CorpusError("/srv/corpus.sqlite3 is missing."))},
        "database": {"database": open_database(f"sqlite:///{tmp_path}/no/such/folder/quotes.db")},
    }

    answer = client_of(make_service(**parts[broken])).simulate_request(**{"method": "GET"} | request_)

    assert answer.status_code == body["status"]
    assert dict(answer.headers) == EVERY_ANSWER | more_headers | {
        "content-type": "application/problem+json",
        "content-length": str(len(answer.content)),
        "cache-control": "no-store",
    }
    assert answer.json == body
    assert list(answer.json) == ["type", "title", "status", "detail"]
