"""Cleaning of imported texts, which leaves clean ones unchanged, and fingerprints that identify duplicates."""

import hashlib
import html
import re
import unicodedata

# Invisible characters, such as controls, soft hyphens and direction marks; and private-use ones (Unicode 23.5).
_INVISIBLE = re.compile(
    "[\0-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f"
    "\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\ue000-\uf8ff]"
)
# Joiners are meaningful in Persian, Indic scripts and emoji, and noise elsewhere.
_JOINERS = re.compile("(?<![\u0600-\U0010ffff])[\u200c\u200d]+|[\u200c\u200d]+(?![\u0600-\U0010ffff])")
_AMPERSANDS = re.compile(r"&(?:amp;)+")  # repeated escaping, as in `&amp;amp;lt;`
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_PAIRS = {'"': '"', "“": "”", "„": "“", "«": "»", "»": "«", "”": "”"}
_DOUBLE = frozenset('"“”„«»')
_PLAIN = re.compile(r'[^&"\s\x7f-\U0010ffff\0-\x1f]+(?: [^&"\s\x7f-\U0010ffff\0-\x1f]+)*')


def clean(text: str) -> str:
    """Return a text on one line, in NFC, without HTML entities and invisible characters, with single spaces.

    Args:
        text: The text as imported.
    """
    if _PLAIN.fullmatch(text):
        return text
    while True:
        before = text
        text = _ENTITY.sub(_character, _AMPERSANDS.sub("&", text))
        text = " ".join(text.split())
        text = _INVISIBLE.sub("", text)
        text = unicodedata.normalize("NFC", _JOINERS.sub("", text))
        if text == before:
            return text


def clean_quote(text: str) -> str:
    """Clean a quote, and remove quotation marks that enclose it, or one at either end that lacks its counterpart."""
    if _PLAIN.fullmatch(text):
        return text
    text = clean(text)
    while True:
        before = text
        if len(text) > 2 and _PAIRS.get(text[0]) == text[-1] and not _DOUBLE.intersection(text[1:-1]):
            text = text[1:-1]
        elif text and sum(map(text.count, _DOUBLE)) == 1:
            text = text[1:] if text[0] in _DOUBLE else text[:-1] if text[-1] in _DOUBLE else text
        text = text.strip()
        if text == before:
            return text


def clean_author(text: str) -> str:
    """Clean an author's name, and remove enclosing quotation marks, leading dashes and trailing commas."""
    while (stripped := clean_quote(text).strip("-\u2013—―~,; ")) != text:
        text = stripped
    return text


def _character(entity: re.Match[str]) -> str:
    text = html.unescape(entity[0])
    return "" if text == "\ufffd" else text


class _Letters(dict[int, int | None]):
    """Map characters for `str.translate`: deletes punctuation, spaces and controls."""

    def __missing__(self, code: int) -> int | None:
        char = chr(code)
        self[code] = None if unicodedata.category(char)[0] in "PZC" or char in _APOSTROPHES else code
        return self[code]


_APOSTROPHES = "`\u02bb\u02bc"  # used as apostrophes, but not punctuation in Unicode
_LETTERS = _Letters()


def fingerprint(quote: str) -> int:
    """Return a 64-bit hash that is the same for quotes that differ only in case, punctuation and spaces.

    Args:
        quote: A clean quote.
    """
    # An acute accent on its own stands for an apostrophe; NFKC would decompose it into a space and a mark.
    text = quote if quote.isascii() else unicodedata.normalize("NFKC", quote.replace("\u00b4", "'"))
    folded = text.casefold()
    return hash_64(folded.translate(_LETTERS) or folded)


def hash_64(text: str) -> int:
    """Return a 64-bit hash of a text."""
    return int.from_bytes(hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest())
