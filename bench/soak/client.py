"""An HTTP client on one kept-alive connection, as fast as Python allows."""

import socket
from collections.abc import Mapping
from typing import NamedTuple


class Answer(NamedTuple):
    """An HTTP answer; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Client:
    """Send requests to a port of this machine, one after another.

    Attributes:
        connections: How many connections it has opened so far.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None
        self.connections = 0

    def ask(self, method: str, target: str, body: bytes = b"", **headers: str) -> Answer:
        """Send a request and return its answer; try once more if the server had closed the kept connection."""
        lines = [f"{method} {target} HTTP/1.1", "Host: localhost"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        if body and "Content_Length" not in headers:
            lines.append(f"Content-Length: {len(body)}")
        sent = "\r\n".join([*lines, "", ""]).encode() + body
        kept = self._socket is not None
        try:
            return self._exchange(method, sent)
        except ConnectionError:
            self.close()
            if not kept:
                raise
            return self._exchange(method, sent)

    def _exchange(self, method: str, sent: bytes) -> Answer:
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=30)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
        self._socket.sendall(sent)
        got = b""
        while b"\r\n\r\n" not in got:
            got += self._more()
        head, _, body = got.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        status = int(first.split()[1])
        length = 0 if method == "HEAD" or status == 304 else int(headers["content-length"])
        while len(body) < length:
            body += self._more()
        assert len(body) == length, "the body is longer than announced"
        if headers["connection"] == "close":
            self.close()
        return Answer(status, headers, body)

    def _more(self) -> bytes:
        assert self._socket is not None
        chunk = self._socket.recv(65536)
        if not chunk:
            raise ConnectionResetError("closed in the middle of an answer")
        return chunk

    def close(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
