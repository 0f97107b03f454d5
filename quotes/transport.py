"""An HTTP GET with a deadline for the whole exchange.

The timeouts of requests and urllib3 apply to each read, so a server that sends its headers or body byte by byte can
block the caller for hours. Here the exchange runs in its own thread; once the budget is spent, the caller continues and
the socket is shut down, which ends the thread as well.
"""

import contextlib
import logging
import socket
import threading
from collections.abc import Mapping

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from quotes.errors import UpstreamError, UpstreamRubbish, UpstreamTimeout, UpstreamUnreachable

CONNECT_TIMEOUT = 1.0  # seconds, for each address of the host
SIZE_LIMIT = 256 * 1024  # bytes

Answer = tuple[int, Mapping[str, str], bytes]


class Transport:
    """Send GET requests to one URL over persistent connections; not safe to share between threads.

    Args:
        url: The URL.
        headers: Sent with each request. Redirects are not followed, so these reach no other host.
        params: Query parameters, added to those in the URL.
        budget: The time limit of an exchange, in seconds.
    """

    def __init__(self, url: str, headers: Mapping[str, str], params: Mapping[str, str], budget: float) -> None:
        self._url = url
        self._params = dict(params)
        self._budget = budget
        self._session = _Session()
        self._session.trust_env = False  # only settings.py reads the environment; and no .netrc is used
        self._session.headers.update(headers)
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, _Adapter())
        # Their warnings about malformed responses quote the upstream, which may echo our key.
        for name in ("urllib3.connection", "urllib3.connectionpool"):
            logging.getLogger(name).setLevel(logging.ERROR)

    def get(self) -> Answer:
        """Return the status, the headers with lower-case names, and the body of the response.

        Raises:
            UpstreamTimeout: The budget is spent.
            UpstreamUnreachable: The connection could not be made, or broke.
            UpstreamRubbish: The body is larger than `SIZE_LIMIT`.
        """
        exchange = _Exchange(self._session, self._url, self._params, self._budget)
        exchange.start()
        exchange.join(self._budget)
        if exchange.is_alive():
            exchange.cut_off()
            raise UpstreamTimeout(f"it gave no whole answer within {self._budget:g} s")
        if exchange.error:
            raise exchange.error
        assert exchange.answer is not None
        return exchange.answer


class _Exchange(threading.Thread):
    def __init__(self, session: requests.Session, url: str, params: Mapping[str, str], budget: float) -> None:
        super().__init__(name="upstream", daemon=True)
        self._session, self._url, self._params, self._budget = session, url, params, budget
        self._socket: socket.socket | None = None
        self._over = False
        self.answer: Answer | None = None
        self.error: UpstreamError | None = None

    def run(self) -> None:
        _running.exchange = self
        try:
            try:
                self._ask()
            except requests.ConnectionError:
                if self._over:
                    return
                self._ask()  # the server may have closed an idle connection, and a GET is safe to repeat
        except requests.Timeout:
            self.error = UpstreamTimeout("it did not answer in time")
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            # These errors' messages contain the URL, and that perhaps a secret, so only the type is reported.
            self.error = UpstreamUnreachable(f"the connection failed ({_kind(error)})")

    def _ask(self) -> None:
        timeout = (min(CONNECT_TIMEOUT, self._budget), self._budget)
        with self._session.get(
            self._url, params=self._params, timeout=timeout, allow_redirects=False, stream=True
        ) as response:
            body = b""
            for chunk in response.iter_content(chunk_size=16 * 1024):
                body += chunk
                if len(body) > SIZE_LIMIT:
                    self.error = UpstreamRubbish(f"its answer is larger than {SIZE_LIMIT // 1024} KiB")
                    return
            headers = {name.lower(): value for name, value in response.headers.items()}
            self.answer = (response.status_code, headers, body)

    def waits_on(self, sock: socket.socket) -> None:
        """Register the socket, shutting it down at once if the time is already up."""
        self._socket = sock
        if self._over:
            self.cut_off()

    def cut_off(self) -> None:
        self._over = True
        if self._socket:
            with contextlib.suppress(OSError):  # closed already
                self._socket.shutdown(socket.SHUT_RDWR)


_running = threading.local()


def _kind(error: BaseException) -> str:
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return type(reason or error).__name__


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """Ignore redirects; before even looking at one, requests would read its whole body."""


class _HTTPConnection(HTTPConnection):
    def getresponse(self):  # type: ignore[no-untyped-def]
        _running.exchange.waits_on(self.sock)
        return super().getresponse()


class _HTTPSConnection(HTTPSConnection):
    def getresponse(self):  # type: ignore[no-untyped-def]
        _running.exchange.waits_on(self.sock)
        return super().getresponse()


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _HTTPConnection


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _HTTPSConnection


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args, **kwargs):  # type: ignore[no-untyped-def]
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}
