"""A real S3 interface on loopback: moto's server, and before it a proxy that plays what can happen on the way.

    def test_an_upload_that_fails_is_repeated(s3: S3) -> None:
        s3.faults["PUT"] = iter([drop_answer])  # the next PUT's; those after it are passed on

A fault is a function of the `Exchange` that it has to end. Modules that use the fixtures name this one in
`pytest_plugins` and import faults from it; for that, pytest has to leave it as it is: PYTEST_DONT_REWRITE.
"""

import contextlib
import itertools
import random
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

import pytest

from quotes.settings import Role

KEY = "state/quotes.db"
PATIENCE = 10.0  # seconds that an exchange waits for what the test promised

# Moto wants to know who asks, but does not check it.
SIGNED = {"Authorization": "AWS4-HMAC-SHA256 Credential=test/20261121/us-east-1/s3/aws4_request"}

_numbers = itertools.count(1)


class Request(NamedTuple):
    """Hold what was asked, with its condition."""

    method: str
    if_match: str | None = None
    if_none_match: str | None = None


class Answer(NamedTuple):
    """Hold what moto answered."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


class S3(ThreadingHTTPServer):
    """Serve one bucket; client and test talk to the same one, the client through what the test puts in the way.

    Attributes:
        url: The `DATABASE_URL` of an object that is not there yet.
        bucket: The bucket's name.
        requests: What was asked so far.
        faults: What happens to the next requests of a method; where nothing is left, they are passed on.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, moto_port: int, bucket: str) -> None:
        super().__init__(("127.0.0.1", 0), Exchange)
        self.bucket = bucket
        self.url = f"s3://{bucket}/{KEY}"
        self.requests: list[Request] = []
        self.faults: dict[str, Iterator[Fault]] = {}
        self._moto_port = moto_port
        self._taking = threading.Lock()
        self._at_moto = threading.Lock()

    @property
    def role(self) -> Role:
        """Return the role of a Lambda function that may use this bucket."""
        return Role("test", "test", "session", "us-east-1", f"http://127.0.0.1:{self.server_port}")

    @property
    def body(self) -> bytes | None:
        """Return the object as it is now, None where there is none; it may also be set, as if by somebody else."""
        answer = self.forward("GET", f"/{self.bucket}/{KEY}")
        return answer.body if answer.status == 200 else None

    @body.setter
    def body(self, body: bytes) -> None:
        assert self.forward("PUT", f"/{self.bucket}/{KEY}", body).status == 200

    def delete(self) -> None:
        """Delete the object."""
        assert self.forward("DELETE", f"/{self.bucket}/{KEY}").status == 204

    def forward(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
        """Let moto do it: one request after the other, for moto looks at a condition first and replaces later."""
        with self._at_moto, contextlib.closing(HTTPConnection("127.0.0.1", self._moto_port)) as connection:
            connection.request(method, path, body, headers or SIGNED)
            answer = connection.getresponse()
            return Answer(answer.status, answer.getheaders(), answer.read())

    def take(self, request: Request) -> "Fault":
        """Take note of a request, and say what shall happen to it."""
        with self._taking:
            self.requests.append(request)
            return next(self.faults.get(request.method, iter(())), pass_on)

    def handle_error(self, request: object, client_address: object) -> None:
        """Report an error of ours; that a client hung up, or was killed, is none."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Exchange(BaseHTTPRequestHandler):
    """Be one request on its way to S3, and its answer on the way back."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: S3

    def do_GET(self) -> None:
        self._end()

    def do_PUT(self) -> None:
        self._end()

    def _end(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        self.body = self.rfile.read(length)
        if len(self.body) < length:
            raise ConnectionError  # as S3, which takes no half bodies
        fault = self.server.take(Request(self.command, self.headers["If-Match"], self.headers["If-None-Match"]))
        fault(self)

    def forward(self) -> Answer:
        """Let S3 do what is asked."""
        headers = {name: value for name, value in self.headers.items() if name not in ("Expect", "Connection")}
        return self.server.forward(self.command, self.path, self.body, headers)

    def answer(self, answer: Answer) -> None:
        """Send an answer."""
        self.send_response_only(answer.status)
        for name, value in answer.headers:
            if name != "Connection":
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    def hang_up(self) -> None:
        """Close the connection."""
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep quiet."""


Fault = Callable[[Exchange], None]


def pass_on(exchange: Exchange) -> None:
    """Do what is asked."""
    exchange.answer(exchange.forward())


def error(status: int, code: str) -> Fault:
    """Answer an error of S3's."""
    body = f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>Sorry</Message></Error>".encode()
    headers = [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))]
    return lambda exchange: exchange.answer(Answer(status, headers, body))


