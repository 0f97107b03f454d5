"""What HTTP says around a body: which representation is asked for, how long it may be kept, whether it has changed."""

import functools
import hashlib
from collections.abc import Mapping

import falcon
from falcon.util import mediatypes

from quotes import parameters
from quotes.representations import CARD, MEDIA_TYPES, NARROWEST, THEMES, WIDEST, Form

IMMUTABLE = "public, max-age=31536000, immutable"
NO_STORE = "no-store"
FORM_PARAMETERS = frozenset({"format", "theme", "width"})

# A card loads nothing, whatever a quote says, and is opened as a page too (Content Security Policy 3, section 6.1).
_POLICY = "default-src 'none'"


def asked_form(req: falcon.Request, given: Mapping[str, str]) -> Form:
    """Return the representation to answer with: what `format` says, else what `Accept` prefers.

    `theme` and `width` are checked whatever the form is, and matter to cards alone.

    Args:
        req: The request.
        given: The request's parameters, `FORM_PARAMETERS` among them.

    Raises:
        ParameterError: There is no such format, theme or width.
        falcon.HTTPNotAcceptable: Nothing here is acceptable (RFC 9110, section 15.5.7).
    """
    name = parameters.choice(given, "format", MEDIA_TYPES)
    theme = parameters.choice(given, "theme", THEMES)
    width = parameters.integer(given, "width", NARROWEST, WIDEST)
    name = name or _preferred((req.get_header("Accept") or "*/*").lower())
    if name is None:
        raise falcon.HTTPNotAcceptable(description=f"This is available as {' or '.join(MEDIA_TYPES.values())}.")
    return Form(name, theme or CARD.theme, width or CARD.width) if name == CARD.name else Form(name)


def vary(resp: falcon.Response) -> None:
    """Tell that an answer, even if an error, is one that `Accept` chooses (RFC 9110, section 12.5.5)."""
    resp.set_header("Vary", "Accept")


def etag_of(body: bytes) -> str:
    """Return a strong validator of a body, without its quotation marks (RFC 9110, section 8.8.3)."""
    return hashlib.sha256(body).hexdigest()[:32]


def send(resp: falcon.Response, media_type: str, body: bytes, caching: str = NO_STORE) -> None:
    """Send a body.

    Args:
        resp: The answer.
        media_type: What the body is.
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
    """Send a body with its validator, or 304 where the client has it (RFC 9110, section 13.1.2).

    Args:
        req: The request.
        resp: The answer.
        media_type: What the body is.
        body: The body.
        etag: Its validator, as `etag_of` gives it.
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
