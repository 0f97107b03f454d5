"""Line breaking: text is measured, broken at permitted places, and evened out over the lines."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from quotes.representations.characters import NOTHING, Width, clusters, may_end_between, total, width_of

EVENED = 8  # lines; longer texts look even as they are


class Piece(NamedTuple):
    """Represent a run of text that has no line-break opportunity.

    Attributes:
        text: The characters.
        width: Their width.
        spaced: Whether a space follows, unless the line ends there.
    """

    text: str
    width: Width
    spaced: bool


class Line(NamedTuple):
    """Represent a line.

    Attributes:
        text: The characters.
        width: Their width.
    """

    text: str
    width: Width


SPACE = width_of(" ")


def pieces(text: str) -> list[Piece]:
    """Split a paragraph at spaces, and where a line may break within a word."""
    found = []
    for word in text.split(" "):
        parts: list[list[str]] = []
        for cluster in clusters(word):
            if parts and not may_end_between(parts[-1][-1], cluster):
                parts[-1].append(cluster)
            else:
                parts.append([cluster])
        found += [_piece(part, spaced=False) for part in parts[:-1]]
        found += [_piece(part, spaced=True) for part in parts[-1:]]
    return found


def cut(parts: Iterable[Piece], measure: int) -> list[Piece]:
    """Split pieces that are wider than a line into smaller ones, never within a grapheme cluster.

    Args:
        parts: The pieces.
        measure: The width of a line, in thousandths of an em.
    """
    found = []
    for part in parts:
        chunk: list[str] = []
        used = 0
        for cluster in clusters(part.text) if part.width.room > measure else ():
            width = width_of(cluster).units if part.width.exact else width_of(cluster).at_most
            if chunk and used + width > measure:
                found.append(_piece(chunk, spaced=False))
                chunk, used = [], 0
            chunk.append(cluster)
            used += width
        found.append(_piece(chunk, spaced=part.spaced) if chunk else part)
    return found


def lines(parts: Sequence[Piece], measure: int) -> list[Line]:
    """Fill each line with as many pieces as fit.

    Args:
        parts: The pieces, none of which is wider than a line.
        measure: The width of a line, in thousandths of an em.
    """
    found: list[Line] = []
    text, width, gap = "", NOTHING, NOTHING
    for part in parts:
        wider = width.beside(gap).beside(part.width)
        if text and wider.room > measure:
            found.append(Line(text, width))
            text, width = part.text, part.width
        else:
            text, width = f"{text}{' ' if gap is SPACE else ''}{part.text}", wider
        gap = SPACE if part.spaced else NOTHING
    if text:
        found.append(Line(text, width))
    return found


def even_lines(parts: Sequence[Piece], measure: int) -> list[Line]:
    """Fill lines as `lines` does; if they are few, even out their lengths, so that no word is left alone.

    This is a binary search for the smallest measure that needs no further line.

    Args:
        parts: The pieces, none of which is wider than a line.
        measure: The width of a line, in thousandths of an em.
    """
    best = lines(parts, measure)
    if not 1 < len(best) <= EVENED:
        return best
    low = max([part.width.room for part in parts] + [sum(line.width.room for line in best) // len(best)])
    while low < measure:
        middle = (low + measure) // 2
        tried = lines(parts, middle)
        if len(tried) == len(best):
            best, measure = tried, middle
        else:
            low = middle + 1
    return best


def _piece(parts: Sequence[str], *, spaced: bool) -> Piece:
    return Piece("".join(parts), total(map(width_of, parts)), spaced)
