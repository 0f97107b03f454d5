"""One exchange over a real socket: whole, or over when its time is over."""

import gzip
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from quotes.errors import UpstreamError, UpstreamRubbish, UpstreamTimeout, UpstreamUnreachable
from quotes.transport import SIZE_LIMIT, Transport
from tests.stub_upstream import (
    Behaviour,
    Call,
    Upstream,
    body,
    break_off,
    drip_body,
    drip_headers,
    flood,
    good,
    redirect,
    refuse,
    silent,
    single,
    slow,
    status,
)

BUDGET = 0.5  # seconds
DRIPS = {"slow": slow(60), "silent": silent, "dripping headers": drip_headers, "dripping body": drip_body}


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


def transport(upstream: Upstream, budget: float = 3.0) -> Transport:
    return Transport(upstream.url, {"X-Mashape-Key": "secret"}, {"count": "1"}, budget)


def until(condition: Callable[[], object]) -> bool:
    deadline = time.monotonic() + 10
    while not (met := bool(condition())) and time.monotonic() < deadline:
        time.sleep(0.01)
    return met


def exchanges() -> int:
    return sum(thread.name == "upstream" for thread in threading.enumerate())


def test_an_answer_is_its_status_its_headers_in_lower_case_and_its_body(upstream: Upstream) -> None:
    upstream.does = status("404 Not Found", X_Why="gone")
    headers = {"content-type": "application/json", "content-length": "20", "x-why": "gone"}
    assert transport(upstream).get() == (404, headers, b'{"message": "sorry"}')


def test_headers_and_parameters_are_sent(upstream: Upstream) -> None:
    transport(upstream).get()
    assert [(asked.path, asked.query, asked.headers["x-mashape-key"]) for asked in upstream.requests] == [
        ("/andruxnet/quotes", [("count", "1")], "secret")
    ]


def test_a_connection_serves_several_requests(upstream: Upstream) -> None:
    kept = transport(upstream)
    assert [kept.get()[0] for _ in range(5)] == [200] * 5
    assert upstream.connections == 1


def test_a_connection_that_was_closed_meanwhile_is_replaced(upstream: Upstream) -> None:
    kept = transport(upstream)
    kept.get()
    upstream.does = refuse
    upstream.does = good
    assert kept.get()[0] == 200


@pytest.mark.parametrize("drip", DRIPS.values(), ids=DRIPS)
def test_it_is_over_when_the_budget_is_spent(upstream: Upstream, drip: Behaviour) -> None:
    upstream.does = drip
    begun = time.monotonic()
    with pytest.raises(UpstreamTimeout):
        transport(upstream, BUDGET).get()
    assert time.monotonic() - begun < BUDGET + 0.5  # what the contract grants: 3.5 s with a budget of 3


@pytest.mark.parametrize("drip", DRIPS.values(), ids=DRIPS)
def test_nothing_goes_on_after_the_budget_is_spent(upstream: Upstream, drip: Behaviour) -> None:
    upstream.does = drip
    with pytest.raises(UpstreamTimeout):
        transport(upstream, BUDGET).get()
    assert until(lambda: exchanges() == 0)
    upstream.does = good
    transport(upstream).get()
    assert upstream.connections == 2  # accepted in their order, so no third one is on its way


def test_a_host_that_takes_no_connection_costs_the_budget_at_most() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        queued = [socket.socket() for _ in range(4)]  # more than its queue has room for
        try:
            for waiting in queued:
                waiting.setblocking(False)
                waiting.connect_ex(address)
            with pytest.raises(UpstreamTimeout):
                Transport(f"http://127.0.0.1:{address[1]}/", {}, {}, BUDGET).get()
            assert until(lambda: exchanges() == 0)
        finally:
            for waiting in queued:
                waiting.close()


@pytest.mark.parametrize(
    "huge",
    [body(b" " * (SIZE_LIMIT + 1)), flood(), body(gzip.compress(bytes(10 * SIZE_LIMIT)), content_encoding="gzip")],
    ids=["too long", "endless", "long once decompressed"],
)
def test_a_body_over_the_limit_is_rubbish(upstream: Upstream, huge: Behaviour) -> None:
    upstream.does = huge
    with pytest.raises(UpstreamRubbish, match="its answer is larger than 256 KiB"):
        transport(upstream).get()


