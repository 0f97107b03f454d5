"""The HTTP service: thin Falcon resources and the WSGI application that routes to them.

`api` is the WSGI application: `gunicorn quotes.resources:api`, or `quotes.resources.api` for Zappa.
"""

import datetime as dt
import functools
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

import falcon

from quotes import (
    __version__,
    diagnostics,
    documentation_resources,
    library_resources,
    page,
    parameters,
    problems,
    subscription_resources,
)
from quotes.answers import (
    FORM_PARAMETERS,
    IMMUTABLE,
    NO_STORE,
    Kept,
    Rendered,
    asked_form,
    etag_of,
    send,
    send_cacheable,
    vary,
)
from quotes.corpus import Filters
from quotes.daily import DailyQuotes
from quotes.edges import Edges
from quotes.errors import CorpusError, ParameterError, QuoteNotFound, QuoteTypeError, StateUnavailable
from quotes.feed import FeedResource
from quotes.quote import Quote
from quotes.representations import CARD, Form, represent, represent_many
from quotes.service import Service
from quotes.settings import Settings

DAILY_PARAMETERS = FORM_PARAMETERS | {"date"}
RANDOM_PARAMETERS = FORM_PARAMETERS | {"category", "author", "min_length", "max_length", "count"}
KEPT_READY = 1000  # rendered random quotes
FORMS_KEPT_READY = 100  # renderings of today's quote; cards alone come in 961 widths

log = logging.getLogger(__name__)


class EveryAnswer:
    """Apply what holds for every response, errors included: common headers and a 405 for unknown methods."""

    def process_resource(
        self, req: falcon.Request, resp: falcon.Response, resource: object, params: dict[str, Any]
    ) -> None:
        """Reject an unknown HTTP method like an unsupported one; Falcon by itself answers 400.

        Raises:
            falcon.HTTPMethodNotAllowed: HTTP has no such method.
        """
        if req.method not in falcon.COMBINED_METHODS:
            known = [method for method in falcon.HTTP_METHODS if hasattr(resource, f"on_{method.lower()}")]
            raise falcon.HTTPMethodNotAllowed([*known, "OPTIONS"])

    def process_response(self, req: falcon.Request, resp: falcon.Response, resource: object, succeeded: bool) -> None:
        """Set the CORS and `nosniff` headers, and leave the route and the quote's origin in `environ` for the log."""
        req.env["quotes.route"] = req.uri_template
        if whence := getattr(resp.context, "whence", None):
            req.env["quotes.whence"] = whence
        resp.set_header("Access-Control-Allow-Origin", "*")
        resp.set_header("X-Content-Type-Options", "nosniff")
        if req.method == "OPTIONS":
            resp.set_header("Access-Control-Allow-Methods", resp.get_header("Allow") or "GET, HEAD, OPTIONS")
            resp.set_header(
                "Access-Control-Allow-Headers", "Accept, Authorization, Content-Type, If-None-Match, X-Api-Key"
            )
            resp.set_header("Access-Control-Max-Age", "86400")
        else:
            resp.set_header("Access-Control-Expose-Headers", "ETag, Retry-After")


class DailyResource:
    """Serve today's quote, or that of an earlier day."""

    def __init__(self, daily: DailyQuotes) -> None:
        self._daily = daily
        self._kept = Kept[Form](FORMS_KEPT_READY)

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer `GET /daily`."""
        vary(resp)
        self.answer(req, resp, parameters.parse(req.query_string, DAILY_PARAMETERS))

    on_head = on_get

    def answer(self, req: falcon.Request, resp: falcon.Response, given: Mapping[str, str]) -> None:
        """Answer with a day's quote; today's is kept as bytes until the day ends."""
        form, now = asked_form(req, given), self._daily.time()
        if "date" in given:
            daily = self._daily.quote_of(parameters.day(given, "date", self._daily.today()))
        elif rendered := self._kept.get(form, now):
            resp.context.whence = "memory"
            self._send(req, resp, form, rendered, now)
            return
        else:
            daily = self._daily.quote_of_today()
        resp.context.whence = daily.whence
        body = represent(form, daily.quote, date=daily.day.isoformat())
        if not daily.on_record:  # may turn out not to be the day's quote, so it must not be cached
            send(resp, form.media_type, body)
            return
        rendered = Rendered(body, etag_of(body), self._daily.end_of(daily.day))
        if rendered.ends > now:
            self._kept.keep(form, rendered)
        self._send(req, resp, form, rendered, now)

    def _send(self, req: falcon.Request, resp: falcon.Response, form: Form, rendered: Rendered, now: float) -> None:
        left = rendered.ends - now
        caching = f"public, max-age={int(left)}" if left > 0 else IMMUTABLE
        send_cacheable(req, resp, form.media_type, rendered.body, rendered.etag, caching)


class RandomResource:
    """Serve random quotes."""

    def __init__(self, service: Service) -> None:
        self._service = service
        # A small library soon fits into this cache entirely; for a large one it costs little and changes nothing.
        self._ready = functools.lru_cache(KEPT_READY)(self._represent)

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer `GET /`."""
        self.answer(req, resp, parameters.parse(req.query_string, RANDOM_PARAMETERS))

    on_head = on_get

    def answer(self, req: falcon.Request, resp: falcon.Response, given: Mapping[str, str]) -> None:
        """Answer with one quote, or with an array if `count` is given."""
        form = asked_form(req, given)
        count, filters = parameters.count(given), parameters.filters(given)
        if form.name == CARD.name and (count or 1) > 1:
            raise ParameterError("count", "is more than 1, and a card shows one quote")
        body, whence = self._one(form, filters) if count is None else self._many(form, filters, count)
        if not body:
            asked = " and ".join(f"{name} '{given[name].strip()}'" for name in Filters._fields if name in given)
            raise QuoteNotFound(f"No quote matches {asked}.")
        resp.context.whence = whence
        send(resp, form.media_type, body)

    def _one(self, form: Form, filters: Filters) -> tuple[bytes | None, str]:
        if self._service.is_corpus_asked(filters):
            numbers = self._service.corpus.draw(1, filters)
            return self._ready(form, numbers[0]) if numbers else None, "corpus"
        quotes = self._service.random(1, filters)
        return represent(form, quotes[0]), _whence(quotes)

    def _many(self, form: Form, filters: Filters, count: int) -> tuple[bytes | None, str]:
        quotes = self._service.random(count, filters)
        return represent_many(form, quotes) if quotes else None, _whence(quotes)

    def _represent(self, form: Form, n: int) -> bytes:
        return represent(form, self._service.corpus.numbered(n))


