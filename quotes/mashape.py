"""The upstream: Mashape's *Random Famous Quotes* and its RapidAPI successor.

`read_answer` parses the wire format and is a pure function. `Mashape` fetches quotes: it enforces a time budget,
buffers surplus quotes, and stops asking an upstream that keeps failing (a circuit breaker). It never raises because of
the upstream and never blocks a request beyond the budget; the caller falls back on the corpus.
"""

import json
import logging
import threading
import time
import unicodedata
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, TimeoutError
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from quotes.errors import (
    UpstreamError,
    UpstreamFailed,
    UpstreamLimited,
    UpstreamRefused,
    UpstreamRubbish,
)
from quotes.quote import Quote

if TYPE_CHECKING:
    import pybreaker

    from quotes.transport import Transport

BUDGET = 2.5  # seconds that a request may spend on the upstream; 3 are allowed, including the work around it
FRESH_FOR = 300.0  # seconds that a fetched quote stays in the buffer
ASKED_AT_ONCE = 10  # quotes; the upstream's maximum
FAILURES_ALLOWED = 3  # in a row, before the circuit breaker opens
LEFT_ALONE_FOR = 30.0  # seconds until the circuit breaker allows a trial
LONGEST_QUOTE = 2000  # characters
LONGEST_NAME = 200  # characters

log = logging.getLogger(__name__)


def read_answer(status: int, headers: Mapping[str, str], body: bytes) -> list[Quote]:
    """Parse a response of the upstream.

    Args:
        status: The HTTP status code.
        headers: The response headers, with lower-case names.
        body: The complete body.

    Returns:
        At least one quote, without `source` and `id`, which the upstream does not supply. Entries without a quote,
        author or category are skipped.

    Raises:
        UpstreamError: The response contains no quote; the subclass says why.
    """
    if status in (401, 403):
        raise UpstreamRefused(f"it refused the key (HTTP {status}); check X_Mashape_Key")
    if status == 429:
        raise UpstreamLimited("its quota is used up (HTTP 429)")
    if status != 200:
        raise UpstreamFailed(f"it answered HTTP {status}")
    if headers.get("content-encoding", "identity") != "identity":
        raise UpstreamRubbish("it compressed its answer, unasked")
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UpstreamRubbish("its answer is not JSON") from error
    entries = answer if isinstance(answer, list) else [answer]
    quotes = [quote for entry in entries if (quote := _quote(entry))]
    if not quotes:
        raise UpstreamRubbish("its answer holds no entry with quote, author and category")
    return quotes


def _quote(entry: Any) -> Quote | None:
    if not isinstance(entry, dict):
        return None
    texts = [_clean(entry.get(name), limit) for name, limit in zip(Quote._fields, _LIMITS, strict=False)]
    return Quote(*texts) if all(texts) else None


_LIMITS = (LONGEST_QUOTE, LONGEST_NAME, LONGEST_NAME)


def _clean(text: Any, longest: int) -> str:
    """Return a text on one line, without characters that encodings or databases reject; empty if it is unusable."""
    if not isinstance(text, str) or len(text) > longest:
        return ""
    visible = "".join(" " if unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") else char for char in text)
    return " ".join(visible.split())


class Mashape:
    """Fetch quotes from the upstream, ten at a time, for all threads of the process.

    Args:
        endpoint: The upstream's URL, from `Mashape_API_Endpoint`.
        key: The API key; only sent in headers, never logged.
        budget: The time limit of a fetch in seconds, for connecting, retrying and reading together.
        left_alone_for: How long a failing upstream is not asked, in seconds.
        monotonic: The monotonic clock, in seconds.
    """

    def __init__(
        self,
        endpoint: str,
        key: str,
        *,
        budget: float = BUDGET,
        left_alone_for: float = LEFT_ALONE_FOR,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._endpoint = endpoint
        self._key = key
        self._budget = budget
        self._left_alone_for = left_alone_for
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._waiting: deque[tuple[float, Quote]] = deque(maxlen=5 * ASKED_AT_ONCE)
        self._fetching: Future[bool] | None = None
        self._transport: Transport | None = None
        self._breaker: pybreaker.CircuitBreaker | None = None
        self._error: UpstreamError | None = None

    @property
    def status(self) -> str:
        """Return `unknown` (not asked yet), `ok`, `failing`, or `resting` (the circuit breaker is open)."""
        if self._breaker is None:
            return "unknown"
        if self._breaker.current_state != "closed":
            return "resting"
        return "failing" if self._error else "ok"

    @property
    def error(self) -> UpstreamError | None:
        """Return why the last fetch failed, or None if it succeeded."""
        return self._error

    def random(self, count: int = 1) -> list[Quote]:
        """Return up to `count` distinct quotes: fewer, or none, if the upstream does not supply them in time."""
        quotes = self._take(count)
        if len(quotes) < count and self._fetch_once():
            quotes = list(dict.fromkeys(quotes + self._take(count - len(quotes))))
        return quotes

    def _take(self, count: int) -> list[Quote]:
        taken: dict[Quote, None] = {}
        with self._lock:
            while self._waiting and len(taken) < count:
                expires, quote = self._waiting.popleft()
                if expires > self._monotonic():
                    taken[quote] = None
        return list(taken)

    def _fetch_once(self) -> bool:
        """Fetch, or wait for another thread's fetch; return whether it brought quotes."""
        with self._lock:
            fetching, begins = self._fetching, self._fetching is None
            if fetching is None:
                fetching = self._fetching = Future()
        if begins:
            brought = False
            try:
                brought = self._fetch()
            finally:
                with self._lock:
                    self._fetching = None
                fetching.set_result(brought)
            return brought
        if self.status in ("failing", "resting"):  # the fetch is a trial, which only one request should wait for
            return False
        try:
            return fetching.result(timeout=self._budget)
        except TimeoutError:
            return False

    def _fetch(self) -> bool:
        import pybreaker

        from quotes.transport import Transport

        if self._breaker is None:
            self._transport = Transport(self._endpoint, self._headers(), self._params(), self._budget)
            self._breaker = pybreaker.CircuitBreaker(
                fail_max=FAILURES_ALLOWED, reset_timeout=self._left_alone_for, throw_new_error_on_trip=False
            )
        try:
            quotes = self._breaker.call(self._ask)
        except pybreaker.CircuitBreakerError:
            return False
        except UpstreamError as error:
            self._error = error
            rests = f"; left alone for {self._left_alone_for:.0f} s" if self.status == "resting" else ""
            log.warning("The upstream failed: %s%s.", error, rests)
            return False
        if self._error:
            log.info("The upstream is back.")
        self._error = None
        expires = self._monotonic() + FRESH_FOR
        with self._lock:
            self._waiting.extend((expires, quote) for quote in dict.fromkeys(quotes))
        return True

    def _ask(self) -> list[Quote]:
        assert self._transport is not None
        return read_answer(*self._transport.get())

    def _headers(self) -> dict[str, str]:
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", "X-Mashape-Key": self._key}
        host = urlsplit(self._endpoint).hostname or ""
        if host == "rapidapi.com" or host.endswith(".rapidapi.com"):
            headers |= {"X-RapidAPI-Key": self._key, "X-RapidAPI-Host": host}
        return headers

    def _params(self) -> dict[str, str]:
        asked = parse_qs(urlsplit(self._endpoint).query)
        return {} if "count" in asked else {"count": str(ASKED_AT_ONCE)}
