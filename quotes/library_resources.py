"""The library over HTTP: search and listing, single quotes, authors and categories."""

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

import falcon

from quotes import parameters
from quotes.answers import FORM_PARAMETERS, asked_form, etag_of, send_cacheable, vary
from quotes.errors import QuoteNotFound
from quotes.quote import Quote
from quotes.representations import represent
from quotes.search import Library, Query, terms_of
from quotes.settings import Settings

PARAMETERS = frozenset({"q", "author", "category", "limit", "cursor", "highlight"})
RESULTS, MOST_RESULTS = 20, 100
NAMES = MOST_NAMES = 1000

# The library only changes with a deployment. That invalidates the cursors in a list, so lists are cached for less time.
LIST_CACHING, QUOTE_CACHING = "public, max-age=3600", "public, max-age=86400"


class LibraryResource:
    """Serve the library page by page, filtered or searched."""

    def __init__(self, library: Library, settings: Settings) -> None:
        self._library = library
        self._public_url = settings.public_url

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer `GET /quotes`."""
        given = parameters.parse(req.query_string, PARAMETERS)
        limit = parameters.integer(given, "limit", 1, MOST_RESULTS) or RESULTS
        is_marked = parameters.choice(given, "highlight", ("0", "1")) == "1"
        query = Query(*(parameters.text(given, name) for name in Query._fields))
        page = self._library.search(query, limit, given.get("cursor"))
        answer = {
            "results": [_with_marks(quote, query.q or "") if is_marked else quote._asdict() for quote in page.quotes],
            "total": page.total,
            "next": self._url(req, given, page.cursor) if page.cursor else None,
        }
        _send(req, resp, answer)

    on_head = on_get

    def _url(self, req: falcon.Request, given: Mapping[str, str], cursor: str) -> str:
        return f"{self._public_url or req.prefix}/quotes?{urlencode({**given, 'cursor': cursor})}"


class LibraryQuoteResource:
    """Serve a single quote of the library."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def on_get(self, req: falcon.Request, resp: falcon.Response, id: str) -> None:  # noqa: A002 -- as the path has it
        """Answer `GET /quotes/{id}`."""
        vary(resp)
        form = asked_form(req, parameters.parse(req.query_string, FORM_PARAMETERS))
        quote = self._library.by_id(id)
        if quote is None:
            raise QuoteNotFound("No quote in the library has this id.")
        body = represent(form, quote)
        send_cacheable(req, resp, form.media_type, body, etag_of(body), QUOTE_CACHING)

    on_head = on_get


class NamesResource:
    """Serve names with their number of quotes.

    Args:
        names: Returns at most the given number of them, those with the most quotes first.
    """

    def __init__(self, names: Callable[[int], list[tuple[str, int]]]) -> None:
        self._names = names

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer `GET /authors` or `GET /categories`."""
        given = parameters.parse(req.query_string, frozenset({"limit"}))
        limit = parameters.integer(given, "limit", 1, MOST_NAMES) or NAMES
        _send(req, resp, {"results": [{"name": name, "count": count} for name, count in self._names(limit)]})

    on_head = on_get


def add_to(app: "falcon.App[Any, Any]", library: Library, settings: Settings) -> None:
    """Add the resources to an application."""
    app.add_route("/quotes", LibraryResource(library, settings))
    app.add_route("/quotes/{id:path}", LibraryQuoteResource(library))  # imported ids may contain slashes
    app.add_route("/authors", NamesResource(library.authors))
    app.add_route("/categories", NamesResource(library.categories))


def _with_marks(quote: Quote, q: str) -> dict[str, Any]:
    from quotes.highlights import marked

    terms = terms_of(q)
    html = {
        "quote": marked(quote.quote, terms),
        "author": marked(quote.author, terms),
        "source": None if quote.source is None else marked(quote.source, terms),
    }
    return {**quote._asdict(), "marked": html}


def _send(req: falcon.Request, resp: falcon.Response, answer: dict[str, Any]) -> None:
    body = (json.dumps(answer, ensure_ascii=False) + "\n").encode()
    send_cacheable(req, resp, falcon.MEDIA_JSON, body, etag_of(body), LIST_CACHING)
