"""API Gateway events (REST API, Lambda proxy integration) as WSGI requests.

What the adapter, apig-wsgi, leaves open is handled as in Zappa's own handler: the path the application is mounted at,
the client's address, and which responses are sent as text.
"""

import importlib
import json
import logging
import time
from base64 import b64decode
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import ModuleType
from typing import Any
from urllib.parse import unquote

import apig_wsgi

Event = dict[str, Any]
Answer = dict[str, Any]
WSGI = Callable[[dict[str, Any], Any], Iterable[bytes]]

TEXT = (*apig_wsgi.DEFAULT_NON_BINARY_CONTENT_TYPE_PREFIXES, "image/svg+xml")

log = logging.getLogger(__name__)


def create_handler(app: WSGI, stage: ModuleType) -> Callable[[Event, Any], Answer]:
    """Return a function that answers the gateway's events with a WSGI application, and logs each request.

    Args:
        app: The application.
        stage: The stage's settings as packaged by Zappa (`zappa_settings.py`).
    """
    text = (*TEXT, *stage.ADDITIONAL_TEXT_MIMETYPES)
    adapter = apig_wsgi.make_lambda_handler(_mounted(app, stage), stage.BINARY_SUPPORT, text)

    def handler(event: Event, context: Any) -> Answer:
        begun, told = time.perf_counter(), _Told()
        try:
            answer = adapter(event | {_TOLD: told}, context)
        except BaseException as error:  # like Zappa's handler: answer the client, and notify the exception handler
            log.exception("A request failed outside the application.")
            tell_exception_handler(stage, error, event, context)
            answer = dict(_FAILED)
        _write_line(event, answer, time.perf_counter() - begun, told)
        return answer

    return handler


def tell_exception_handler(stage: ModuleType, error: BaseException, event: Event, context: Any) -> bool:
    """Call the stage's `exception_handler`, if any; return whether it handled the error."""
    if not stage.EXCEPTION_HANDLER:
        return False
    module, _, name = stage.EXCEPTION_HANDLER.rpartition(".")
    try:
        return bool(getattr(importlib.import_module(module), name)(error, event, context))
    except Exception:
        log.exception("The exception_handler failed.")
        return False


def is_request(event: Event) -> bool:
    """Return whether an event is a request to a REST API, rather than a job or a load balancer's request."""
    return bool(event.get("httpMethod")) and "elb" not in (event.get("requestContext") or {})


def is_keep_warm(event: Event) -> bool:
    """Return whether an event comes from Zappa's `keep_warm`, whose only purpose is to have an instance running."""
    rule = next(iter(event.get("resources") or ()), "")
    return event.get("detail-type") == "Scheduled Event" and rule.endswith(".keep_warm_callback")


@dataclass
class _Told:
    """Carry what the application reports about a request to the log line."""

    route: str | None = None
    whence: str | None = None


_TOLD = "quotes.told"  # in an event, on its way to the application

_FAILED = {
    "statusCode": 500,
    "headers": {
        "Content-Type": "application/problem+json",
        "Cache-Control": "no-store",
        "Access-Control-Allow-Origin": "*",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
        "Referrer-Policy": "no-referrer",
    },
    "body": json.dumps(
        {
            "type": "about:blank",
            "title": "Internal Server Error",
            "status": 500,
            "detail": "Something went wrong here. It is not your request's fault.",
        }
    )
    + "\n",
}


def _mounted(app: WSGI, stage: ModuleType) -> WSGI:
    def wsgi(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        event = environ["apig_wsgi.full_event"]
        script_name, path = _mount(event, stage)
        environ["SCRIPT_NAME"] = script_name.encode().decode("latin-1")
        environ["PATH_INFO"] = path.encode().decode("latin-1")  # PEP 3333: bytes, as Latin-1
        environ["REMOTE_ADDR"] = _client(event)
        try:
            return app(environ, start_response)
        finally:
            event[_TOLD].route, event[_TOLD].whence = environ.get("quotes.route"), environ.get("quotes.whence")

    return wsgi


def _mount(event: Event, stage: ModuleType) -> tuple[str, str]:
    """Return the path that the application is mounted at, and the rest of the request's path.

    The event's path includes the base path of a custom domain, but never the stage.
    """
    path = unquote(event["path"])
    if stage.BASE_PATH:
        base = f"/{stage.BASE_PATH}"
        return base, path.removeprefix(base) if path == base or path.startswith(f"{base}/") else path
    host = _header(event, "host")
    is_gateways = "amazonaws.com" in host if host else not stage.DOMAIN  # test requests from the console have no Host
    return f"/{stage.API_STAGE}" if is_gateways else "", path


def _header(event: Event, name: str) -> str:
    headers = event.get("headers") or {}
    return next((value for key, value in headers.items() if key.lower() == name), "")


def _client(event: Event) -> str:
    """Return the client address that the gateway saw; X-Forwarded-For can be forged."""
    identity = (event.get("requestContext") or {}).get("identity") or {}
    return identity.get("sourceIp") or "127.0.0.1"


def _write_line(event: Event, answer: Answer, seconds: float, told: _Told) -> None:
    """Log a request without its query, and with an unknown path redacted: both may contain a phone number or a code."""
    path = told.route or _unrouted(event["path"])
    body = (answer.get("body") or "").encode()
    size = len(b64decode(body)) if answer.get("isBase64Encoded") else len(body)
    took = round(seconds * 1000)
    status = answer["statusCode"]
    line = (event["httpMethod"], path, _client(event), status, size, took)
    fields = {"route": told.route, "status": status, "milliseconds": took, "whence": told.whence}
    log.info("%s %s %s %s %s bytes %s ms", *line, extra=fields)


def _unrouted(path: str) -> str:
    from quotes.redaction import unrouted

    return unrouted(path)
