"""Words as search compares them: without case, accents and punctuation, in any script.

Text to be searched and text that is asked for go through the same table, so they meet however each was written. What
comes out are letters and digits with spaces between; nothing of it can be syntax to whoever reads it.
"""

import re
import unicodedata
from collections.abc import Iterator

# Scripts that are written without spaces: each character is a word, and several next to each other are a phrase.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
# What shows nothing or only stretches a word: soft hyphen, Arabic kashida, joiners, how an emoji is to look.
_NOTHING = re.compile("[\u00ad\u034f\u0640\u200d\u2060\u20e3\ufe00-\ufe0f\ufeff]")
_APOSTROPHES = frozenset("\u02bb\u02bc")  # letters to Unicode, as in Hawai\u02bbi; people type the usual one
# Letters that Unicode does not take apart, and that people type without their stroke.
_STROKES = {"ø": "o", "ł": "l", "đ": "d", "ħ": "h", "\u0131": "i", "æ": "ae", "œ": "oe"}


class _Folding(dict[int, str]):
    """Fold a character when it is first met (Unicode, sections 3.13 and 4.5)."""

    def __missing__(self, code: int) -> str:
        decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", chr(code)).casefold())
        folded = self[code] = "".join(map(_folded, decomposed))
        return folded


def _folded(char: str) -> str:
    if _NOTHING.match(char):
        return ""
    category = unicodedata.category(char)
    if category[0] == "M" and unicodedata.combining(char) > 9:
        return ""  # accents and points; others, such as the vowels of Indian scripts, make another word
    if category[0] not in "LNM" or char in _APOSTROPHES:
        return " "
    return f" {char} " if _UNSPACED.match(char) else _STROKES.get(char, char)


_FOLDING = _Folding()


def words(text: str) -> list[str]:
    """Return the words of a text in order, folded."""
    return text.translate(_FOLDING).split()


def places(text: str) -> Iterator[tuple[str, int, int]]:
    """Give the words of a text in order, folded, each with the range of characters that it stands at."""
    word, begin, end = "", 0, 0
    for at, char in enumerate(f"{text} "):
        for folded in _FOLDING[ord(char)]:
            if folded != " ":
                begin = begin if word else at
                word, end = word + folded, at + 1
            elif word:
                yield word, begin, end
                word = ""
        end = at + 1 if word else end  # an accent of its own belongs to the letter before it


def is_unspaced(word: str) -> bool:
    """Tell whether a word is a character of a script without spaces, which is no beginning of a longer one."""
    return _UNSPACED.match(word) is not None
