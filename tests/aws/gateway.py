"""The internet as the deployer sees it: a proxy that serves an account's APIs under their real host names.

Programs that use HTTPS_PROXY and trust the certificate authority of certificates.py work unchanged: curl, requests,
Zappa. Other host names do not exist.
"""

import contextlib
import re
import socket
import sys
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from tests.aws.apis import Apis
from tests.aws.certificates import Certificates
from tests.aws.functions import Functions
from tests.aws.proxy_events import Request, Response
from tests.aws.roles import Roles

PACKAGES = re.compile(r"awslambda-[\w-]+-tasks\.s3\.[\w-]+\.amazonaws\.com")
MOST_BODY = 10 * 1024 * 1024  # bytes in a request


class Gateway(ThreadingHTTPServer):
    """Serve the proxy on loopback.

    Args:
        account: The account's number.
        functions: Its functions.
        roles: Its roles.
        packages: Functions' packages, by the path of their URL.
        folder: Where certificates are kept.

    Attributes:
        url: The value for `HTTPS_PROXY`.
        certificates: The file of trusted certificate authorities.
    """

    daemon_threads = False  # closing waits for its threads
    request_queue_size = 64

    def __init__(
        self, account: str, functions: Functions, roles: Roles, packages: Mapping[str, bytes], folder: Path
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Exchange)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.apis = Apis(account, functions, roles)
        self.packages = packages
        self.made = Certificates(folder)
        self.certificates = self.made.bundle
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), name="gateway")
        self._thread.start()

    def close(self) -> None:
        """Stop serving."""
        self.shutdown()
        self._thread.join()
        for connection in self._open.copy():
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()

    def answer(self, request: Request) -> Response:
        """Answer a request to a known host."""
        if PACKAGES.fullmatch(request.host):
            package = self.packages.get(request.path)
            return Response(200 if package else 403, [("Content-Type", "application/zip")], package or b"")
        return self.apis.answer(request)

    def process_request_thread(self, request: socket.socket, client_address: object) -> None:  # type: ignore[override]
        """Handle a connection, and keep track of it meanwhile, so that `close` can end it."""
        self._open.add(request)
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._open.discard(request)

    def handle_error(self, request: object, client_address: object) -> None:
        """Report an error, unless a client hung up."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Exchange(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60  # seconds that a client may be silent
    server: Gateway
    host = ""

    def do_CONNECT(self) -> None:
        host = self.path.rpartition(":")[0].lower()
        if not PACKAGES.fullmatch(host) and not self.server.apis.know(host):
            self.send_error(502, "No such host")
            self.close_connection = True
            return
        self.send_response_only(200, "Connection established")
        self.end_headers()
        self.connection = self.server.made.context(host).wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.wfile.close()
        self.wfile = self.connection.makefile("wb", buffering=0)
        self.host, self.close_connection = host, False

    def finish(self) -> None:
        """Close the connection and the one inside the tunnel."""
        super().finish()
        if self.host:
            with contextlib.suppress(OSError):
                self.connection.close()

    def _serve(self) -> None:
        self.close_connection = True
        if not self.host:
            self.send_error(400, "Only CONNECT is served here")
            return
        length = int(self.headers.get("Content-Length") or 0)
        if length > MOST_BODY:
            self._answer(Response(413, [], b""))
            return
        target = urlsplit(self.path)
        headers = [(name, value.encode("latin-1").decode(errors="replace")) for name, value in self.headers.items()]
        body = self.rfile.read(length)
        client = str(self.client_address[0])
        request = Request(self.host, self.command, target.path, target.query, headers, body, client)
        self._answer(self.server.answer(request))

    do_DELETE = do_GET = do_HEAD = do_OPTIONS = do_PATCH = do_POST = do_PUT = _serve  # noqa: N815

    def _answer(self, response: Response) -> None:
        has_body = response.status >= 200 and response.status not in (204, 304)
        self.send_response_only(response.status)
        self.send_header("Date", self.date_time_string())
        self.send_header("Connection", "close")
        for name, value in response.headers:
            self.send_header(name, value.encode().decode("latin-1"))
        if has_body:
            self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        if has_body and self.command != "HEAD":
            self.wfile.write(response.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep quiet."""
