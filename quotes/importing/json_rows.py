"""Reading JSON incrementally: an array of objects, one object per line, or concatenated objects."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

from quotes.errors import ImportRefused
from quotes.importing.fields import Fields
from quotes.importing.row import LONGEST_ROW, Row

_PIECE = 1 << 18  # characters
_SPACE = re.compile(r"[ \t\r\n]*")
_STRING = r'"(?:[^"\\]|\\.)*"'
_OPENING = re.compile(r"\s*\[")
# An object around the array, which may have simple members before it: {"count": 2, "results": [
_WRAPPER = re.compile(
    rf"\s*\{{(?P<before>(?:\s*{_STRING}\s*:\s*(?:{_STRING}|[-+.\w]+)\s*,)*)\s*(?P<name>{_STRING})\s*:\s*\[\s*(?=[{{\"])"
)
_NEXT = re.compile(r"\}\s*,?(?=\s*\{)")
_SHOWN = 200  # characters


class _Twice(ValueError):
    pass


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise _Twice(next(name for name in names if names.count(name) > 1))
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=_object)


def json_reader(path: Path, start: str, fields: Fields) -> Callable[[TextIO], Iterator[Row]]:
    """Return the reader for a JSON file, depending on how it starts.

    Args:
        path: The file, for messages.
        start: Its first characters.
        fields: Distinguishes a row from an object around the rows.

    Raises:
        ImportRefused: The file is not JSON.
    """
    begun = start.lstrip()
    if begun[0] == "[":
        return lambda file: json_values(path, file, _OPENING)
    if begun[0] != "{":
        line = 1 + start[: len(start) - len(begun)].count("\n")
        raise ImportRefused(path, f"is no JSON: line {line} begins with {begun[0]!r}")
    if _is_wrapper(start, fields):
        return lambda file: json_values(path, file, _WRAPPER)
    if not _is_whole(begun.partition("\n")[0]) and _is_whole(begun):
        return lambda file: json_values(path, file, None)
    return json_lines


def _is_wrapper(start: str, fields: Fields) -> bool:
    found = _WRAPPER.match(start)
    if not found:
        return False
    try:
        before, name = json.loads(f"{{{found['before'].rstrip(', ')}}}"), json.loads(found["name"])
    except ValueError:
        return False
    return not fields.columns(tuple(before))["quote"] and not any(fields.columns((name,)).values())


def _is_whole(text: str) -> bool:
    """Return whether a text starts with a complete value."""
    try:
        _DECODER.raw_decode(text)
    except _Twice:
        return True
    except (ValueError, RecursionError):
        return False
    return True


def json_lines(file: TextIO) -> Iterator[Row]:
    """Yield one object per line; an invalid line only yields a refused row.

    Args:
        file: The file, at its start.
    """
    number = 0
    while line := file.readline(LONGEST_ROW + 1):
        number += 1
        if len(line) > LONGEST_ROW:
            yield Row(number, None, f"longer than {LONGEST_ROW:,} characters", line[:_SHOWN])
            while line and not line.endswith("\n"):
                line = file.readline(LONGEST_ROW)
        elif not line.isspace():
            yield _row(number, line)


def _row(number: int, line: str) -> Row:
    try:
        return _found(number, _DECODER.decode(line), line)
    except _Twice as error:
        return Row(number, None, f"the field {error.args[0]!r} is given twice", line[:_SHOWN])
    except ValueError as error:
        return Row(number, None, f"not JSON ({_reason(error)})", line[:_SHOWN])
    except RecursionError:
        return Row(number, None, "nested too deep", line[:_SHOWN])


def _found(number: int, value: object, text: str) -> Row:
    if isinstance(value, dict):
        return Row(number, value)
    if isinstance(value, str):
        return Row(number, {"quote": value})
    return Row(number, None, "not an object", text[:_SHOWN])


def _reason(error: ValueError) -> str:
    return error.msg if isinstance(error, json.JSONDecodeError) else str(error)


def json_values(path: Path, file: TextIO, opening: re.Pattern[str] | None) -> Iterator[Row]:
    """Yield the objects of an array; a damaged one yields a refused row, and reading resumes at the next.

    Args:
        path: The file, for messages.
        file: The file, at its start.
        opening: Matches what precedes the first object; None for concatenated objects without an array.

    Raises:
        ImportRefused: The array is not closed, or something follows it.
    """
    window = _Window(file, is_array=opening is not None)
    begin = opening.match(window.text) if opening else None
    window.at = begin.end() if begin else 0
    first = window.line
    while True:
        if window.skip_space() == "":
            if not opening:
                return
            raise ImportRefused(
                path, f"is cut off: the array that begins in line {first} has no end, after line {window.line}"
            )
        if opening and window.peek() == "]":
            window.at += 1
            break
        yield window.element(path)
        if window.skip_space() == ",":
            window.at += 1
        elif window.peek() not in ("]", "{", ""):  # a missing comma between objects is tolerated
            yield Row(window.line, None, "not JSON (Expecting ',' delimiter)", window.shown())
            window.go_on(path)
            window.at += window.peek() == ","
    rest = window.skip_space()
    if rest and opening is _OPENING:
        raise ImportRefused(path, f"line {window.line}: something follows the end of the array")


class _Window:
    """Buffer the part of a file that is being read."""

    def __init__(self, file: TextIO, *, is_array: bool) -> None:
        self._file = file
        self._is_array = is_array
        self.text = file.read(_PIECE)
        self.at = 0
        self._line, self._counted = 1, 0

    @property
    def line(self) -> int:
        self._line += self.text.count("\n", self._counted, self.at)
        self._counted = self.at
        return self._line

    def more(self) -> bool:
        """Discard what was consumed and read more; return whether there was more."""
        self.line  # noqa: B018  # counts the lines to be discarded
        # Reading at least as much as is buffered bounds how often a long element is parsed from its start.
        piece = self._file.read(max(_PIECE, len(self.text) - self.at))
        self.text = self.text[self.at :] + piece
        self.at = self._counted = 0
        return bool(piece)

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def skip_space(self) -> str:
        """Advance to the next character that is not white space and return it, or "" at the end."""
        while True:
            self.at = _SPACE.match(self.text, self.at).end()  # type: ignore[union-attr]  # it matches always
            if self.at < len(self.text) or not self.more():
                return self.peek()

    def shown(self) -> str:
        return self.text[self.at : self.at + _SHOWN]

    def element(self, path: Path) -> Row:
        line, start = self.line, self.shown()
        while True:
            try:
                value, end = _DECODER.raw_decode(self.text, self.at)
            except _Twice as error:
                row = Row(line, None, f"the field {error.args[0]!r} is given twice", start)
            except RecursionError:
                row = Row(line, None, "nested too deep", start)
            except ValueError as error:
                if len(self.text) - self.at <= LONGEST_ROW and self.more():
                    continue
                row = Row(line, None, f"not JSON ({_reason(error)})", start)
            else:
                if end == len(self.text) and self.more():
                    continue  # a number may continue
                row = (
                    _found(line, value, start)
                    if end - self.at <= LONGEST_ROW
                    else Row(line, None, f"longer than {LONGEST_ROW:,} characters", start)
                )
                self.at = end
                return row
            self.go_on(path)
            return row

    def go_on(self, path: Path) -> None:
        """Skip a damaged element, up to the separator before the next object or to the end of the array.

        Raises:
            ImportRefused: The array has neither another object nor an end.
        """
        line = self.line
        while not (found := _NEXT.search(self.text, self.at)):
            end = re.search(r"\}\s*\](?=[\s}]*\Z)", self.text[self.at :])
            if end and not self._file.read(0) and not self._ahead():
                self.at += end.end() - 1
                return
            if not self._slide():
                if not self._is_array:
                    self.at = len(self.text)
                    return
                raise ImportRefused(
                    path, f"line {line}: the array is damaged or cut off here, and no other row follows"
                )
        self.at = found.start() + 1

    def _ahead(self) -> bool:
        piece = self._file.read(_PIECE)
        self.text += piece
        return bool(piece)

    def _slide(self) -> bool:
        """Read more, discarding all but the last characters of the buffer."""
        self.at = max(self.at, len(self.text) - 1000)
        return self.more()
