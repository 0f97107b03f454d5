"""What a text may hold: how many parts of an SMS it takes, and how a quote is made to fit.

Each part is charged. A part has 140 bytes (3GPP TS 23.040): 160 characters of the GSM 7-bit alphabet, or 70 of UCS-2 as
soon as one character is not in that alphabet. A text of several parts gives up 6 bytes of each to say how they belong
together: 153 or 67 are left.
"""

import unicodedata
from collections.abc import Callable, Iterable

from quotes.quote import Quote

MOST_PARTS = 2  # of a daily text

# 3GPP TS 23.038, section 6.2.1: the basic table, without its escape, and the extension table, whose characters are sent
# as an escape and another one.
GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_EXTENSION = frozenset("\f^{}\\[~]|€")

# Typesetting that the alphabet has other characters for; letters are never replaced.
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
MOST_CHARACTERS = 306  # that two parts can hold


def parts(text: str) -> int:
    """Return how many parts of an SMS a text takes.

    No part ends within an escaped character, nor within a surrogate pair.

    Args:
        text: The text.
    """
    if is_gsm(text):
        return _filled((2 if char in GSM_EXTENSION else 1 for char in text), 160, 153)
    return _filled((2 if char > "\uffff" else 1 for char in text), 70, 67)


def is_gsm(text: str) -> bool:
    """Tell whether every character of a text is in the GSM 7-bit alphabet."""
    return all(char in GSM or char in GSM_EXTENSION for char in text)


def daily_text(quote: Quote) -> str:
    """Return a quote and its author as a text of one part where that is possible, and never of more than two.

    A quote that is too long is cut after a word, with an ellipsis; one that never separates its words, anywhere. The
    author is always there.

    Args:
        quote: The quote.
    """
    words, author = (unicodedata.normalize("NFC", " ".join(text.split())) for text in (quote.quote, quote.author))
    plain = _composed(words.translate(_PLAIN), author.translate(_PLAIN), "- ", "...")
    return plain if is_gsm(plain) else _composed(words, author, "\N{EM DASH} ", "\N{HORIZONTAL ELLIPSIS}")


def code_text(code: str, purpose: str, minutes: int) -> str:
    """Return the text that brings a one-time password; one part.

    Args:
        code: The password.
        purpose: What it is for: `subscribe` or `unsubscribe`.
        minutes: How long it holds.
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
    """Return a text if it fits, else as much of it as fits with an ellipsis: whole words, unless that is too little."""
    if fits(text):
        return text
    kept = next(n for n in range(min(len(text), MOST_CHARACTERS), -1, -1) if fits(text[:n] + ellipsis))
    while kept and unicodedata.combining(text[kept]):  # an accent stays with its letter
        kept -= 1
    at_a_word = kept if text[kept] == " " else text.rfind(" ", 0, kept)
    if at_a_word > kept // 2:
        kept = at_a_word
    return text[:kept].rstrip(" ,;:-\N{EN DASH}\N{EM DASH}") + ellipsis


def _filled(sizes: Iterable[int], alone: int, together: int) -> int:
    """Return how many parts are filled by characters of such sizes, none of which is divided."""
    sizes = list(sizes)
    if sum(sizes) <= alone:
        return 1
    count, left = 1, together
    for size in sizes:
        if size > left:
            count, left = count + 1, together
        left -= size
    return count
