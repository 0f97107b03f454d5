"""Cursors: URL-safe positions within the results of one query on one library.

A cursor contains digests of its query and library, so it cannot continue another list, and a checksum, which rejects
anything that was not made here. It is not signed, because every position may be asked for.
"""

import base64
import struct
from hashlib import blake2b
from typing import NamedTuple

from quotes.errors import ParameterError

_FORM = struct.Struct(">Bq8s8s")  # tier, number, library, query
_CHECKSUM = 8  # bytes


class Place(NamedTuple):
    """Identify the last result of a page: its tier, and its number within it."""

    tier: int
    after: int


START = Place(0, -1)


def cursor_of(place: Place, library: str, query: str) -> str:
    """Encode a position.

    Args:
        place: The last result of the page.
        library: The library's fingerprint.
        query: A canonical text of the query.
    """
    body = _FORM.pack(place.tier, place.after, _digest(library), _digest(query))
    return base64.urlsafe_b64encode(body + _digest("quotes cursor", body)).rstrip(b"=").decode()


def place_of(cursor: str, library: str, query: str) -> Place:
    """Decode a cursor.

    Args:
        cursor: What the client sent.
        library: The library's fingerprint.
        query: A canonical text of the query.

    Raises:
        ParameterError: The cursor was not made here, belongs to another query, or the library has changed since.
    """
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except ValueError:  # invalid Base64, or not ASCII
        raw = b""
    body, checksum = raw[:-_CHECKSUM], raw[-_CHECKSUM:]
    if len(raw) != _FORM.size + _CHECKSUM or checksum != _digest("quotes cursor", body):
        raise ParameterError("cursor", "was not issued by this service")
    tier, after, of_library, of_query = _FORM.unpack(body)
    if after < 0:  # forged: the checksum needs no secret
        raise ParameterError("cursor", "is none that was given here")
    if of_library != _digest(library):
        raise ParameterError("cursor", "belongs to a library that has changed since; start again without it")
    if of_query != _digest(query):
        raise ParameterError("cursor", "belongs to another query; start again without it")
    return Place(tier, after)


def _digest(text: str, data: bytes = b"") -> bytes:
    return blake2b(text.encode() + data, digest_size=_CHECKSUM).digest()
