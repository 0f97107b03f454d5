"""A gunicorn worker that slow clients cannot exhaust, and whose refusals look like the service's other errors.

gunicorn's threads read requests without a time limit, so as many incomplete requests as there are threads block the
server for good. Here an incomplete request waits in the poller, where it occupies no thread, for at most ten seconds;
and a thread is done with a request after at most thirty.
"""

import contextlib
import json
import re
import socket
import time
from functools import partial
from http import HTTPStatus
from selectors import EVENT_READ
from typing import Any

from gunicorn import util
from gunicorn.http.body import ChunkedReader
from gunicorn.workers.gthread import ThreadWorker

from quotes.edges import LONGEST_BODY, NOTHING_ALLOWED

ARRIVES_WITHIN = 10.0  # seconds, for a request to become complete
OVER_WITHIN = 30.0  # seconds, for a thread to read, answer and send
LINGERS = 0.5  # seconds, for the client to close first, so that the response is not lost (RFC 9112, section 9.6)
LONGEST = 64 * 1024  # bytes, of headers and body together

_HEAD_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*0*([0-9]{1,18})[ \t]*(?=\r\n)", re.IGNORECASE)
_EXPECTS = re.compile(rb"\r\nexpect:", re.IGNORECASE)  # the client waits for our "100 Continue"


def is_whole(data: bytes) -> bool:
    """Return whether the data contains a complete request, so that a thread can read it without waiting.

    This is an estimate, not a parser: a misjudged request just has to wait, or occupies a thread for a limited time.
    """
    head, end, body = data.partition(_HEAD_END)
    if not end:
        return False
    length = _LENGTH.search(head + b"\r\n")
    return length is None or len(body) >= int(length[1]) or int(length[1]) > LONGEST_BODY


class Worker(ThreadWorker):
    """Assign a thread to a request only once it is complete, and free the thread again in time."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._busy: dict[Any, float] = {}  # connections being handled, with their deadlines

    def enqueue_req(self, conn: Any) -> None:
        """Hand a connection to a thread if its request is complete; otherwise wait for the rest without a thread."""
        if self.cfg.is_ssl:  # peeking would only show encrypted data
            super().enqueue_req(conn)
            return
        read = conn.parser.unreader.buf.getvalue() if conn.parser else b""
        waiting = _peek(conn.sock)
        # If the socket is readable but has no new data, the client has closed it: a thread finds that out at once.
        if waiting is not None and not is_whole(read + waiting) and len(waiting) != getattr(conn, "seen", -1):
            if len(waiting) < LONGEST:
                self._invite(conn, read + waiting)
                self._wait(conn, len(waiting))
                return
            conn.is_too_long = True
        conn.seen, conn.whole_by, conn.is_invited = -1, None, False
        with contextlib.suppress(OSError):
            conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
        conn.data_ready = True
        super().enqueue_req(conn)

    def _invite(self, conn: Any, data: bytes) -> None:
        """Send "100 Continue" to a client that waits for it (RFC 9110, section 10.1.1); gunicorn would in a thread."""
        head, end, _ = data.partition(_HEAD_END)
        if end and _EXPECTS.search(head) and not getattr(conn, "is_invited", False):
            conn.is_invited = True
            with contextlib.suppress(OSError):  # the client has gone
                conn.sock.send(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _wait(self, conn: Any, seen: int) -> None:
        conn.sock.setblocking(False)
        # The socket becomes readable again once it has more than the data seen so far (socket(7), SO_RCVLOWAT).
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, seen + 1)
        conn.seen = seen
        conn.whole_by = conn.timeout = getattr(conn, "whole_by", None) or time.monotonic() + ARRIVES_WITHIN
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def murder_pending(self) -> None:
        """Close connections whose requests are late; in a worker that is stopping, they only have another second."""
        if not self.alive:
            for conn in self.pending_conns:
                conn.timeout = min(conn.timeout or 0.0, time.monotonic() + 1)
        super().murder_pending()

    def handle(self, conn: Any) -> Any:
        """Handle a request, in a thread."""
        self._busy[conn] = time.monotonic() + OVER_WITHIN
        try:
            keep = self._refuse(conn) if getattr(conn, "is_too_long", False) else super().handle(conn)
        finally:
            del self._busy[conn]
        if not keep:  # gunicorn would linger in its main thread, for two seconds
            util.close_graceful(conn.sock, timeout=LINGERS)
        return keep

    def _refuse(self, conn: Any) -> bool:
        with contextlib.suppress(OSError):  # the client has gone
            conn.sock.setblocking(True)
            conn.sock.sendall(refusal(431))
        return False

    def _keepalive_after(self, conn: Any, keepalive: bool) -> bool:
        # A chunked or oversized body was refused unread. A thread must not wait for the rest of it, and it must not be
        # mistaken for the next request on the connection.
        reader = conn.parser.mesg.body.reader
        is_unread = isinstance(reader, ChunkedReader) or getattr(reader, "length", 0) > LONGEST_BODY
        return not is_unread and bool(super()._keepalive_after(conn, keepalive))  # type: ignore[misc]  # newer than its stubs

    def notify(self) -> None:
        """Send the arbiter a heartbeat, as every second, and cut off connections that exceed their deadline."""
        super().notify()
        now = time.monotonic()
        for conn, over in tuple(self._busy.items()):
            if over < now:
                with contextlib.suppress(OSError):  # it is closed already
                    conn.sock.shutdown(socket.SHUT_RDWR)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Any) -> None:
        """Answer an invalid request with a problem (RFC 9457): gunicorn's status, nothing quoted from the request."""
        unsent = _Unsent()
        super().handle_error(req, unsent, addr, exc)  # type: ignore[arg-type]
        with contextlib.suppress(OSError):  # the client has gone
            client.sendall(refusal(int(unsent.data.split()[1])))


def refusal(status: int) -> bytes:
    """Return the complete response to an invalid request."""
    phrase = HTTPStatus(status).phrase
    detail = (
        "This is not a valid HTTP/1.1 request (a URL is percent-encoded ASCII), or its request line or headers are too "
        "long."
    )
    if status >= 500:
        detail = "This cannot be done here."
    body = json.dumps({"type": "about:blank", "title": phrase, "status": status, "detail": detail}) + "\n"
    head = (
        f"HTTP/1.1 {status} {phrase}",
        "Connection: close",
        "Content-Type: application/problem+json",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        "Access-Control-Allow-Origin: *",
        "X-Content-Type-Options: nosniff",
        f"Content-Security-Policy: {NOTHING_ALLOWED}",
        "Referrer-Policy: no-referrer",
    )
    return "\r\n".join((*head, "", body)).encode()


def _peek(sock: socket.socket) -> bytes | None:
    """Return the data that has arrived but not been read, or None if the connection is closed."""
    try:
        sock.setblocking(False)
        return sock.recv(LONGEST, socket.MSG_PEEK) or None
    except BlockingIOError:
        return b""
    except OSError:
        return None


class _Unsent:
    """Stand in for the client's socket, to intercept gunicorn's own error response for its status."""

    data = b""

    def gettimeout(self) -> float:
        return 0.0  # it never blocks

    def sendall(self, data: bytes) -> None:
        self.data += data
