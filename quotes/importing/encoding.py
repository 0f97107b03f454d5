"""Detection of a file's encoding by fixed rules: byte order mark, NULs, valid UTF-8, otherwise Windows-1252.

Guessing by letter frequencies could read the same file differently as it grows.
"""

import codecs
from pathlib import Path
from typing import NamedTuple

from quotes.errors import ImportRefused

_UTF_32 = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # UTF-32's little-endian mark starts with the first
_NO_CP1252 = frozenset(b"\x81\x8d\x8f\x90\x9d")
_CHUNK = 1 << 20  # bytes


class Encoding(NamedTuple):
    """Describe an encoding.

    Attributes:
        codec: The name of Python's codec.
        title: The usual name.
        errors: The codec's error handler; by default, invalid bytes become lone surrogates, and their row is refused.
    """

    codec: str
    title: str
    errors: str = "surrogateescape"


UTF_8 = Encoding("utf-8-sig", "UTF-8")  # with or without a byte order mark
WINDOWS_1252 = Encoding("cp1252", "Windows-1252", "strict")


def encoding_of(path: Path) -> Encoding:
    """Return the encoding of a file.

    Raises:
        ImportRefused: The file is not text in a supported encoding.
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(_CHUNK)
    if start.startswith(_UTF_32):
        raise ImportRefused(path, "is UTF-32; save it as UTF-8")
    if start.startswith(_UTF_16):
        return _utf_16(path, "utf-16")
    at = start.find(b"\0")
    if at >= 0:
        even, odd = start[::2].count(0), start[1::2].count(0)
        # In Western UTF-16 text, nearly every other byte is NUL, either the even or the odd ones.
        if max(even, odd) > len(start) // 5 and min(even, odd) * 50 < max(even, odd):
            return _utf_16(path, "utf-16-be" if even > odd else "utf-16-le")
        raise ImportRefused(path, f"is no text: byte {at:,} is NUL")
    return _eight_bits(path)


def _utf_16(path: Path, codec: str) -> Encoding:
    if path.stat().st_size % 2:
        raise ImportRefused(path, "is UTF-16 that is cut off: it ends within a character")
    return Encoding(codec, "UTF-16", "surrogatepass")


def _eight_bits(path: Path) -> Encoding:
    """Tell UTF-8, which may be slightly damaged, from Windows-1252 by comparing invalid bytes with valid characters."""
    decode = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode
    wrong = right = place = 0
    strangers: set[int] = set()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            at = chunk.find(b"\0")
            if at >= 0:
                raise ImportRefused(path, f"is no text: byte {place + at:,} is NUL")
            place += len(chunk)
            if not chunk.isascii() or wrong or right:
                strangers |= _NO_CP1252.intersection(chunk)
                text = decode(chunk)
                bad = sum(map(text.count, map(chr, range(0xDC80, 0xDD00)))) if not _is_whole(text) else 0
                wrong += bad
                right += sum(character > "\x7f" for character in text) - bad if not text.isascii() else 0
    if not wrong or right >= wrong:
        return UTF_8
    if strangers:
        raise ImportRefused(path, f"is neither UTF-8 nor Windows-1252: it holds the byte 0x{min(strangers):02x}")
    return WINDOWS_1252


def _is_whole(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
