"""A real gunicorn and clients that are slow, say half of it, say nonsense or say too much."""

import contextlib
import http.client
import json
import os
import select
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from quotes.slow_clients import is_whole
from tests.test_import import server

ROOT = Path(__file__).parent.parent
HEAD = b"GET /quote?type=random HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Serve as `python -m quotes serve` does, on any port."""
    folder = tmp_path_factory.mktemp("served")
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(folder)}
    command = [sys.executable, "-m", "gunicorn", "quotes.resources:api", "--config=python:quotes.server"]
    with server([*command, "--bind=127.0.0.1:0"], environ, folder) as (_, port):
        yield port


def connected(port: int, data: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    connection.sendall(data)
    return connection


def answers(connection: socket.socket) -> Iterator[tuple[int, dict[str, str], bytes]]:
    """Give what the server answers until it closes the connection."""
    with contextlib.closing(connection), connection.makefile("rb") as stream:
        while line := stream.readline():
            headers = {}
            while header := stream.readline().strip():
                name, _, value = header.decode().partition(": ")
                headers[name.lower()] = value
            yield int(line.split()[1]), headers, stream.read(int(headers["content-length"]))


def ask(port: int) -> int:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        connection.request("GET", "/quote?type=random")
        return connection.getresponse().status


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "half",
    [
        b"",
        b"G",
        HEAD,
        HEAD + b"X-Slow: ",
        b"POST /subscribe HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nmobile=",
        HEAD + b"\r\n" + HEAD,  # the first is answered, the second is half
        b"POST /subscribe HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n",
        b"POST /subscribe HTTP/1.1\r\nHost: x\r\nContent-Length: %030d\r\n\r\n" % 9,
    ],
    ids=[
        "nothing",
        "a byte",
        "no end",
        "half a header",
        "half a body",
        "one and a half",
        "a body to be asked for",
        "a length with many zeros",
    ],
)
def test_two_hundred_half_requests_keep_nobody_waiting(port: int, half: bytes):
    with contextlib.ExitStack() as kept:
        for _ in range(200):
            kept.enter_context(connected(port, half))

        assert [ask(port) for _ in range(20)] == [200] * 20


@pytest.mark.timeout(60)
def test_a_request_that_does_not_arrive_is_given_up(port: int):
    begun = time.monotonic()
    with connected(port, HEAD) as connection:
        while not select.select([connection], [], [], 0.5)[0] and time.monotonic() - begun < 30:
            connection.sendall(b"X")  # a letter of a header now and then

        assert select.select([connection], [], [], 0)[0]
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(100) == b""


@pytest.mark.timeout(30)
def test_a_request_may_come_in_pieces(port: int):
    whole = b"POST /subscribe HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n"
    whole += b'Content-Length: 16\r\n\r\n{"mobile": "12"}'
    with connected(port, b"") as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for n in range(len(whole)):
            connection.sendall(whole[n : n + 1])
        ((status, _, body),) = answers(connection)

    assert (status, json.loads(body)["title"]) == (400, "Invalid parameter")


@pytest.mark.timeout(30)
def test_who_waits_to_be_asked_for_the_body_is_asked(port: int):
    body = b'{"mobile": "12"}'
    asking = b"POST /subscribe HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n"
    connection = connected(port, asking + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body))
    asked = b"HTTP/1.1 100 Continue\r\n\r\n"

    assert connection.recv(len(asked), socket.MSG_WAITALL) == asked
    connection.sendall(body)
    assert connection.recv(len(asked), socket.MSG_WAITALL) == asked  # gunicorn's own
    ((status, _, answer),) = answers(connection)
    assert (status, json.loads(answer)["title"]) == (400, "Invalid parameter")


@pytest.mark.timeout(30)
def test_requests_in_a_row_are_answered_in_their_order(port: int):
    paths = [b"/daily", b"/nowhere", b"/quote?type=weekly", b"/daily"]
    row = b"".join(b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % path for path in paths)
    end = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

    assert [status for status, _, _ in answers(connected(port, row + end))] == [200, 404, 400, 200, 200]


@pytest.mark.timeout(30)
def test_a_body_that_is_too_long_is_not_waited_for_and_ends_the_connection(port: int):
    refused = b"POST /subscribe HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10001\r\n\r\n" + b"x" * 10_001
    end = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

    assert [status for status, _, _ in answers(connected(port, refused + end))] == [413]


