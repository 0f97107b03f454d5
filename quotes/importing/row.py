"""What the readers of all formats return."""

from typing import Any, NamedTuple

LONGEST_ROW = 1_000_000  # characters


class Row(NamedTuple):
    """Hold what was found at a line of a file.

    Attributes:
        line: Where the row begins, from 1.
        values: By the names of their fields; None where it cannot be read.
        reason: Why not.
        text: How it begins.
    """

    line: int
    values: dict[str, Any] | None
    reason: str = ""
    text: str = ""
