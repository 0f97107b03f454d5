"""The lower bound: what a server and Falcon cost if the application does nothing."""

import os
from collections.abc import Callable, Iterable
from typing import Any

import falcon

BODY = os.environ["BENCH_BODY"].encode()  # the quote that ours answers, so that all bodies have the same size


def plain(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer as a bare WSGI application: case (a)."""
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(BODY)))])
    return [BODY]


class Constant:
    """Answer the constant with one header besides its type: case (b)."""

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        resp.set_header("Cache-Control", "public, max-age=3600")
        resp.data = BODY


api = falcon.App()
api.add_route("/quote", Constant())
