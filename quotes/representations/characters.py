"""Typographic properties of characters: widths, grapheme clusters, and line-break opportunities."""

import functools
import itertools
import json
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

ADVANCES = Path(__file__).parent.parent / "data" / "advances.json"
EM = 1000  # units of width

# Widths assumed for what no measured font has: wide letters of rare scripts, and emoji, which differ between fonts.
_UNMEASURED = 1300
_EMOJI = 1400

_LONGEST = 24  # code points in a cluster; joined emoji have at most ten

_JOINER, _EMOJI_STYLE, _ZERO_WIDTH_SPACE = "\u200d", "\ufe0f", "\u200b"
_JOINERS = (_JOINER, "\u200c")
# Characters that must not start a line (JIS X 4051): small kana, iteration and length marks, units.
_NOT_FIRST = frozenset("ぁぃぅぇぉっゃゅょゎゕゖァィゥェォッャュョヮヵヶー々〻ゝゞヽヾ〜%‰℃°")
_NOT_LAST = frozenset("$£¥€№")
_CLOSING, _OPENING = ("Pe", "Pf", "Po"), ("Ps", "Pi")
_BREAK_AFTER = frozenset("-/\N{HYPHEN}\N{EN DASH}\N{EM DASH}")


class Width(NamedTuple):
    """Represent a width, in thousandths of an em.

    Attributes:
        units: The width in the font of the cards or, if that is unknown, an upper bound.
        at_most: The width in the widest font that may replace it.
        exact: Whether `units` is the exact width in the font of the cards.
    """

    units: int
    at_most: int
    exact: bool

    @property
    def room(self) -> int:
        """Return the space to reserve: a line of exact width is drawn that wide whatever the font (`textLength`)."""
        return self.units if self.exact else self.at_most

    def beside(self, other: "Width") -> "Width":
        """Return the sum of this width and another."""
        return Width(self.units + other.units, self.at_most + other.at_most, self.exact and other.exact)


NOTHING = Width(0, 0, exact=True)


def total(widths: Iterable[Width]) -> Width:
    """Return the sum of widths."""
    return functools.reduce(Width.beside, widths, NOTHING)


def _unknown(at_most: int) -> Width:
    return Width(at_most, at_most, exact=False)


@functools.lru_cache(maxsize=4096)
def width_of(cluster: str) -> Width:
    """Return the width of a grapheme cluster."""
    if _is_emoji(cluster):  # fonts without a glyph for joined emoji draw them side by side
        return _unknown(_EMOJI * max(1, sum(map(_is_drawn, cluster))))
    return total(map(_width, cluster))


def clusters(text: str) -> list[str]:
    """Split a text into grapheme clusters, the characters that a reader perceives (UAX #29, approximately).

    Marks, joined emoji, flags, Indic conjuncts and the parts of a Korean syllable stay together.
    """
    found: list[str] = []
    for char in text:
        if found and _goes_on(found[-1], char):
            found[-1] += char
        else:
            found.append(char)
    return found


def may_end_between(before: str, after: str) -> bool:
    """Return whether a line may break between two clusters of a word (UAX #14, approximately).

    It may break next to Chinese and Japanese characters and emoji, except before closing and after opening punctuation;
    and after hyphens and dashes within a word.
    """
    if before[-1] == _ZERO_WIDTH_SPACE:
        return True
    if before[-1] in _BREAK_AFTER:
        return after[0].isalpha()
    if not (_stands_alone(before) or _stands_alone(after)):
        return False
    first, last = after[0], before[0]
    if first in _NOT_FIRST or unicodedata.category(first) in _CLOSING:
        return False
    return last not in _NOT_LAST and unicodedata.category(last) not in _OPENING


def is_right_to_left(text: str) -> bool:
    """Return whether a paragraph runs from right to left, as its first letter decides (UAX #9, rules P2 and P3)."""
    kinds = (unicodedata.bidirectional(char) for char in text)
    return next((kind for kind in kinds if kind in ("L", "R", "AL")), "L") != "L"


def is_tall(text: str) -> bool:
    """Return whether a text has letters that need a larger line height: Arabic, Indic and neighbouring scripts."""
    return any(
        "\u0590" <= char <= "\u109f" or "\u1700" <= char <= "\u1cff" or "\ufb50" <= char <= "\ufdff" for char in text
    )


@functools.cache
def _advances() -> tuple[dict[int, int], dict[int, int]]:
    table = json.loads(ADVANCES.read_bytes())
    exact, at_most = (
        {code: width for start, run in table[kind].items() for code, width in zip(itertools.count(int(start, 16)), run)}
        for kind in ("exact", "at_most")
    )
    return exact, at_most


def _width(char: str) -> Width:
    exact, at_most = _advances()
    code = ord(char)
    if code in exact:
        return Width(exact[code], at_most[code], exact=True)
    if code in at_most:
        return _unknown(at_most[code])
    if unicodedata.category(char) in ("Mn", "Me", "Cf", "Cc"):
        return _unknown(0)
    simpler = unicodedata.normalize("NFKD", char)
    if unicodedata.east_asian_width(char) in "WF":
        return Width(EM, EM, exact=True)
    if simpler != char:
        return _unknown(sum(_width(part).at_most for part in simpler))
    return _unknown(_UNMEASURED)


def _goes_on(cluster: str, char: str) -> bool:
    last, category = cluster[-1], unicodedata.category(char)
    if len(cluster) >= _LONGEST:
        return False
    if category in ("Mn", "Me", "Mc") or char in _JOINERS or "\U0001f3fb" <= char <= "\U0001f3ff" or _is_tag(char):
        return True
    if _is_flag_part(char):
        return _is_flag_part(last) and len(cluster) == 1
    # A joiner or a virama (combining class 9) joins the next letter to this cluster.
    is_joined = last == _JOINER or unicodedata.combining(last) == 9
    is_syllable = "\u1160" <= char <= "\u11ff" and "\u1100" <= last <= "\u11ff"
    return is_joined and (category == "Lo" or _is_emoji(cluster)) or is_syllable


def _is_tag(char: str) -> bool:
    return "\U000e0020" <= char <= "\U000e007f"


def _is_drawn(char: str) -> bool:
    return unicodedata.category(char) in ("So", "Sk") and not _is_flag_part(char)


def _is_flag_part(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"


def _is_emoji(cluster: str) -> bool:
    return _EMOJI_STYLE in cluster or "\U0001f000" <= cluster[0] <= "\U0001faff"


def _stands_alone(cluster: str) -> bool:
    if _is_emoji(cluster):
        return True
    # Korean is written with spaces, and its lines end there.
    return unicodedata.east_asian_width(cluster[0]) in "WF" and not "\uac00" <= cluster[0] <= "\ud7a3"
