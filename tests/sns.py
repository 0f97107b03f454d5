"""A real SNS interface on loopback: moto's server, and before it a proxy that keeps what was asked and can fail.

    def test_a_text_that_is_refused_is_not_sent(sns: SNS) -> None:
        sns.faults["Publish"] = iter([refuse])  # the next Publish; those after it are passed on

Modules that use the fixture name this one and tests.s3 in `pytest_plugins` and import from it; for that, pytest has to
leave it as it is: PYTEST_DONT_REWRITE.
"""

import itertools
import threading
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import parse_qsl

import boto3
import pytest

_numbers = itertools.count(1)

NAMES = ("PhoneNumber", "Endpoint", "Message")
KIND = "MessageAttributes.entry.1.Value.StringValue"


class Call(NamedTuple):
    """Hold one call: which, for which number, with which text, as which kind of text, and where."""

    action: str
    number: str | None = None
    text: str | None = None
    kind: str | None = None
    region: str = "us-east-1"


class SNS(ThreadingHTTPServer):
    """Be what `AWS_ENDPOINT_URL_SNS` leads to.

    Attributes:
        topic: The name of a topic of the test's own, which is not there yet.
        asked: What was asked so far.
        taken: What of that came to SNS.
        faults: What happens to the next calls of an action; where nothing is left, they are passed on.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, moto_port: int) -> None:
        super().__init__(("127.0.0.1", 0), Exchange)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.topic = f"Topic-{next(_numbers)}"
        self.asked: list[Call] = []
        self.taken: list[Call] = []
        self.faults: dict[str, Iterator[Fault]] = {}
        self._moto_port = moto_port
        self._taking = threading.Lock()

    def take(self, call: Call) -> "Fault":
        """Take note of a call, and say what shall happen to it."""
        with self._taking:
            self.asked.append(call)
            return next(self.faults.get(call.action, iter(())), pass_on)

    def texts(self) -> list[Call]:
        """Return the texts that SNS took."""
        return [call for call in self.taken if call.action == "Publish"]

    def subscribers(self) -> list[str]:
        """Return the numbers that are subscribed."""
        client = boto3.Session().client(
            "sns", region_name="us-east-1", endpoint_url=f"http://127.0.0.1:{self._moto_port}"
        )
        arn = client.create_topic(Name=self.topic)["TopicArn"]
        pages = client.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=arn)
        return [found["Endpoint"] for page in pages for found in page["Subscriptions"]]


class Exchange(BaseHTTPRequestHandler):
    """Be one call on its way to SNS, and its answer on the way back."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: SNS

    def do_POST(self) -> None:
        self.body = self.rfile.read(int(self.headers["Content-Length"]))
        given = dict(parse_qsl(self.body.decode(), keep_blank_values=True))
        number = given.get("PhoneNumber") or given.get("phoneNumber") or given.get("Endpoint")
        region = self.headers["Authorization"].split("/")[2]
        self.call = Call(given["Action"], number, given.get("Message"), given.get(KIND), region)
        self.server.take(self.call)(self)

    def forward(self) -> tuple[int, bytes]:
        """Let SNS do what is asked."""
        connection = HTTPConnection("127.0.0.1", self.server._moto_port)
        headers = {name: value for name, value in self.headers.items() if name not in ("Expect", "Connection")}
        connection.request("POST", self.path, self.body, headers)
        answer = connection.getresponse()
        try:
            return answer.status, answer.read()
        finally:
            connection.close()
            self.server.taken.append(self.call)

    def answer(self, status: int, body: bytes) -> None:
        """Send an answer."""
        self.send_response_only(status)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep quiet."""


Fault = Callable[[Exchange], None]


def pass_on(exchange: Exchange) -> None:
    """Do what is asked."""
    exchange.answer(*exchange.forward())


def refuse(exchange: Exchange) -> None:
    """Answer an error of SNS's own, which holds what it was given, as SNS's do."""
    what = f"{exchange.call.number} {exchange.call.text}"
    error = (
        f"<ErrorResponse><Error><Code>InternalFailure</Code><Message>Sorry: {what}</Message></Error></ErrorResponse>"
    )
    exchange.answer(500, error.encode())


def hang_up(exchange: Exchange) -> None:
    """Close the connection before SNS hears of the call."""
    exchange.close_connection = True


def lose_answer(exchange: Exchange) -> None:
    """Close the connection once SNS has done what was asked."""
    exchange.forward()
    exchange.close_connection = True


def every_second(fault: Fault) -> Iterator[Fault]:
    """Let a fault happen to the first call, the third, and so on."""
    return itertools.cycle([fault, pass_on])


@pytest.fixture
def sns(moto_port: int, aws: pytest.MonkeyPatch) -> Iterator[SNS]:
    """Return an SNS with a topic name of the test's own, to which `AWS_ENDPOINT_URL_SNS` leads."""
    with SNS(moto_port) as server:
        aws.setenv("AWS_ENDPOINT_URL_SNS", server.url)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()
