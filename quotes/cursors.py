"""Cursors: a place in the walk through one query's results in one library, as a text for a URL.

A cursor holds what it belongs to, so that it never leads on through other results; its checksum tells one of ours from
anything else. It is no secret, and no signature: a place is nothing that anybody must not ask for.
"""

import base64
import struct
from hashlib import blake2b
from typing import NamedTuple

from quotes.errors import ParameterError

_FORM = struct.Struct(">Bq8s8s")  # tier, number, library, query
_CHECKSUM = 8  # bytes


class Place(NamedTuple):
    """Name the last result that was given: its tier, and its number there."""

    tier: int
    after: int


START = Place(0, -1)


def cursor_of(place: Place, library: str, query: str) -> str:
    """Return the cursor of a place.

    Args:
        place: The last result that was given.
        library: The library's fingerprint.
        query: What was asked, written the same for equal queries.
    """
    body = _FORM.pack(place.tier, place.after, _digest(library), _digest(query))
    return base64.urlsafe_b64encode(body + _digest("quotes cursor", body)).rstrip(b"=").decode()


def place_of(cursor: str, library: str, query: str) -> Place:
    """Return the place that a cursor stands for.

    Raises:
        ParameterError: It was not made here, or for another query, or for a library that has changed since.
    """
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except ValueError:  # bad Base64, or no ASCII
        raw = b""
    body, checksum = raw[:-_CHECKSUM], raw[-_CHECKSUM:]
    if len(raw) != _FORM.size + _CHECKSUM or checksum != _digest("quotes cursor", body):
        raise ParameterError("cursor", "was not issued by this service")
    tier, after, of_library, of_query = _FORM.unpack(body)
    if after < 0:  # it is made like ours, which anybody can do
        raise ParameterError("cursor", "is none that was given here")
    if of_library != _digest(library):
        raise ParameterError("cursor", "belongs to a library that has changed since; start again without it")
    if of_query != _digest(query):
        raise ParameterError("cursor", "belongs to another query; start again without it")
    return Place(tier, after)


def _digest(text: str, data: bytes = b"") -> bytes:
    return blake2b(text.encode() + data, digest_size=_CHECKSUM).digest()
