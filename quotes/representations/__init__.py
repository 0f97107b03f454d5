"""A quote as bytes, in every representation that `format=` or `Accept` can select."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from quotes.quote import Quote

_encode = json.JSONEncoder(ensure_ascii=False).encode

MEDIA_TYPES = {"json": "application/json", "text": "text/plain; charset=utf-8", "svg": "image/svg+xml"}
THEMES = ("light", "dark")
NARROWEST, WIDEST = 240, 1200  # width of a card, in pixels


class Form(NamedTuple):
    """Specify a representation; equal forms of a quote have equal bytes.

    Attributes:
        name: A key of `MEDIA_TYPES`.
        theme: The colours of a card, one of `THEMES`.
        width: The width of a card, in pixels.
    """

    name: str
    theme: str = "light"
    width: int = 600

    @property
    def media_type(self) -> str:
        """Return the value of Content-Type."""
        return MEDIA_TYPES[self.name]


JSON, TEXT, CARD = Form("json"), Form("text"), Form("svg")


def represent(form: Form, quote: Quote, **more: str) -> bytes:
    """Represent one quote.

    Args:
        form: The representation.
        quote: The quote.
        more: Further members of the JSON object, such as `date`.
    """
    if form.name == "json":
        return _json(quote._asdict() | more)
    if form.name == "text":
        return _text(quote)
    from quotes.representations import card

    return card.draw(quote, form.theme, form.width)


def represent_many(form: Form, quotes: Sequence[Quote]) -> bytes:
    """Represent several quotes, as a JSON array or as texts separated by blank lines; a card shows only one quote."""
    if form.name == "json":
        return _json([quote._asdict() for quote in quotes])
    return b"\n".join(represent(form, quote) for quote in quotes)


def _json(value: Any) -> bytes:
    return (_encode(value) + "\n").encode()


def _text(quote: Quote) -> bytes:
    return f"{quote.quote}\n\N{EM DASH} {quote.author}\n".encode()
