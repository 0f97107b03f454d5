"""Reading fortune files: texts separated by lines of `%`, each ending with a dash and the author."""

import re
from collections.abc import Iterator
from typing import TextIO

from quotes.importing.row import LONGEST_ROW, Row

_AUTHOR = re.compile(r"\s*(?:--+|[—―\u2013]+|~)\s*(.*\S)")
_SOURCE = re.compile(
    r"(?P<author>[^\"“«(]+?)\s*,?\s+(?P<source>[\"“«(].*[^\W\d_].*)"
)  # a source contains letters; (1835-1910) is not one
_BETWEEN = frozenset({"%", "%%"})  # older programs wrote two
_SHOWN = 200  # characters


def fortunes(file: TextIO) -> Iterator[Row]:
    """Yield the texts of a fortune file.

    Args:
        file: The file, at its start.
    """
    lines: list[str] = []
    first, size, number, is_new = 1, 0, 0, True
    while True:
        line = file.readline(LONGEST_ROW)
        number += is_new
        is_new = line.endswith("\n")  # an over-long line is read in pieces
        if line and line.strip() not in _BETWEEN:
            if size <= LONGEST_ROW:
                if not lines and not line.strip():
                    continue
                if not lines:
                    first = number
                lines.append(line)
            size += len(line)
            continue
        if lines:
            yield _row(first, lines, size)
        lines, size = [], 0
        if not line:
            return


def _row(first: int, lines: list[str], size: int) -> Row:
    text = "".join(lines)
    if size > LONGEST_ROW:
        return Row(first, None, f"longer than {LONGEST_ROW:,} characters", text[:_SHOWN])
    lines = text.splitlines()
    at = next((at for at in range(len(lines) - 1, 0, -1) if _AUTHOR.match(lines[at])), None)
    if at is None:
        return Row(first, {"quote": text})
    named = " ".join(
        _AUTHOR.sub(r"\1", line.strip(), count=1) if not place else line.strip()
        for place, line in enumerate(lines[at:])
    )
    row = {"quote": "\n".join(lines[:at]), "author": named.strip()}
    found = _SOURCE.fullmatch(named.strip())
    if found:
        source = found["source"]
        closes = {"“": "”", "«": "»", "(": ")"}.get(source[0], source[0])
        row |= {"author": found["author"], "source": source[1:-1] if source.endswith(closes) else source}
    return Row(first, row)
