"""A quote, as every part of the service hands it on."""

from typing import NamedTuple


class Quote(NamedTuple):
    """Hold one quote; the fields are the keys of its JSON form, in their order (contract, section 1).

    Attributes:
        quote: The words.
        author: Who wrote them.
        category: What they are about.
        source: Work, place and year; None when it is not known.
        id: Stable identifier of a corpus quote; None when it came from the upstream.
    """

    quote: str
    author: str
    category: str
    source: str | None = None
    id: str | None = None
