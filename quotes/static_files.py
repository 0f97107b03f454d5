"""The page's files, sent as they lie in `static/`.

A file's address holds a hash of its content, so it may be kept for good; asked for without that, or with the hash of
another version, it is sent as well, but has to be looked at again each time.
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

_POLICY = "default-src 'none'"  # the icon is opened as a page too, by who wants to


class StaticFile(NamedTuple):
    """Hold a file."""

    content: bytes
    etag: str

    @property
    def version(self) -> str:
        """Return what its address ends with."""
        return self.etag[:HASH_LENGTH]


@functools.cache
def static_file(name: str) -> StaticFile:
    """Return a file, read once.

    Args:
        name: A key of `MEDIA_TYPES`.
    """
    content = (FOLDER / name).read_bytes()
    return StaticFile(content, etag_of(content))


def addresses() -> dict[str, str]:
    """Return each file's address below `/static/`, by its name."""
    return {name: f"{name}?v={static_file(name).version}" for name in MEDIA_TYPES}


class StaticResource:
    """Answer with the page's files."""

    def on_get(self, req: falcon.Request, resp: falcon.Response, name: str) -> None:
        """Answer `GET /static/{name}`; only names that are known reach the file system."""
        if name not in MEDIA_TYPES:
            raise falcon.HTTPNotFound
        file = static_file(name)
        resp.set_header("Content-Security-Policy", _POLICY)
        caching = IMMUTABLE if req.query_string == f"v={file.version}" else "no-cache"
        send_cacheable(req, resp, MEDIA_TYPES[name], file.content, file.etag, caching)

    on_head = on_get
