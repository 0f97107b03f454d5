"""The function's entry point on Lambda: requests go through a lean adapter, other events through Zappa's handler.

Zappa's handler imports boto3 and werkzeug up front: more than half of a cold start, although a request for a quote
needs neither. Importing this module is Lambda's init phase: it sets up the process as Zappa's handler does, and loads
the application. So it can only be imported where Zappa has put `zappa_settings.py`, which is in the package.
"""

import importlib
import json
import logging
import os
from types import ModuleType
from typing import Any

from quotes import gateway, json_log
from quotes.s3_object import S3Object, Unclear
from quotes.settings import Role

TRIES = 3  # attempts to read the remote environment

log = logging.getLogger(__name__)


def lambda_handler(event: gateway.Event, context: Any) -> Any:
    """Answer a request, or handle any other event.

    Args:
        event: The event; see the AWS Lambda developer guide, "Using AWS Lambda with other services".
        context: The invocation.
    """
    os.environ.update(event.get("stageVariables") or {})
    if gateway.is_request(event):
        return _answer(event, context)
    if gateway.is_keep_warm(event):
        return None
    from zappa import handler

    return handler.lambda_handler(event, context)


def prepare(stage: ModuleType) -> None:
    """Set the log level and the environment from the stage's settings, with the precedence of Zappa's handler.

    The package's variables override the remote environment, and both override the function's own configuration.
    """
    logging.getLogger().setLevel(stage.LOG_LEVEL)
    own = {"SERVERTYPE": "AWS Lambda", "FRAMEWORK": "Zappa", "PROJECT": stage.PROJECT_NAME, "STAGE": stage.API_STAGE}
    os.environ.update(own)  # already needed to report a failure of the next line
    os.environ.update(remote_environment(getattr(stage, "REMOTE_ENV", "") or ""))
    os.environ.update(own | stage.ENVIRONMENT_VARIABLES)


def remote_environment(url: str) -> dict[str, str]:
    """Return the variables in an S3 object, which is a flat JSON object of strings.

    As in Zappa's handler, a missing or malformed object is logged and ignored. But if S3 does not respond, the start
    fails and Lambda tries again: `DATABASE_URL` may be in there, and without the shared state the day could get a
    second quote.

    Args:
        url: `s3://bucket/key`, or an empty string for none.

    Raises:
        Unclear: S3 does not respond.
        StateUnavailable: S3 rejects the request.
    """
    bucket, _, key = url.removeprefix("s3://").partition("/")
    if not key:
        return {}
    body = _read(S3Object(bucket, key, Role.of_function()))
    if body is None:
        log.error("The remote environment %s is not there.", url)
        return {}
    try:
        given = json.loads(body)
    except ValueError:
        log.error("The remote environment %s is no JSON.", url)
        return {}
    if not isinstance(given, dict):
        log.error("The remote environment %s is no JSON object.", url)
        return {}
    for name in (name for name, value in given.items() if not isinstance(value, str)):
        log.error("The remote environment %s: the value of %s is no string.", url, name)
    return {name: value for name, value in given.items() if isinstance(value, str)}


def _read(file: S3Object) -> bytes | None:
    for attempt in range(1, TRIES + 1):
        try:
            stored = file.get(None)
        except Unclear:
            if attempt == TRIES:
                raise
        else:
            return stored.body if stored else None
    raise AssertionError("unreachable")


json_log.use()
_stage = importlib.import_module("zappa_settings")
try:
    prepare(_stage)
    _app = getattr(importlib.import_module(_stage.APP_MODULE), _stage.APP_FUNCTION)
except Exception as error:
    gateway.tell_exception_handler(_stage, error, {}, None)
    raise
_answer = gateway.create_handler(_app, _stage)
