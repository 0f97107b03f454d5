"""The Atom feed of the latest daily quotes over HTTP."""

import falcon

from quotes.answers import Kept, Rendered, etag_of, send_cacheable
from quotes.daily import DailyQuotes
from quotes.settings import Settings

DAYS = 30
KEPT_READY = 16  # feeds, one for each base URL


class FeedResource:
    """Serve the feed.

    Args:
        daily: Supplies the quotes.
        settings: The settings, which may fix the base URL.
    """

    def __init__(self, daily: DailyQuotes, settings: Settings) -> None:
        self._daily = daily
        self._settings = settings
        self._kept = Kept[str](KEPT_READY)

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer `GET /feed.atom`."""
        from quotes.representations.atom import MEDIA_TYPE

        base, now = self._settings.public_url or req.prefix, self._daily.time()
        rendered = self._kept.get(base, now) or self._kept.keep(base, self._rendered(base))
        left = max(0, int(rendered.ends - now))
        send_cacheable(req, resp, MEDIA_TYPE, rendered.body, rendered.etag, f"public, max-age={left}")

    on_head = on_get

    def _rendered(self, base: str) -> Rendered:
        from quotes.representations import atom

        days = self._daily.latest(DAYS)
        body = atom.write(((self._daily.start_of(daily.day), daily) for daily in days), base)
        return Rendered(body, etag_of(body), self._daily.end_of(days[0].day))
