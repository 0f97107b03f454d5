"""Subscribing over HTTP: `/subscribe` and `/unsubscribe`, called first with a number, then with the code as well.

`GET` does the same as `POST`, because that is the published interface. `HEAD` only validates the parameters: programs
that check links must not cause texts or use up codes.
"""

import json
import logging
import re
from collections.abc import Mapping
from typing import Any

import falcon

from quotes import parameters, phone
from quotes.edges import body_of
from quotes.errors import ParameterError
from quotes.settings import Settings
from quotes.subscriptions import Purpose, Subscriptions

PARAMETERS = frozenset({"mobile", "otp"})
DONE = {
    "subscribe": "Congratulations!!! You have successfully subscribed for daily famous quote.",
    "unsubscribe": "You have successfully unsubscribed from daily famous quote. See you again.",
}

_CODE = re.compile(r"[0-9]{6}")
_QUERY = re.compile(r"\?[^\s\"]*")


def without_queries(record: logging.LogRecord) -> bool:
    """Remove queries, which may contain numbers and codes, from a log record; this is a logging filter.

    Returns:
        True, to keep the record.
    """
    record.msg, record.args = _QUERY.sub("", record.getMessage()), ()
    return True


logging.getLogger("zappa.wsgi").addFilter(without_queries)  # where Zappa's own handler logs requests


class SubscriptionResource:
    """Send a code to a number, and carry out the request once the code comes back."""

    def __init__(self, subscriptions: Subscriptions, settings: Settings, purpose: Purpose) -> None:
        self._subscriptions = subscriptions
        self._settings = settings
        self._purpose = purpose

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer `GET`, with the parameters in the query."""
        self._answer(req, resp, parameters.read(req.query_string, PARAMETERS))

    def on_head(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer like a successful `GET`, without doing anything: `HEAD` is safe (RFC 9110, section 9.2.1)."""
        self._answer(req, resp, parameters.read(req.query_string, PARAMETERS), dry_run=True)

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer `POST`, with the parameters in a form or a JSON body."""
        self._answer(req, resp, _body(req))

    def _answer(
        self, req: falcon.Request, resp: falcon.Response, given: Mapping[str, str], *, dry_run: bool = False
    ) -> None:
        number = phone.e164(parameters.required(given, "mobile"), self._settings.sms_countries)
        code = parameters.text(given, "otp")
        if code is None:
            if not dry_run:
                self._subscriptions.ask(number, self._purpose)
            resp.status, message = 202, self._how_to_confirm(req, number)
        else:
            if not _CODE.fullmatch(code):
                raise ParameterError("otp", "is not a code of six digits")
            if not dry_run:
                self._subscriptions.confirm(number, self._purpose, code)
            message = DONE[self._purpose]
        resp.set_header("Cache-Control", "no-store")
        resp.data = (json.dumps({"message": message}) + "\n").encode()

    def _how_to_confirm(self, req: falcon.Request, number: str) -> str:
        base = self._settings.public_url or req.prefix
        url = f"{base}/{self._purpose}?mobile={number[1:]}&otp=<OTP>"
        return f"An OTP verification has been sent on mobile {number}. To confirm, use this URL with the OTP: {url}"


def add_to(app: "falcon.App[Any, Any]", subscriptions: Subscriptions, settings: Settings) -> None:
    """Add the two resources to an application."""
    purposes: tuple[Purpose, Purpose] = ("subscribe", "unsubscribe")
    for purpose in purposes:
        app.add_route(f"/{purpose}", SubscriptionResource(subscriptions, settings, purpose))


def _body(req: falcon.Request) -> Mapping[str, str]:
    media_type = (req.content_type or "").partition(";")[0].strip().lower()
    if media_type not in ("application/x-www-form-urlencoded", "application/json"):
        detail = "Send a form (application/x-www-form-urlencoded) or JSON (application/json)."
        raise falcon.HTTPUnsupportedMediaType(description=detail)
    body = body_of(req)
    if media_type == "application/json":
        return parameters.read_json(body, PARAMETERS)
    return parameters.read(body.decode("latin-1"), PARAMETERS)
