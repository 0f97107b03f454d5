"""Words as search compares them: without case, accents and punctuation, in any script.

The library and the search text go through the same folding, so they match however each was written. The result
consists of letters, digits and spaces, so it cannot contain query syntax.
"""

import re
import unicodedata
from collections.abc import Iterator

# Scripts written without spaces: each character is a word of its own, and adjacent ones form a phrase.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
# Invisible or merely stretching: soft hyphen, Arabic kashida, joiners, emoji variation selectors.
_NOTHING = re.compile("[\u00ad\u034f\u0640\u200d\u2060\u20e3\ufe00-\ufe0f\ufeff]")
_APOSTROPHES = frozenset("\u02bb\u02bc")  # letters to Unicode, as in Hawai\u02bbi; people type the usual one
# Letters that Unicode does not decompose, but that people type without the stroke.
_STROKES = {"ø": "o", "ł": "l", "đ": "d", "ħ": "h", "\u0131": "i", "æ": "ae", "œ": "oe"}


class _Folding(dict[int, str]):
    """Map characters for `str.translate`, folding each one on first use (Unicode, sections 3.13 and 4.5)."""

    def __missing__(self, code: int) -> str:
        decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", chr(code)).casefold())
        folded = self[code] = "".join(map(_folded, decomposed))
        return folded


def _folded(char: str) -> str:
    if _NOTHING.match(char):
        return ""
    category = unicodedata.category(char)
    if category[0] == "M" and unicodedata.combining(char) > 9:
        return ""  # accents and points; other marks, such as Indic vowel signs, distinguish words
    if category[0] not in "LNM" or char in _APOSTROPHES:
        return " "
    return f" {char} " if _UNSPACED.match(char) else _STROKES.get(char, char)


_FOLDING = _Folding()


def words(text: str) -> list[str]:
    """Return the folded words of a text, in order."""
    return text.translate(_FOLDING).split()


def places(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield the folded words of a text, each with its start and end position in the text."""
    word, begin, end = "", 0, 0
    for at, char in enumerate(f"{text} "):
        for folded in _FOLDING[ord(char)]:
            if folded != " ":
                begin = begin if word else at
                word, end = word + folded, at + 1
            elif word:
                yield word, begin, end
                word = ""
        end = at + 1 if word else end  # a combining accent belongs to the letter before it


def is_unspaced(word: str) -> bool:
    """Return whether a word is a single character of a script without spaces, which cannot be a prefix."""
    return _UNSPACED.match(word) is not None
