"""A quote as bytes, in each form that a client may ask for by `format=` or by `Accept`."""

import json
from collections.abc import Sequence
from typing import Any

from quotes.quote import Quote

_encode = json.JSONEncoder(ensure_ascii=False).encode

MEDIA_TYPES = {"json": "application/json", "text": "text/plain; charset=utf-8"}


def represent(form: str, quote: Quote, **more: str) -> bytes:
    """Return one quote.

    Args:
        form: A key of `MEDIA_TYPES`.
        quote: The quote.
        more: Further members of the JSON form, such as `date`.
    """
    return _json(quote._asdict() | more) if form == "json" else _text(quote)


def represent_many(form: str, quotes: Sequence[Quote]) -> bytes:
    """Return several quotes: a JSON array, or texts with an empty line between them."""
    if form == "json":
        return _json([quote._asdict() for quote in quotes])
    return b"\n".join(_text(quote) for quote in quotes)


def _json(value: Any) -> bytes:
    return (_encode(value) + "\n").encode()


def _text(quote: Quote) -> bytes:
    return f"{quote.quote}\n\N{EM DASH} {quote.author}\n".encode()