def drop(exchange: Exchange) -> None:
    """Close the connection before S3 hears of the request."""
    exchange.hang_up()


def drop_answer(exchange: Exchange) -> None:
    """Close the connection once S3 has done what was asked."""
    exchange.forward()
    exchange.hang_up()


def silent(exchange: Exchange) -> None:
    """Do nothing, until the client hangs up."""
    exchange.connection.recv(1)
    exchange.hang_up()


def late(exchange: Exchange) -> None:
    """Do what is asked, but only when the client has hung up."""
    exchange.connection.recv(1)
    drop_answer(exchange)


def cut(exchange: Exchange) -> None:
    """Send half of the answer's body, and close the connection."""
    answer = exchange.forward()
    exchange.answer(answer._replace(body=answer.body[: len(answer.body) // 2]))
    exchange.hang_up()


def drip(exchange: Exchange) -> None:
    """Send the answer's body in pieces, each well within the client's time-out, all together not."""
    answer, never = exchange.forward(), threading.Event()
    exchange.answer(answer._replace(body=b""))
    with contextlib.suppress(OSError):  # the client has given up
        for at in range(0, len(answer.body), 2048):
            exchange.wfile.write(answer.body[at : at + 2048])
            never.wait(0.4)


def opened(body: bytes) -> "contextlib.closing[sqlite3.Connection]":
    """Open an object's body; in memory, SQLite opens only what is not in WAL mode."""
    db = sqlite3.connect(":memory:")
    db.deserialize(body)
    return contextlib.closing(db)


def is_whole(body: bytes) -> bool:
    """Tell whether an object's body is a database without a fault."""
    with opened(body) as db:
        return db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


ERROR_500 = error(500, "InternalError")
SLOW_DOWN = error(503, "SlowDown")


def at_random(seed: int, shares: Mapping[Fault, float]) -> Iterator[Fault]:
    """Give each request one of these faults with the probability that stands with it."""
    choices = [*shares, pass_on]
    weights = [*shares.values(), 1 - sum(shares.values())]
    draw = random.Random(seed)
    while True:
        yield draw.choices(choices, weights)[0]


@pytest.fixture(scope="session")
def moto_port() -> Iterator[int]:
    """Return the port of moto's server, which ends with the tests."""
    command = [sys.executable, "-m", "moto.server", "-p", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as moto:
        assert moto.stderr
        running = next((line for line in moto.stderr if "Running on" in line), "it ended at once")
        reader = threading.Thread(target=moto.stderr.read)  # it would stop if nobody read its log
        reader.start()
        yield int(running.rpartition(":")[2])
        moto.terminate()
        reader.join()


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Give boto3 credentials and a region by environment, and no other way to find any."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    return monkeypatch


@pytest.fixture
def s3(moto_port: int, aws: pytest.MonkeyPatch) -> Iterator[S3]:
    """Return an empty bucket of the test's own, to which `AWS_ENDPOINT_URL` leads."""
    bucket = f"bucket-{next(_numbers)}"
    with S3(moto_port, bucket) as server:
        assert server.forward("PUT", f"/{bucket}").status == 200
        aws.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()