def test_a_body_at_the_limit_is_whole(upstream: Upstream) -> None:
    upstream.does = body(b" " * SIZE_LIMIT)
    assert len(transport(upstream).get()[2]) == SIZE_LIMIT


@pytest.mark.parametrize(
    "start",
    ["200 OK", "302 Found\r\nLocation: /", "503 Service Unavailable", "429 Too Many Requests\r\nRetry-After: 1"],
    ids=["200", "302", "503", "429 with Retry-After"],
)
def test_no_more_of_an_endless_body_is_read_than_the_limit(upstream: Upstream, start: str) -> None:
    upstream.does = flood(start)
    with pytest.raises(UpstreamError):
        transport(upstream, BUDGET).get()
    assert until(lambda: exchanges() == 0)
    assert upstream.sent < SIZE_LIMIT + 16 * 1024 * 1024  # the kernel's buffers hold some megabytes


@pytest.mark.parametrize("line", ["429 Too Many Requests", "503 Service Unavailable"])
def test_an_answer_that_says_when_to_retry_is_an_answer(upstream: Upstream, line: str) -> None:
    upstream.does = status(line, Retry_After="1")
    assert transport(upstream).get()[0] == int(line[:3])
    assert len(upstream.requests) == 1


def test_a_redirect_is_not_followed_and_no_other_host_sees_the_key(upstream: Upstream) -> None:
    with Upstream() as elsewhere:
        upstream.does = redirect(elsewhere.url)
        assert transport(upstream).get()[0] == 302
        assert elsewhere.connections == 0


def test_a_redirect_to_itself_ends_at_once(upstream: Upstream) -> None:
    upstream.does = redirect(upstream.url)
    assert transport(upstream).get()[0] == 302
    assert len(upstream.requests) == 1


@pytest.mark.parametrize(
    ("fault", "tries"),
    [
        (break_off(), 2),
        (break_off(b"SSH-2.0-OpenSSH_9.2\r\n"), 2),
        (break_off(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"), 1),
        (break_off(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"), 1),
        (break_off(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n"), 1),
        (refuse, 0),
    ],
    ids=["says nothing", "speaks no HTTP", "after headers", "wrong length", "wrong chunk", "refuses"],
)
def test_a_broken_connection_is_tried_once_more_unless_the_answer_had_begun(
    upstream: Upstream, fault: Behaviour, tries: int
) -> None:
    upstream.does = fault
    with pytest.raises(UpstreamUnreachable, match=r"^the connection failed \(\w+\)$"):
        transport(upstream).get()
    assert len(upstream.requests) == tries


def test_the_second_try_may_bring_the_answer(upstream: Upstream) -> None:
    def break_off_once(call: Call) -> None:
        (break_off() if call.number == 1 else single)(call)

    upstream.does = break_off_once
    assert json.loads(transport(upstream).get()[2])["quote"] == "Upstream quote number 2."


def test_a_proxy_in_the_environment_sees_nothing(upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    with Upstream() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        assert transport(upstream).get()[0] == 200
        assert proxy.connections == 0


PIECES = """\
HTTP/1.1 200 OK
HTTP/1.1 302 Found
Location: http://[
Content-Length: 99999999999999999999
Transfer-Encoding: chunked
ffffffff
Content-Encoding: gzip
Retry-After: soon

{}
"""
_pieces = st.sampled_from(PIECES.encode().splitlines(keepends=True))


@given(sent=st.lists(_pieces | st.binary(max_size=9)).map(b"".join))
@example(sent=b"HTTP/1.1 302 Found\r\nLocation: http://[\r\n\r\n")
@settings(deadline=None, max_examples=150)
def test_whatever_is_sent_is_an_answer_or_an_upstream_error(sent: bytes) -> None:
    with Upstream(break_off(sent)) as upstream:
        try:
            code, _, content = transport(upstream).get()
        except UpstreamError:
            return
    assert 100 <= code <= 999
    assert len(content) <= len(sent)
