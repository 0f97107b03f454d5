"""Reading CSV and TSV (RFC 4180); a stray quotation mark spoils only its own record, not the rest of the file."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from quotes.errors import ImportRefused
from quotes.importing.fields import Fields
from quotes.importing.row import LONGEST_ROW, Row

_MOST_LINES = 100  # of one record
_SHOWN = 200  # characters
_EXCEL = re.compile(r'"?sep=."?\s*', re.IGNORECASE)  # a line before the header that tells Excel the separator
_OPEN = "a quotation mark is not closed"


def separated(path: Path, file: TextIO, fields: Fields, separators: str) -> Iterator[Row]:
    """Yield the records of a table whose first line names the columns.

    Args:
        path: The file, for messages.
        file: The file, opened with `newline=""`, at its start.
        fields: Recognizes the columns.
        separators: The possible separators, among which the first line decides.

    Raises:
        ImportRefused: The first line is unusable, for example because no column is named like a quote.
    """
    lines = _Lines(file)
    while (first := lines.next()) and (first.isspace() or _EXCEL.fullmatch(first)):
        pass
    header, separator = _header(path, lines.number, first, fields, separators)
    while line := lines.next():
        number = lines.number
        if line.isspace():
            continue
        if len(line) > LONGEST_ROW:
            yield Row(number, None, f"longer than {LONGEST_ROW:,} characters", line[:_SHOWN])
            continue
        row = _record(number, [line], header, separator)
        if row.reason == _OPEN:
            record = lines.rest_of(line)
            row = _record(number, record, header, separator)
            if row.values is None:
                lines.put_back(record[1:])  # blame only the first line, and read the others again
        yield row


def _header(path: Path, number: int, first: str, fields: Fields, separators: str) -> tuple[tuple[str, ...], str]:
    best: tuple[tuple[str, ...], str] = ((), "")
    for separator in separators:
        try:
            names = tuple(name.strip() for name in next(csv.reader([first], delimiter=separator, strict=True)))
        except (csv.Error, StopIteration):
            continue
        if fields.columns(names)["quote"] and len(names) > len(best[0]):
            best = names, separator
    if not best[0]:
        shown = first.strip()[:60]
        reason = f"line {number} names no column like a quote ({shown!r})"
        raise ImportRefused(path, f"{reason}; it has to name the columns, and --map quote=NAME says which")
    twice = [name for name in best[0] if name and best[0].count(name) > 1]
    if twice:
        raise ImportRefused(path, f"line {number} names the column {twice[0]!r} twice")
    missing = fields.missing(best[0])
    if missing is not None:
        raise ImportRefused(path, f"line {number} names no column {missing!r}, but --map does")
    return best


def _record(number: int, record: list[str], header: tuple[str, ...], separator: str) -> Row:
    try:
        [values] = csv.reader(record, delimiter=separator, strict=True)
    except (csv.Error, ValueError) as error:
        reason = _OPEN if isinstance(error, csv.Error) and "end of data" in str(error) else "a stray quotation mark"
        return Row(number, None, reason, record[0][:_SHOWN])
    while len(values) > len(header) and not values[-1].strip():
        values.pop()
    if len(values) != len(header):
        return Row(number, None, f"{len(values)} fields, the first line has {len(header)}", record[0][:_SHOWN])
    return Row(number, dict(zip(header, values, strict=True)))


class _Lines:
    """Read lines with pushback; over-long ones are truncated."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._back: list[str] = []
        self.number = 0

    def next(self) -> str:
        if self._back:
            self.number += 1
            return self._back.pop()
        line = self._file.readline(LONGEST_ROW + 1)
        if line:
            self.number += 1
        if len(line) > LONGEST_ROW:
            rest = line
            while rest and not rest.endswith("\n"):
                rest = self._file.readline(LONGEST_ROW)
        return line

    def put_back(self, lines: list[str]) -> None:
        self._back += reversed(lines)
        self.number -= len(lines)

    def rest_of(self, line: str) -> list[str]:
        """Return the lines of a record whose first line ends within quotation marks, up to the one that closes them."""
        record = [line]
        while len(record) < _MOST_LINES and (more := self.next()):
            record.append(more)
            if more.count('"') % 2:
                break
        return record
