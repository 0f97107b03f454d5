"""Highlight what a search found in a text."""

from collections.abc import Iterator
from html import escape

from quotes.search import Terms
from quotes.words import places


def marked(text: str, terms: Terms) -> str:
    """Return a text as escaped HTML with `<mark>` around the matches.

    Args:
        text: The text; any markup in it is escaped.
        terms: What to mark: whole words and phrases, and, if the last word is a prefix, every word that starts with it.
    """
    html, done = "", 0
    for begin, end in _joined(sorted(_hits(text, terms))):
        html += f"{escape(text[done:begin])}<mark>{escape(text[begin:end])}</mark>"
        done = end
    return html + escape(text[done:])


def _hits(text: str, terms: Terms) -> Iterator[tuple[int, int]]:
    found = list(places(text))
    for number, phrase in enumerate(terms.phrases, 1):
        is_open = terms.is_open and number == len(terms.phrases)
        for first in range(len(found) - len(phrase) + 1):
            run = found[first : first + len(phrase)]
            here, last = tuple(word for word, _, _ in run), phrase[-1]
            if here[:-1] == phrase[:-1] and (here[-1] == last or (is_open and here[-1].startswith(last))):
                yield run[0][1], run[-1][2]


def _joined(ranges: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Merge overlapping ranges, which are given in order."""
    begin, end = 0, 0
    for first, last in ranges:
        if first >= end:
            if end:
                yield begin, end
            begin = first
        end = max(end, last)
    if end:
        yield begin, end
