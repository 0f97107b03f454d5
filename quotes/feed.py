"""The Atom feed of the latest daily quotes over HTTP."""

from typing import NamedTuple

import falcon

from quotes.answers import etag_of, send_cacheable
from quotes.daily import DailyQuotes
from quotes.settings import Settings

DAYS = 30
KEPT_READY = 16  # feeds, one for each base URL


class _Ready(NamedTuple):
    """Store a rendered feed."""

    body: bytes
    etag: str
    ends: float


class FeedResource:
    """Serve the feed.

    Args:
        daily: Supplies the quotes.
        settings: The settings, which may fix the base URL.
    """

    def __init__(self, daily: DailyQuotes, settings: Settings) -> None:
        self._daily = daily
        self._settings = settings
        self._ready: dict[str, _Ready] = {}

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer `GET /feed.atom`."""
        from quotes.representations.atom import MEDIA_TYPE

        base, now = self._settings.public_url or req.prefix, self._daily.time()
        ready = self._ready.get(base)
        if ready is None or ready.ends <= now:
            ready = self._made(base)
        left = max(0, int(ready.ends - now))
        send_cacheable(req, resp, MEDIA_TYPE, ready.body, ready.etag, f"public, max-age={left}")

    on_head = on_get

    def _made(self, base: str) -> _Ready:
        from quotes.representations import atom

        days = self._daily.latest(DAYS)
        body = atom.write(((self._daily.start_of(daily.day), daily) for daily in days), base)
        ready = _Ready(body, etag_of(body), self._daily.end_of(days[0].day))
        if len(self._ready) >= KEPT_READY:
            self._ready.clear()
        self._ready[base] = ready
        return ready
