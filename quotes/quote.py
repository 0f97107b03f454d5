"""The quote, as it is passed between all parts of the service."""

from typing import NamedTuple


class Quote(NamedTuple):
    """Represent one quote; the fields are the keys of its JSON form, in that order (contract, section 1).

    Attributes:
        quote: The text.
        author: The author's name.
        category: The topic.
        source: Work, place and year; None if unknown.
        id: The stable identifier of a corpus quote; None for a quote from the upstream.
    """

    quote: str
    author: str
    category: str
    source: str | None = None
    id: str | None = None