def _whence(quotes: list[Quote]) -> str:
    return "upstream" if any(quote.id is None for quote in quotes) else "corpus"


class QuoteResource:
    """Serve the daily quote or random ones, depending on `type`."""

    def __init__(self, daily: DailyResource, random: RandomResource, today: Callable[[], dt.date]) -> None:
        self._today = today
        self._answers = {"daily": daily.answer, "random": random.answer}

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer `GET /quote`."""
        vary(resp)
        given = parameters.parse(req.query_string, _QUOTE_PARAMETERS)
        answer = self._answers.get(given.get("type", "daily"))
        if answer is None:
            raise QuoteTypeError
        if given.keys() & (RANDOM_PARAMETERS - FORM_PARAMETERS):  # check even the parameters that `type` ignores
            parameters.count(given)
            parameters.filters(given)
        if "date" in given:
            parameters.day(given, "date", self._today())
        answer(req, resp, given)

    on_head = on_get


_QUOTE_PARAMETERS = DAILY_PARAMETERS | RANDOM_PARAMETERS | {"type"}


class HealthResource:
    """Report the health of the service."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer `GET /health`: 200 if the corpus and the database work, otherwise 503.

        A failing upstream does not count as unhealthy, because the corpus takes over.
        """
        healthy, today, broken = True, False, {}
        try:
            self._service.corpus.of_day(self._service.daily.today())
        except CorpusError as error:
            log.error("%s", error)
            healthy, broken["corpus"] = False, {"status": "unavailable"}
        database = self._service.database
        state = {"kind": database.kind, "status": "ok", "shared": database.shared, "meaning": database.meaning}
        try:
            today = self._service.daily.is_stored(self._service.daily.today())
        except StateUnavailable as error:
            log.error("%s", error)
            healthy, state["status"] = False, "unavailable"
        report = {
            "status": "ok" if healthy else "unavailable",
            "version": __version__,
            "database": state,
            "upstream": self._upstream(),
            "today": today,
            **broken,
        }
        resp.status = 200 if healthy else 503
        resp.set_header("Cache-Control", NO_STORE)
        resp.data = (json.dumps(report) + "\n").encode()

    on_head = on_get

    def _upstream(self) -> dict[str, str]:
        upstream = self._service.upstream
        if upstream is None:
            return {"status": "off"}
        error = {"error": str(upstream.error)} if upstream.error else {}
        return {"status": upstream.status, **error}


def create_api(settings: Settings, service: Service | None = None) -> "falcon.App[Any, Any]":
    """Create the WSGI application, without opening, writing or connecting to anything.

    Args:
        settings: The settings.
        service: The service to expose; by default, the one that the settings describe.
    """
    logging.getLogger("quotes").setLevel(settings.log_level)
    service = service or Service.of(settings)
    middleware: list[Any] = [EveryAnswer(), Edges()]
    app = falcon.App(media_type="application/json", middleware=middleware)
    problems.add_to(app)
    daily, random = DailyResource(service.daily), RandomResource(service)
    page.add_to(app, service, settings, random)
    app.add_route("/quote", QuoteResource(daily, random, service.daily.today))
    app.add_route("/daily", daily)
    app.add_route("/feed.atom", FeedResource(service.daily, settings))
    app.add_route("/health", HealthResource(service))
    subscription_resources.add_to(app, service.subscriptions, settings)
    library_resources.add_to(app, service.library, settings)
    documentation_resources.add_to(app, settings)
    diagnostics.add_to(app, settings)
    return app


api = create_api(Settings.from_environ())
