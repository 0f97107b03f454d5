"""HTTP around a body: content negotiation, caching headers and conditional requests."""

import functools
import hashlib
from collections.abc import Hashable, Mapping
from typing import Generic, NamedTuple, TypeVar

import falcon
from falcon.util import mediatypes

from quotes import parameters
from quotes.representations import CARD, MEDIA_TYPES, NARROWEST, THEMES, WIDEST, Form

IMMUTABLE = "public, max-age=31536000, immutable"
NO_STORE = "no-store"
FORM_PARAMETERS = frozenset({"format", "theme", "width"})

Key = TypeVar("Key", bound=Hashable)

# A card can be opened as a page, and must load nothing whatever its quote says (Content Security Policy 3, 6.1).
_POLICY = "default-src 'none'"


class Rendered(NamedTuple):
    """Store a body that is valid until its day ends.

    Attributes:
        body: The body.
        etag: Its ETag, as returned by `etag_of`.
        ends: When the day ends, in seconds since 1970.
    """

    body: bytes
    etag: str
    ends: float


class Kept(Generic[Key]):
    """Keep rendered bodies in memory until their day ends; safe to share between threads.

    Args:
        most: The number of bodies to keep. Clients choose the keys, so a full store is emptied.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._rendered: dict[Key, Rendered] = {}

    def get(self, key: Key, now: float) -> Rendered | None:
        """Return what was kept for a key, or None if there is nothing or its day is over."""
        rendered = self._rendered.get(key)
        return rendered if rendered and rendered.ends > now else None

    def keep(self, key: Key, rendered: Rendered) -> Rendered:
        """Keep a body for a key, and return it."""
        if len(self._rendered) >= self._most:
            self._rendered.clear()
        self._rendered[key] = rendered
        return rendered


def asked_form(req: falcon.Request, given: Mapping[str, str]) -> Form:
    """Return the representation to answer with: the one `format` names, or else the one `Accept` prefers.

    `theme` and `width` are validated for every format, but only affect cards.

    Args:
        req: The request.
        given: The request's parameters, including any `FORM_PARAMETERS`.

    Raises:
        ParameterError: The format, theme or width is invalid.
        falcon.HTTPNotAcceptable: The client accepts none of the representations (RFC 9110, section 15.5.7).
    """
    name = parameters.choice(given, "format", MEDIA_TYPES)
    theme = parameters.choice(given, "theme", THEMES)
    width = parameters.integer(given, "width", NARROWEST, WIDEST)
    name = name or _preferred((req.get_header("Accept") or "*/*").lower())
    if name is None:
        raise falcon.HTTPNotAcceptable(description=f"This is available as {' or '.join(MEDIA_TYPES.values())}.")
    return Form(name, theme or CARD.theme, width or CARD.width) if name == CARD.name else Form(name)


def vary(resp: falcon.Response) -> None:
    """Mark an answer, which may turn out to be an error, as depending on `Accept` (RFC 9110, section 12.5.5)."""
    resp.set_header("Vary", "Accept")


def etag_of(body: bytes) -> str:
    """Return a strong ETag for a body, without the surrounding quotation marks (RFC 9110, section 8.8.3)."""
    return hashlib.sha256(body).hexdigest()[:32]


def send(resp: falcon.Response, media_type: str, body: bytes, caching: str = NO_STORE) -> None:
    """Send a body.

    Args:
        resp: The response.
        media_type: The value of Content-Type.
        body: The body.
        caching: The value of Cache-Control.
    """
    resp.content_type = media_type
    resp.set_header("Cache-Control", caching)
    if media_type == CARD.media_type:
        resp.set_header("Content-Security-Policy", _POLICY)
    resp.data = body


def send_cacheable(
    req: falcon.Request, resp: falcon.Response, media_type: str, body: bytes, etag: str, caching: str
) -> None:
    """Send a body with its ETag, or a 304 if the client already has it (RFC 9110, section 13.1.2).

    Args:
        req: The request.
        resp: The response.
        media_type: The value of Content-Type.
        body: The body.
        etag: Its ETag, as returned by `etag_of`.
        caching: The value of Cache-Control.
    """
    resp.set_header("ETag", f'"{etag}"')
    if req.get_header("If-None-Match") and any(tag in ("*", etag) for tag in req.if_none_match or ()):
        resp.set_header("Cache-Control", caching)
        resp.status = falcon.HTTP_NOT_MODIFIED
    else:
        send(resp, media_type, body, caching)


@functools.lru_cache(maxsize=256)
def _preferred(accept: str) -> str | None:
    try:
        best = mediatypes.best_match(MEDIA_TYPES.values(), accept)
    except falcon.InvalidMediaType:
        return None
    return next((form for form, media_type in MEDIA_TYPES.items() if media_type == best), None)