@pytest.mark.timeout(30)
def test_who_has_said_everything_may_close_his_half(port: int):
    connection = connected(port, HEAD + b"\r\n")
    connection.shutdown(socket.SHUT_WR)

    assert [status for status, _, _ in answers(connection)] == [200]


REFUSED = {
    "no request": (b"RUBBISH\r\n\r\n", 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    "no version": (b"GET /\r\n\r\n", 400),
    "another version": (b"GET / HTTP/9.9\r\n\r\n", 400),
    "a lower-case method": (b"get / HTTP/1.1\r\n\r\n", 400),
    "a space in the path": (b"GET /a b HTTP/1.1\r\n\r\n", 400),
    "a bare LF": (b"GET / HTTP/1.1\nHost: x\r\n\r\n", 400),
    "a space before the colon": (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400),
    "a folded header": (b"GET / HTTP/1.1\r\nHost: x\r\n y\r\n\r\n", 400),
    "two hosts": (b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
    "a NUL": (b"GET / HTTP/1.1\r\nHost: x\r\nX: \0\r\n\r\n", 400),
    "two lengths": (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
    "length and chunks": (
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "a negative length": (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
    "an unknown coding": (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: rot13\r\n\r\n", 501),
    "an unknown expectation": (b"GET / HTTP/1.1\r\nHost: x\r\nExpect: a miracle\r\n\r\n", 417),
    "a long request line": (b"GET /?" + b"x" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    "a long header": (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 9000 + b"\r\n\r\n", 431),
    "many headers": (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 64 + b"\r\n", 431),
    "endless headers": (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 11_000, 431),
    "a host that is none": (b"GET / HTTP/1.1\r\nConnection: close\r\nHost: <x>\r\n\r\n", 400),
    "headers without end": (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 20_000, 431),
    "letters in a URL": ("GET /quote?author=Bront\xeb HTTP/1.1\r\nHost: x\r\n\r\n".encode(), 400),
    "a long body": (b"POST / HTTP/1.1\r\nConnection: close\r\nHost: x\r\nContent-Length: 999999999\r\n\r\n", 413),
    "chunks": (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 411),
    "wrong chunks": (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n" + HEAD + b"\r\n", 411),
}


@pytest.mark.timeout(30)
@pytest.mark.parametrize(("sent", "status"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_request_is_refused_as_a_problem_that_repeats_none_of_it(port: int, sent: bytes, status: int):
    ((told, headers, body),) = answers(connected(port, sent))
    problem = json.loads(body)

    assert (told, problem["status"], headers["content-type"]) == (status, status, "application/problem+json")
    assert list(problem) == ["type", "title", "status", "detail"]
    assert headers["connection"] == "close" or status == 411
    assert headers["access-control-allow-origin"] == "*"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers.get("server", "gunicorn") == "gunicorn"  # without its version
    assert not {b"RUBBISH", b"rot13", b"miracle", b"<x>"} & set(body.split())


def test_nobody_says_from_afar_that_he_came_by_https_or_under_a_prefix(port: int):
    forged = b"SCRIPT_NAME: /evil\r\nPATH_INFO: /health\r\nX_Forwarded_Proto: https\r\nConnection: close\r\n\r\n"
    ((status, headers, _),) = answers(connected(port, HEAD + forged))

    assert status == 200
    assert "strict-transport-security" not in headers


def test_a_request_line_holds_two_long_names(port: int):
    name = b"%F0%9F%98%80" * 200
    query = b"/quote?type=random&author=%s&category=%s" % (name, name)
    ((status, _, _),) = answers(connected(port, b"GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % query))

    assert status == 404


@pytest.mark.parametrize(
    ("data", "whole"),
    [
        (b"", False),
        (b"GET / HTTP/1.1\r\n\r", False),
        (b"GET / HTTP/1.1\r\n\r\n", True),
        (b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\na", False),
        (b"POST / HTTP/1.1\r\nCONTENT-length:2\r\n\r\nab", True),
        (b"POST / HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n", False),
        (b"POST / HTTP/1.1\r\nContent-Length: 0000000000000000002\r\n\r\na", False),
        (b"POST / HTTP/1.1\r\nX: \r\n\r\nContent-Length: 9\r\n\r\n", True),
        (b"POST / HTTP/1.1\r\nContent-Length: 10001\r\n\r\n", True),  # nobody will read it
        (b"x" * 70_000, False),
    ],
)
def test_a_request_is_whole_with_its_last_byte(data: bytes, whole: bool):
    assert is_whole(data) is whole
