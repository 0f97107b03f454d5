"""Errors over HTTP: all mapped in this one place to `application/problem+json` (RFC 9457)."""

import json
import logging
from http import HTTPStatus
from typing import Any

import falcon

from quotes.errors import (
    CodeRefused,
    CorpusError,
    NotSetUp,
    OptedOut,
    ParameterError,
    QuoteNotFound,
    QuoteTypeError,
    SearchUnavailable,
    StateUnavailable,
    TaskNotStarted,
    TextsUnavailable,
    TooManyCodes,
)

RETRY_AFTER = 5  # seconds

_DETAILS = {
    404: "There is nothing at this path.",
    405: "This path does not know that method; Allow lists those it knows.",
    500: "Something went wrong here. It is not your request's fault.",
}

log = logging.getLogger(__name__)


def add_to(app: "falcon.App[Any, Any]") -> None:
    """Make an application answer every error as a problem."""
    app.set_error_serializer(_serialize)
    app.add_error_handler(ParameterError, _bad_parameter)
    app.add_error_handler(QuoteTypeError, _bad_type)
    app.add_error_handler(QuoteNotFound, _not_found)
    app.add_error_handler((CorpusError, StateUnavailable), _unavailable)
    app.add_error_handler(SearchUnavailable, _cannot_search)
    app.add_error_handler(CodeRefused, _code_refused)
    app.add_error_handler(OptedOut, _opted_out)
    app.add_error_handler(TooManyCodes, _too_many_codes)
    app.add_error_handler(NotSetUp, _not_set_up)
    app.add_error_handler((TextsUnavailable, TaskNotStarted), _not_sent)
    app.add_error_handler(Exception, _defect)


def _bad_parameter(req: falcon.Request, resp: falcon.Response, error: Exception, params: dict[str, Any]) -> None:
    raise falcon.HTTPBadRequest(title="Invalid parameter", description=str(error)) from error


def _bad_type(req: falcon.Request, resp: falcon.Response, error: Exception, params: dict[str, Any]) -> None:
    detail = "Supported types are 'daily' or 'random'."
    raise falcon.HTTPBadRequest(title="Invalid Quote type", description=detail) from error


def _not_found(req: falcon.Request, resp: falcon.Response, error: Exception, params: dict[str, Any]) -> None:
    raise falcon.HTTPNotFound(description=str(error)) from error


def _unavailable(req: falcon.Request, resp: falcon.Response, error: Exception, params: dict[str, Any]) -> None:
    log.error("%s %s: %s", req.method, req.uri_template, error)
    detail = "The data for this cannot be read right now; try again in a few seconds."
    raise falcon.HTTPServiceUnavailable(description=detail, retry_after=RETRY_AFTER) from error


def _cannot_search(req: falcon.Request, resp: falcon.Response, error: Exception, params: dict[str, Any]) -> None:
    raise falcon.HTTPServiceUnavailable(title="Search Unavailable", description=str(error)) from error


def _code_refused(req: falcon.Request, resp: falcon.Response, error: Exception, params: dict[str, Any]) -> None:
    raise falcon.HTTPBadRequest(title="Invalid OTP", description=str(error)) from error


def _opted_out(req: falcon.Request, resp: falcon.Response, error: Exception, params: dict[str, Any]) -> None:
    detail = (
        "This number replied STOP to our texts, so it gets none, and no code either. Send START to the number that the "
        "texts came from, and ask again in ten minutes."
    )
    raise falcon.HTTPConflict(title="Opted Out", description=detail) from error


def _too_many_codes(req: falcon.Request, resp: falcon.Response, error: Exception, params: dict[str, Any]) -> None:
    assert isinstance(error, TooManyCodes)
    problem = falcon.HTTPTooManyRequests if error.is_own else falcon.HTTPServiceUnavailable
    raise problem(title="Too Many Codes", description=str(error), retry_after=error.seconds) from error


def _not_set_up(req: falcon.Request, resp: falcon.Response, error: Exception, params: dict[str, Any]) -> None:
    log.error("%s %s: %s", req.method, req.uri_template, error)
    raise falcon.HTTPServiceUnavailable(title="Not Set Up", description=str(error)) from error


def _not_sent(req: falcon.Request, resp: falcon.Response, error: Exception, params: dict[str, Any]) -> None:
    log.error("%s %s: %s", req.method, req.uri_template, error)
    detail = "The text cannot be sent right now; try again in a few seconds."
    raise falcon.HTTPServiceUnavailable(description=detail, retry_after=RETRY_AFTER) from error


def _defect(req: falcon.Request, resp: falcon.Response, error: Exception, params: dict[str, Any]) -> None:
    # Falcon's own handler would log the query, which may contain a phone number and a code.
    route = f"{req.method} {req.uri_template or '(no route)'}"
    log.error("%s", route, exc_info=error)
    from quotes import notify

    invocation = req.env.get("apig_wsgi.context") or req.env.get("lambda.context")  # set by our handler or by Zappa's
    notify.tell(error, route, invocation)
    raise falcon.HTTPInternalServerError from error


def _serialize(req: falcon.Request, resp: falcon.Response, error: falcon.HTTPError) -> None:
    phrase = HTTPStatus(error.status_code).phrase
    title = error.title or phrase
    if title in (error.status, phrase.capitalize()):  # a default title of Falcon's
        title = phrase
    # "about:blank" means that the title is the status phrase (RFC 9457, section 4.2.1).
    slug = title.lower().replace(" ", "-")
    problem = {
        "type": "about:blank" if title == phrase else f"urn:problem-type:{slug}",
        "title": title,
        "status": error.status_code,
        "detail": error.description or _DETAILS.get(error.status_code, phrase),
    }
    resp.content_type = "application/problem+json"
    resp.set_header("Cache-Control", "no-store")
    resp.data = (json.dumps(problem, ensure_ascii=False) + "\n").encode()
