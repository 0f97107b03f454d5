"""An HTTP GET that is over when its time is over.

Neither requests nor urllib3 bounds a whole exchange: their timeouts are per read, so a server that drips a byte at a
time, in its headers or its body, holds the caller for hours. Here the exchange runs in a thread of its own; when the
budget is spent the caller goes on and the socket is shut down, which ends the thread as well.
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
    """Ask one URL, with connections kept open between requests; not for several threads at once.

    Args:
        url: What to ask.
        headers: Sent with each request; redirects are not followed, so they go to no other host.
        params: Query parameters, added to those of the URL.
        budget: Seconds for everything together.
    """

    def __init__(self, url: str, headers: Mapping[str, str], params: Mapping[str, str], budget: float) -> None:
        self._url = url
        self._params = dict(params)
        self._budget = budget
        self._session = _Session()
        self._session.trust_env = False  # the environment is read by settings.py alone, and no .netrc is sent
        self._session.headers.update(headers)
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, _Adapter())
        # What it logs of broken answers may hold anything that the upstream says, our key included.
        for name in ("urllib3.connection", "urllib3.connectionpool"):
            logging.getLogger(name).setLevel(logging.ERROR)

    def get(self) -> Answer:
        """Return the answer's status, its headers by names in lower case, and its body.

        Raises:
            UpstreamTimeout: The budget is spent.
            UpstreamUnreachable: No connection came about, or it broke.
            UpstreamRubbish: The answer is larger than `SIZE_LIMIT`.
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
                self._ask()  # once more: a kept connection may have been closed, and a GET is safe to repeat
        except requests.Timeout:
            self.error = UpstreamTimeout("it did not answer in time")
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            # The text of these errors holds the URL, which may hold a secret: only the kind is told.
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
        """Remember the socket; shut it down at once where the time is over already."""
        self._socket = sock
        if self._over:
            self.cut_off()

    def cut_off(self) -> None:
        self._over = True
        if self._socket:
            with contextlib.suppress(OSError):  # closed in the meantime, which is what is wanted
                self._socket.shutdown(socket.SHUT_RDWR)


_running = threading.local()


def _kind(error: BaseException) -> str:
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return type(reason or error).__name__


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """Follow no redirect, nor look where it leads: requests would read its whole body first."""


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
