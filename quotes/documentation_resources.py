"""The documentation over HTTP: `/openapi.json`, and `/docs` to read and try it, with a packaged Swagger UI.

Files are only read on request: Swagger UI is large, and no request for a quote needs it.
"""

import functools
import importlib.util
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import falcon

from quotes import __version__, static_files
from quotes.answers import etag_of, send_cacheable
from quotes.settings import Settings

DOCUMENT = Path(__file__).parent / "data" / "openapi.json"
START = Path(__file__).parent / "static" / "docs.js"
FILES = {"swagger-ui.css": "text/css; charset=utf-8", "swagger-ui-bundle.js": "text/javascript; charset=utf-8"}
CACHING = "public, max-age=3600"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Quotes: the API, to read and to try</title>
<link rel="icon" type="image/svg+xml" href="{root}/static/{icon}">
<link rel="stylesheet" href="{root}/docs/swagger-ui.css">
<script src="{root}/docs/swagger-ui-bundle.js" defer></script>
<script src="{root}/docs/docs.js" defer></script>
</head>
<body>
<main id="swagger-ui" data-document="{root}/openapi.json">
<noscript><p>This page needs JavaScript. <a href="{root}/openapi.json">The document itself</a> does not.</p></noscript>
</main>
</body>
</html>
"""


class DocumentResource:
    """Serve the OpenAPI document."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer `GET /openapi.json`, with this service as its server."""
        # A relative URL by default: it resolves to the document's own host, while the Host header can be forged.
        server = self._settings.public_url or req.root_path or "/"
        body = document().replace(b'"SERVER"', json.dumps(server).encode())
        send_cacheable(req, resp, "application/json", body, etag_of(body), CACHING)

    on_head = on_get


class ReaderResource:
    """Serve the page that displays the document."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer `GET /docs`."""
        from html import escape

        url = self._settings.public_url
        root = escape(urlsplit(url).path if url else req.root_path)
        body = _PAGE.format(root=root, icon=static_files.addresses()["icon.svg"]).encode()
        resp.set_header("Content-Security-Policy", POLICY)
        send_cacheable(req, resp, falcon.MEDIA_HTML, body, etag_of(body), CACHING)

    on_head = on_get


class ReaderFileResource:
    """Serve the page's script and style sheet."""

    def on_get(self, req: falcon.Request, resp: falcon.Response, name: str) -> None:
        """Answer `GET /docs/{name}`."""
        if name == START.name:
            body, media_type = START.read_bytes(), FILES["swagger-ui-bundle.js"]
        elif name in FILES:
            body, media_type = reader_file(name), FILES[name]
        else:
            raise falcon.HTTPNotFound
        send_cacheable(req, resp, media_type, body, etag_of(body), CACHING)

    on_head = on_get


@functools.cache
def document() -> bytes:
    """Return the OpenAPI document, with the placeholder `"SERVER"` for the server's URL."""
    return DOCUMENT.read_bytes().replace(b'"VERSION"', json.dumps(__version__).encode())


def reader_file(name: str) -> bytes:
    """Return a file of Swagger UI from its Python package, without importing the package."""
    package = importlib.util.find_spec("swagger_ui")
    assert package is not None
    assert package.submodule_search_locations
    return Path(package.submodule_search_locations[0], "static", name).read_bytes()


def add_to(app: "falcon.App[Any, Any]", settings: Settings) -> None:
    """Add the resources to an application."""
    app.add_route("/openapi.json", DocumentResource(settings))
    app.add_route("/docs", ReaderResource(settings))
    app.add_route("/docs/{name}", ReaderFileResource())
