"""The row, which the readers of all formats yield."""

from typing import Any, NamedTuple

LONGEST_ROW = 1_000_000  # characters


class Row(NamedTuple):
    """Represent a row of a file.

    Attributes:
        line: The number of its first line, from 1.
        values: The values by field name; None if the row cannot be read.
        reason: Why it cannot be read.
        text: The beginning of a row that cannot be read.
    """

    line: int
    values: dict[str, Any] | None
    reason: str = ""
    text: str = ""
