"""The Lambda Runtime API, from which a container gets events (AWS, "Using the Lambda runtime API")."""

import contextlib
import queue
import socket
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import NamedTuple

PREFIX = "/2018-06-01/runtime/"


class Answer(NamedTuple):
    """The runtime client's report on an event or on its start."""

    body: bytes
    is_error: bool = False
    is_init_error: bool = False


class Event(NamedTuple):
    """What the runtime client is to handle."""

    body: bytes
    headers: dict[str, str]


class RuntimeAPI(HTTPServer):
    """Serve one container, on its own port and in one thread: it never sends two requests at once.

    Args:
        at_rest: Called when the container asks for an event and there is none.
        woken: Called when there is one.

    Attributes:
        ready: Set when the container has started, at `ready_at` (`time.monotonic`).
        answered: Set when it has handled the event and asks for another, so that it has also logged everything.
    """

    def __init__(self, at_rest: Callable[[], None], woken: Callable[[], None]) -> None:
        super().__init__(("127.0.0.1", 0), _Exchange)
        self.address = f"127.0.0.1:{self.server_port}"
        self.ready = threading.Event()
        self.answered = threading.Event()
        self._at_rest, self._woken = at_rest, woken
        self._events: queue.Queue[Event | None] = queue.Queue()
        self._answer: Answer | None = None
        self.ready_at = 0.0
        self._closing = False
        self._thread = threading.Thread(target=self._serve, name=f"runtime-api-{self.server_port}")
        self._thread.start()

    def send(self, body: bytes, request_id: str, deadline: int, arn: str) -> None:
        """Hand over an event.

        Args:
            body: In JSON.
            request_id: The invocation's.
            deadline: In milliseconds since 1970.
            arn: The ARN that was invoked.
        """
        headers = {
            "Lambda-Runtime-Aws-Request-Id": request_id,
            "Lambda-Runtime-Deadline-Ms": str(deadline),
            "Lambda-Runtime-Invoked-Function-Arn": arn,
            "Lambda-Runtime-Trace-Id": f"Root=1-00000000-{request_id.replace('-', '')[:24]};Sampled=0",
        }
        self._events.put(Event(body, headers))

    def next(self) -> Event | None:
        """Wait for an event; None if there will be none."""
        now = time.monotonic()
        self._at_rest()
        if self._answer:
            self.answered.set()
        if not self.ready.is_set():
            self.ready_at = now
            self.ready.set()
        event = self._events.get()
        with contextlib.suppress(ProcessLookupError):
            self._woken()
        return event

    def put_answer(self, answer: Answer) -> None:
        """Record an answer."""
        self._answer = answer

    def take_answer(self) -> Answer | None:
        """Return the answer, once; None while the container is still busy."""
        answer = self._answer
        if not answer or not (answer.is_init_error or self.answered.is_set()):
            return None
        self._answer = None
        self.answered.clear()
        return answer

    def close(self) -> None:
        """End the thread; the process must have ended."""
        self._closing = True
        self._events.put(None)
        self.socket.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits for a connection
        self._thread.join()
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """Keep quiet: a container may be killed at any time."""

    def _serve(self) -> None:
        while not self._closing:
            self.handle_request()


class _Exchange(BaseHTTPRequestHandler):
    server: RuntimeAPI

    def do_GET(self) -> None:
        assert self.path == f"{PREFIX}invocation/next", self.path
        if event := self.server.next():
            self._answer(200, event.body, event.headers)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        what = self.path.removeprefix(PREFIX).rpartition("/")
        is_init_error = self.path == f"{PREFIX}init/error"
        self.server.put_answer(Answer(body, what[2] == "error", is_init_error))
        self._answer(202, b'{"status":"OK"}')

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response_only(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep quiet."""
