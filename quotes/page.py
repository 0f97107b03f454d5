"""The web page at `/`, where clients other than browsers get a random quote."""

import datetime as dt
import functools
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote_plus, urlencode, urlsplit

import falcon
from falcon.util import mediatypes

from quotes import parameters, static_files
from quotes.answers import NO_STORE, Kept, Rendered, etag_of, send, send_cacheable, vary
from quotes.daily import Daily
from quotes.errors import ParameterError, QuoteNotFound, StateUnavailable
from quotes.representations import MEDIA_TYPES
from quotes.search import Query, terms_of
from quotes.service import Service
from quotes.settings import Settings

if TYPE_CHECKING:
    from quotes.representations.html import Found, Shown

HTML = "text/html"
PARAMETERS = frozenset({"show", "date", "quote", "q", "cursor"})
RESULTS = 20  # of a search, at once
LISTED = 30  # days
KEPT_FOR = 600  # seconds in caches, so that a new version of the page shows up the same day
BASES_KEPT_READY = 20  # pages, one for each base URL

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

log = logging.getLogger(__name__)


class Responder(Protocol):
    """Respond to `GET`."""

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Respond to a request."""


class RootResource:
    """Serve the page to clients that prefer HTML, and delegate every other request to another resource."""

    def __init__(self, page: "PageResource", other: Responder) -> None:
        self._page = page
        self._other = other

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer `GET /`; `format` takes precedence over `Accept`, as everywhere."""
        vary(resp)
        if _prefers_html((req.get_header("Accept") or "*/*").lower()) and not req.has_param("format"):
            self._page.on_get(req, resp)
        else:
            self._other.on_get(req, resp)

    on_head = on_get


class PageResource:
    """Serve the page: today's quote or another one on top, and all features of the service below."""

    def __init__(self, service: Service, settings: Settings) -> None:
        self._service = service
        self._daily = service.daily
        self._settings = settings
        self._kept = Kept[str](BASES_KEPT_READY)

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer with the page; today's is kept as bytes until the day ends."""
        resp.set_header("Content-Security-Policy", POLICY)
        given = parameters.parse(req.query_string, PARAMETERS)
        if given:
            body, _ = self._drawn(req, self._shown(given), self._found(given))
            send(resp, f"{HTML}; charset=utf-8", body)
            return
        base, now = self._base(req), self._daily.time()
        rendered = self._kept.get(base, now)
        if rendered is None:
            today = self._daily.quote_of_today()
            body, is_whole = self._drawn(req, _of_day(today))
            if not (today.on_record and is_whole):  # provisional: must not be cached, here or elsewhere
                send(resp, f"{HTML}; charset=utf-8", body)
                return
            rendered = self._kept.keep(base, Rendered(body, etag_of(body), self._daily.end_of(today.day)))
        left = int(rendered.ends - now)
        caching = f"public, max-age={min(left, KEPT_FOR)}" if rendered.ends > now else NO_STORE
        send_cacheable(req, resp, f"{HTML}; charset=utf-8", rendered.body, rendered.etag, caching)

    def _shown(self, given: Mapping[str, str]) -> "Shown":
        from quotes.representations.html import Shown

        if given.get("show", "random") != "random":
            raise ParameterError("show", "is not 'random'")
        if "show" in given:
            quote = self._service.random()[0]
            return Shown(quote, "A random quote", f"/?quote={quote_plus(quote.id)}" if quote.id else "")
        if "quote" in given:
            found = self._service.library.by_id(given["quote"])
            if found is None:
                raise QuoteNotFound("No quote in the library has this id.")
            return Shown(found, "A quote", f"/?quote={quote_plus(given['quote'])}")
        if "date" in given:
            return _of_day(self._daily.quote_of(parameters.day(given, "date", self._daily.today())))
        return _of_day(self._daily.quote_of_today())

    def _found(self, given: Mapping[str, str]) -> "Found | None":
        from quotes.representations.html import Found

        q = parameters.text(given, "q")
        if q is None:
            return None
        page = self._service.library.search(Query(q), RESULTS, given.get("cursor"))
        following = urlencode({"q": q, "cursor": page.cursor}) if page.cursor else None
        return Found(q, terms_of(q), page.quotes, page.total, following)

    def _base(self, req: falcon.Request) -> str:
        return self._settings.public_url or req.prefix

    def _drawn(self, req: falcon.Request, shown: "Shown", found: "Found | None" = None) -> tuple[bytes, bool]:
        """Return the rendered page, and whether it is complete."""
        from quotes.representations import html

        days: list[Daily] | None
        today = self._daily.today()
        try:
            first = today - dt.timedelta(days=LISTED)
            days = [daily for daily in self._daily.latest(LISTED + 1) if first <= daily.day < today]
        except StateUnavailable as error:
            log.error("The page is without the earlier days: %s", error)
            days = None
        root = urlsplit(self._settings.public_url).path if self._settings.public_url else req.root_path
        body = html.draw(
            self._base(req), root, static_files.addresses(), shown, days, found=found, today=today, listed=LISTED
        )
        return body, days is not None


def add_to(app: "falcon.App[Any, Any]", service: Service, settings: Settings, other: Responder) -> None:
    """Add the routes of the page and its static files.

    Args:
        app: The application.
        service: The service to show.
        settings: The settings.
        other: Handles `GET /` for clients that do not prefer HTML.
    """
    app.add_route("/", RootResource(PageResource(service, settings), other))
    app.add_route("/static/{name}", static_files.StaticResource())


def _of_day(daily: Daily) -> "Shown":
    from quotes.representations.html import Shown

    return Shown(daily.quote, "Quote of the day", f"/?date={daily.day}" if daily.on_record else "/", daily.day)


@functools.lru_cache(maxsize=256)
def _prefers_html(accept: str) -> bool:
    """Return whether a client names HTML and prefers nothing to it; `*/*` alone has always meant a quote."""
    json, text, *others = MEDIA_TYPES.values()  # equally preferred types are chosen in this order
    try:
        return HTML in accept and mediatypes.best_match((json, text, HTML, *others), accept) == HTML
    except falcon.InvalidMediaType:
        return False
