"""The size of a text message in SMS parts, and the wording that fits a quote or a code into them.

Every part is charged. A part has 140 bytes (3GPP TS 23.040): 160 characters of the GSM 7-bit alphabet, or 70 of UCS-2
if any character is not in that alphabet. In a text of several parts each one spends 6 bytes on a header that links
them, which leaves 153 or 67 characters.
"""

import unicodedata
from collections.abc import Callable, Iterable

from quotes.quote import Quote

MOST_PARTS = 2  # of a daily text

# 3GPP TS 23.038, section 6.2.1: the basic table without its escape character, and the extension table, whose characters
# are sent as an escape and a second character.
GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_EXTENSION = frozenset("\f^{}\\[~]|€")

# Punctuation with an equivalent in the alphabet; letters are never replaced.
_PLAIN = str.maketrans(
    {
        "\N{LEFT DOUBLE QUOTATION MARK}": '"',
        "\N{RIGHT DOUBLE QUOTATION MARK}": '"',
        "\N{DOUBLE LOW-9 QUOTATION MARK}": '"',
        "\N{LEFT SINGLE QUOTATION MARK}": "'",
        "\N{RIGHT SINGLE QUOTATION MARK}": "'",
        "\N{HYPHEN}": "-",
        "\N{NON-BREAKING HYPHEN}": "-",
        "\N{EN DASH}": "-",
        "\N{EM DASH}": "-",
        "\N{HORIZONTAL ELLIPSIS}": "...",
        "\N{NO-BREAK SPACE}": " ",
        "\N{NARROW NO-BREAK SPACE}": " ",
        "\N{THIN SPACE}": " ",
    }
)
LONGEST_AUTHOR = 60  # characters; the quote gets the rest
MOST_CHARACTERS = 306  # the capacity of two parts


def parts(text: str) -> int:
    """Return the number of SMS parts that a text takes.

    An escaped character or a surrogate pair is never split between two parts.

    Args:
        text: The text.
    """
    if is_gsm(text):
        return _filled((2 if char in GSM_EXTENSION else 1 for char in text), 160, 153)
    return _filled((2 if char > "\uffff" else 1 for char in text), 70, 67)


def is_gsm(text: str) -> bool:
    """Return whether every character of a text is in the GSM 7-bit alphabet."""
    return all(char in GSM or char in GSM_EXTENSION for char in text)


def daily_text(quote: Quote) -> str:
    """Return a quote and its author as a text of at most two parts.

    A quote that is too long is cut after a word, or anywhere if it has no spaces, and ends with an ellipsis. The author
    is always included.

    Args:
        quote: The quote.
    """
    words, author = (unicodedata.normalize("NFC", " ".join(text.split())) for text in (quote.quote, quote.author))
    plain = _composed(words.translate(_PLAIN), author.translate(_PLAIN), "- ", "...")
    return plain if is_gsm(plain) else _composed(words, author, "\N{EM DASH} ", "\N{HORIZONTAL ELLIPSIS}")


def code_text(code: str, purpose: str, minutes: int) -> str:
    """Return the text with a one-time password; it takes one part.

    Args:
        code: The password.
        purpose: What it confirms: `subscribe` or `unsubscribe`.
        minutes: How long it is valid.
    """
    aim = {"subscribe": "start", "unsubscribe": "stop"}[purpose]
    return (
        f"{code} is your OTP to {aim} the quote of the day by text. It is valid for {minutes} minutes. "
        "Not you? Ignore this."
    )


def _composed(words: str, author: str, mark: str, ellipsis: str) -> str:
    author = _cut(author, ellipsis, lambda cut: len(cut) <= LONGEST_AUTHOR)
    by = f"\n{mark}{author}"
    return _cut(words, ellipsis, lambda cut: parts(cut + by) <= MOST_PARTS) + by


def _cut(text: str, ellipsis: str, fits: Callable[[str], bool]) -> str:
    """Shorten a text, with an ellipsis, until it fits; cut after a word unless that would lose half of it."""
    if fits(text):
        return text
    kept = next(n for n in range(min(len(text), MOST_CHARACTERS), -1, -1) if fits(text[:n] + ellipsis))
    while kept and unicodedata.combining(text[kept]):  # do not separate an accent from its letter
        kept -= 1
    at_a_word = kept if text[kept] == " " else text.rfind(" ", 0, kept)
    if at_a_word > kept // 2:
        kept = at_a_word
    return text[:kept].rstrip(" ,;:-\N{EN DASH}\N{EM DASH}") + ellipsis


def _filled(sizes: Iterable[int], alone: int, together: int) -> int:
    """Return the number of parts that characters of the given sizes fill, without splitting a character."""
    sizes = list(sizes)
    if sum(sizes) <= alone:
        return 1
    count, left = 1, together
    for size in sizes:
        if size > left:
            count, left = count + 1, together
        left -= size
    return count
