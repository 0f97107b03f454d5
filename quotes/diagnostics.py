"""A deliberately failing task, to see where failures end up: `GET /async-failure` with `QUOTES_DIAGNOSTICS=1`."""

import json
import logging
from typing import Any

import falcon

from quotes.answers import NO_STORE
from quotes.errors import DeliberateFailure
from quotes.service import start_task
from quotes.settings import Settings

log = logging.getLogger(__name__)


class AsyncFailureResource:
    """Start a task that fails."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer `GET /async-failure` with 202; the task fails in its own invocation, or off Lambda right here."""
        if self._settings.on_lambda or self._settings.task_function:
            start_task(self._settings, "async_failure")
        else:
            log.error("The task async_failure failed.", exc_info=DeliberateFailure())
        self._answer(resp)

    def on_head(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer as `GET` does, without starting the task."""
        self._answer(resp)

    def _answer(self, resp: falcon.Response) -> None:
        resp.status = 202
        resp.set_header("Cache-Control", NO_STORE)
        resp.data = (json.dumps({"message": "Called async task"}) + "\n").encode()


def add_to(app: "falcon.App[Any, Any]", settings: Settings) -> None:
    """Add the route, if the settings enable it."""
    if settings.diagnostics:
        app.add_route("/async-failure", AsyncFailureResource(settings))
