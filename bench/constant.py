"""The floor: what a server and Falcon cost when the application has nothing to do."""

import os
from collections.abc import Callable, Iterable
from typing import Any

import falcon

BODY = os.environ["BENCH_BODY"].encode()  # the quote that ours answers with, so that all bodies have one size


def plain(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer as a bare WSGI application: (a)."""
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(BODY)))])
    return [BODY]


class Constant:
    """Answer with the constant and one header besides its type: (b)."""

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        resp.set_header("Cache-Control", "public, max-age=3600")
        resp.data = BODY


api = falcon.App()
api.add_route("/quote", Constant())
