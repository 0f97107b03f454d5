"""Lines of the log on Lambda: JSON, with the invocation, the trace, the route and whence the quote came."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from zappa.cli import ZappaCLI

from quotes.gateway import create_handler
from quotes.json_log import LambdaFormatter
from quotes.mashape import Mashape
from quotes.resources import create_api
from quotes.service import Service
from quotes.settings import Settings
from tests.conftest import Clock
from tests.stub_upstream import Call, Upstream
from tests.test_gateway import a_stage, an_event

TRACE = "1-67891233-abcdef012345678912345678"


def invoked(record: logging.LogRecord) -> bool:
    """Add what Lambda's runtime client adds to a record."""
    record.aws_request_id, record.tenant_id = "an-id", None
    return True


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Let logging be as Lambda's runtime client sets it up; return what was written."""
    monkeypatch.setenv("_X_AMZN_TRACE_ID", f"Root={TRACE};Parent=abcdef0123456789;Sampled=1;Lineage=1:a:0")
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.terminator = ""
    handler.addFilter(invoked)
    handler.setFormatter(LambdaFormatter())
    logger = logging.getLogger("quotes")
    logger.addHandler(handler)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    logger.removeHandler(handler)


def test_a_request_is_one_line_with_all_that_may_be_told(make_service: Callable[..., Service], lines):
    answering = create_handler(create_api(Settings(), make_service()), a_stage())
    event = an_event("/daily", multiValueQueryStringParameters={"mobile": ["919028012345"]})
    answer, _ = (answering(event, None) for _ in range(2))

    decided, first, second = lines()
    time, took = first.pop("time"), first.pop("milliseconds")
    assert first == {
        "level": "INFO",
        "request_id": "an-id",
        "trace_id": TRACE,
        "logger": "quotes.gateway",
        "message": f"GET /daily 203.0.113.7 200 {len(answer['body'].encode())} bytes {took} ms",
        "route": "/daily",
        "status": 200,
        "whence": "corpus",
    }
    assert (len(time), time[10], time[-1]) == (24, "T", "Z")
    assert list(second) == ["time", *list(first)[:-1], "milliseconds", "whence"]
    assert second["whence"] == "memory"
    assert (decided["logger"], decided["request_id"]) == ("quotes.daily", "an-id")


@pytest.mark.parametrize(
    ("path", "query", "status", "route", "whence", "shown"),
    [
        ("/quote", {"type": ["random"]}, 200, "/quote", "corpus", "/quote"),
        ("/", {"count": ["3"]}, 200, "/", "corpus", "/"),
        ("/health", None, 200, "/health", None, "/health"),
        ("/quote", {"type": ["weekly"]}, 400, "/quote", None, "/quote"),
        ("/no/919028012345\n", None, 404, None, None, "/no/[number]%0A"),
    ],
)
def test_the_route_is_its_template_and_a_path_that_is_none_has_no_number(
    make_service: Callable[..., Service], lines, path, query, status, route, whence, shown
):
    event = an_event(path, multiValueQueryStringParameters=query)
    create_handler(create_api(Settings(), make_service()), a_stage())(event, None)

    line = lines()[-1]
    assert (line["status"], line["route"], line["whence"]) == (status, route, whence)
    assert line["message"].startswith(f"GET {shown} 203.0.113.7 {status} ")


def test_a_line_tells_whence_the_quote_came(make_service: Callable[..., Service], clock: Clock, lines):
    def another(call: Call) -> None:
        call.answer(json.dumps([{"quote": f"{call.number}.", "author": "Somebody", "category": "Numbers"}]).encode())

    with Upstream() as server:
        server.does = another
        services = [make_service(Mashape(server.url, "")) for _ in range(2)]  # two instances, one state
        first, second = (create_handler(create_api(Settings(), service), a_stage()) for service in services)
        for instance, path in (
            (first, "/daily"),
            (first, "/daily"),
            (second, "/daily"),
            (second, "/daily"),
            (first, "/"),
        ):
            instance(an_event(path), None)
        first(an_event("/daily", multiValueQueryStringParameters={"date": ["2026-11-21"]}), None)
        first(an_event("/", multiValueQueryStringParameters={"category": ["love"]}), None)
        clock.move(days=1)
        third = create_handler(create_api(Settings(), make_service()), a_stage())
        for _ in range(2):
            third(an_event("/daily", multiValueQueryStringParameters={"date": ["2026-11-21"]}), None)

    told = [line["whence"] for line in lines() if line["logger"] == "quotes.gateway"]
    assert told == ["upstream", "memory", "state", "memory", "upstream", "memory", "corpus", "state", "memory"]


def test_zappa_knows_which_lines_are_requests(make_service: Callable[..., Service], lines):
    create_handler(create_api(Settings(), make_service()), a_stage())(an_event("/daily"), None)

    written = [json.dumps(line) for line in lines()]
    assert [ZappaCLI().is_http_log_entry(line) for line in written] == [False, True]


def test_a_traceback_has_no_number_and_stays_in_its_line(lines):
    try:
        raise ValueError("of +919028012345\nand ?mobile=9190")  # noqa: TRY301
    except ValueError:
        logging.getLogger("quotes").exception("It failed.")

    (line,) = lines()
    assert (line["level"], line["message"]) == ("ERROR", "It failed.")
    assert line["exc_info"][-1] == "ValueError: of [number]\nand ?[query]"
    assert line["exc_info"][0].startswith("tests/test_json_log.py:")


@pytest.mark.parametrize("header", ["", "Root=1;Parent=2", "Self=1-2", f"Root={TRACE}0"])
def test_without_a_trace_there_is_none(lines, monkeypatch: pytest.MonkeyPatch, header: str):
    monkeypatch.setenv("_X_AMZN_TRACE_ID", header)

    logging.getLogger("quotes").error("é")

    (line,) = lines()
    assert (line["trace_id"], line["message"]) == (None, "é")
