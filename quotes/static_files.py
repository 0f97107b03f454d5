"""The page's static files, served from `static/`.

The page's links contain a hash of a file's content, so these may be cached forever. Without that hash, or with the hash
of another version, the file is served as well, but has to be revalidated on each use.
"""

import functools
from pathlib import Path
from typing import NamedTuple

import falcon

from quotes.answers import IMMUTABLE, etag_of, send_cacheable

FOLDER = Path(__file__).parent / "static"
MEDIA_TYPES = {
    "icon.svg": "image/svg+xml",
    "page.js": "text/javascript; charset=utf-8",
    "style.css": "text/css; charset=utf-8",
}
HASH_LENGTH = 12  # characters

_POLICY = "default-src 'none'"  # the icon, an SVG file, can be opened as a page


class StaticFile(NamedTuple):
    """Store a file's content with its ETag."""

    content: bytes
    etag: str

    @property
    def version(self) -> str:
        """Return the hash at the end of the file's address."""
        return self.etag[:HASH_LENGTH]


@functools.cache
def static_file(name: str) -> StaticFile:
    """Return a file, which is read only once.

    Args:
        name: A key of `MEDIA_TYPES`.
    """
    content = (FOLDER / name).read_bytes()
    return StaticFile(content, etag_of(content))


def addresses() -> dict[str, str]:
    """Return the address of each file below `/static/`, by its name."""
    return {name: f"{name}?v={static_file(name).version}" for name in MEDIA_TYPES}


class StaticResource:
    """Serve the page's static files."""

    def on_get(self, req: falcon.Request, resp: falcon.Response, name: str) -> None:
        """Answer `GET /static/{name}`; only known names reach the file system."""
        if name not in MEDIA_TYPES:
            raise falcon.HTTPNotFound
        file = static_file(name)
        resp.set_header("Content-Security-Policy", _POLICY)
        caching = IMMUTABLE if req.query_string == f"v={file.version}" else "no-cache"
        send_cacheable(req, resp, MEDIA_TYPES[name], file.content, file.etag, caching)

    on_head = on_get
