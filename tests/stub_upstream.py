"""A stub of the upstream: a real HTTP server on loopback whose behaviour a test switches while it runs.

    with Upstream() as upstream:
        upstream.does = status("503 Service Unavailable")

A behaviour is a function of the `Call` it has to answer. What it sends may be no HTTP at all: it has the bare socket.
"""

import contextlib
import itertools
import json
import select
import socket
import threading
from collections.abc import Callable, Iterable
from typing import NamedTuple, Self
from urllib.parse import parse_qsl, urlsplit

DRIP = 0.05  # seconds between two bytes


class Request(NamedTuple):
    """Hold what was asked; header names are in lower case."""

    path: str
    query: list[tuple[str, str]]
    headers: dict[str, str]


class HangUp(ConnectionError):
    """End a call by closing its connection."""


class Call:
    """Stand for one request and the connection it came on."""

    def __init__(self, upstream: "Upstream", connection: socket.socket, request: Request, number: int) -> None:
        self.upstream, self.connection, self.request, self.number = upstream, connection, request, number

    def answer(self, content: bytes, status: str = "200 OK", **headers: str | int) -> None:
        """Send a whole answer; a header given as `content_length` replaces the right one."""
        all_headers: dict[str, str | int] = {"content_type": "application/json", "content_length": len(content)}
        all_headers |= headers
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in all_headers.items())
        self.send(f"HTTP/1.1 {status}\r\n{lines}\r\n".encode() + content)

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.connection.sendall(data)
        self.upstream.sent += len(data)

    def drip(self, data: Iterable[int]) -> None:
        """Send one byte after the other, slowly, until the client or the test has had enough."""
        for byte in data:
            self.send(bytes([byte]))
            self.wait(DRIP)

    def wait(self, seconds: float) -> None:
        """Let time pass; hang up where the client has gone, or the stub is stopped, meanwhile."""
        if select.select([self.connection], [], [], seconds)[0]:
            raise HangUp


Behaviour = Callable[[Call], None]


class Upstream:
    """Serve on a port of its own, from construction on.

    Attributes:
        requests: What was asked so far.
        connections: How many were accepted so far.
        open: Those that are open now.
        sent: Bytes of answers so far.
    """

    def __init__(self, does: Behaviour | None = None) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self.sent = 0
        self.open: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self._port = 0
        self.does = good  # even one that refuses needs a port to refuse on
        self.does = does or good

    @property
    def url(self) -> str:
        """Return the endpoint."""
        return f"http://127.0.0.1:{self._port}/andruxnet/quotes"

    @property
    def does(self) -> Behaviour:
        """Return the behaviour; it may be set at any time, and counts from the next request on."""
        return self._does

    @does.setter
    def does(self, behaviour: Behaviour) -> None:
        self._does = behaviour
        if behaviour is refuse:
            self._stop()
        elif self._listener is None:
            self._start()

    def __enter__(self) -> Self:
        """Return the stub, which serves already."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop serving, and close what is open."""
        self._stop()

    def _start(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self._port), backlog=128)
        self._port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _stop(self) -> None:
        listener, self._listener = self._listener, None
        for sock in filter(None, (listener, *tuple(self.open))):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        if listener:
            listener.close()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                self.open.add(connection)
                self.connections += 1
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection, connection.makefile("rb") as lines:
            while head := list(iter(lambda: lines.readline().strip().decode("latin-1"), "")):
                target = urlsplit(head[0].split()[1])
                headers = (line.partition(":") for line in head[1:])
                named = {name.lower(): value.strip() for name, _, value in headers}
                self.requests.append(Request(target.path, parse_qsl(target.query), named))
                self.does(Call(self, connection, self.requests[-1], len(self.requests)))
        self.open.discard(connection)


def entry(number: int) -> dict[str, str]:
    """Return the upstream's n-th quote."""
    return {"quote": f"Upstream quote number {number}.", "author": "Up Stream", "category": "Famous"}


def good(call: Call) -> None:
    """Answer a list of `count` quotes, one object without it; no quote is given twice."""
    count = int(dict(call.request.query).get("count", 0))
    first = 100 * call.number
    call.answer(json.dumps([entry(first + n) for n in range(count)] or entry(first)).encode())


def single(call: Call) -> None:
    """Answer one object whatever was asked, another quote each time."""
    call.answer(json.dumps(entry(call.number)).encode())


def slow(seconds: float) -> Behaviour:
    """Answer well, but late."""

    def behaviour(call: Call) -> None:
        call.wait(seconds)
        good(call)

    return behaviour


def status(line: str, **headers: str) -> Behaviour:
    """Answer a status such as `404 Not Found`."""
    return lambda call: call.answer(b'{"message": "sorry"}', line, **headers)


def body(content: bytes, **headers: str | int) -> Behaviour:
    """Answer 200 with these bytes."""
    return lambda call: call.answer(content, **headers)


def redirect(location: str) -> Behaviour:
    """Answer 302."""
    return lambda call: call.answer(b"", "302 Found", location=location)


def refuse(call: Call) -> None:
    """Refuse the connection; one that is open is closed."""
    raise HangUp


def silent(call: Call) -> None:
    """Accept the connection and never answer."""
    call.connection.recv(1)  # until the client has gone


def drip_headers(call: Call) -> None:
    """Send a byte of an endless header now and then."""
    call.drip(itertools.chain(b"HTTP/1.1 200 OK\r\nX-Drip: ", itertools.repeat(ord("a"))))


def drip_body(call: Call) -> None:
    """Send a byte of a body now and then that would take hours."""
    call.answer(b"", content_length=1_000_000)
    call.drip(itertools.repeat(ord(" ")))


def flood(start: str = "200 OK") -> Behaviour:
    """Send a body as fast as it is read, and never end it; `start` is the status and perhaps headers."""

    def behaviour(call: Call) -> None:
        call.send(f"HTTP/1.1 {start}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        while True:
            call.send(b"10000\r\n" + b" " * 0x10000 + b"\r\n")

    return behaviour


def break_off(after: bytes = b"") -> Behaviour:
    """Send these bytes and close the connection."""

    def behaviour(call: Call) -> None:
        call.send(after)
        raise HangUp

    return behaviour


def reflect(call: Call) -> None:
    """Send the request's headers back as headers that are malformed."""
    sent = "".join(f"{name}: {value}\r\n" for name, value in call.request.headers.items())
    call.send(f"HTTP/1.1 200 OK\r\nmalformed\r\n{sent}\r\n".encode())
    raise HangUp


RUBBISH = {
    "nothing": b"",
    "HTML": b"<!doctype html><title>It works!</title>",
    "truncated JSON": b'[{"quote": "To be, or',
    "JSON of another shape": b'{"contents": {"quotes": [{"quote": "Q", "author": "A", "category": "C"}]}}',
    "a list of no quotes": b'[null, 1, "quote", [], {}]',
    "deeply nested JSON": b"[" * 100_000,
    "a number of 5000 digits": b"9" * 5000,
    "no UTF-8": b'{"quote": "\xff", "author": "A", "category": "C"}',
    "lone surrogates": rb'{"quote": "\ud800", "author": "A", "category": "C"}',
    "NULs and control characters": rb'{"quote": "\u0000\u0007\u001b", "author": "A", "category": "C"}',
    "an empty quote": b'{"quote": " ", "author": "A", "category": "C"}',
    "numbers for texts": b'{"quote": 1, "author": 2, "category": 3}',
}
