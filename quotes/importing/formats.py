"""Reading the rows of JSON, CSV, TSV and fortune files one by one, in constant memory."""

import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, TextIO

from quotes.errors import ImportRefused
from quotes.importing.encoding import Encoding, encoding_of
from quotes.importing.fields import Fields
from quotes.importing.fortune import fortunes
from quotes.importing.json_rows import json_reader
from quotes.importing.row import Row
from quotes.importing.separated import separated

FORMATS = {"json": "JSON", "csv": "CSV", "tsv": "TSV", "fortune": "fortune file"}
_BY_SUFFIX = {".json": "json", ".jsonl": "json", ".ndjson": "json", ".csv": "csv", ".tsv": "tsv", ".tab": "tsv"}
_START = 1 << 16  # characters


class Source(NamedTuple):
    """Represent a file whose format and encoding are known.

    Attributes:
        path: The file.
        title: The format and the encoding, for display.
        rows: Yields the rows; its argument is called with the number of bytes read so far.
    """

    path: Path
    title: str
    rows: Callable[[Callable[[int], object]], Iterator[Row]]


def look_at(path: Path, fields: Fields, form: str | None = None) -> Source:
    """Determine how to read a file.

    Args:
        path: The file.
        fields: Recognizes the columns of a table.
        form: One of `FORMATS`; None to detect it.

    Raises:
        ImportRefused: The file cannot be read, is empty, is not text, or has an unknown format.
    """
    try:
        if path.is_dir():
            raise ImportRefused(path, "is a directory")
        if not path.is_file():
            if path.exists() or path.name == "-":
                raise ImportRefused(path, "is no file; save first what a pipe gives")
            raise ImportRefused(path, "there is no such file")
        encoding = encoding_of(path)
        with path.open(encoding=encoding.codec, errors=encoding.errors, newline="") as file:
            start = file.read(_START)
    except UnicodeError as error:
        raise ImportRefused(path, f"cannot be read as text ({error})") from error
    except OSError as error:
        raise ImportRefused(path, f"cannot be read ({error.strerror})") from error
    if not start.strip():
        raise ImportRefused(path, "is empty")
    form = form or _form(path, start, fields)
    read = _reader(path, form, start, fields)
    return Source(path, f"{FORMATS[form]}, {encoding.title}", lambda tell: _rows(path, encoding, read, tell))


def _form(path: Path, start: str, fields: Fields) -> str:
    if path.suffix.lower() in _BY_SUFFIX:
        return _BY_SUFFIX[path.suffix.lower()]
    if re.search(r"^%%?[ \t]*\r?$", start, re.MULTILINE):
        return "fortune"
    if start.lstrip()[0] in "[{":
        return "json"
    header = start.lstrip().partition("\n")[0]
    for separator, form in (("\t", "tsv"), (",", "csv"), (";", "csv")):
        names = tuple(name.strip(' "\r') for name in header.split(separator))
        if len(names) > 1 and fields.columns(names)["quote"]:
            return form
    if re.search(r"^\s*(--|—|―)\s*\S", start, re.MULTILINE):
        return "fortune"
    raise ImportRefused(path, "is of no format that is known by its look; say which with --format")


def _reader(path: Path, form: str, start: str, fields: Fields) -> Callable[[TextIO], Iterator[Row]]:
    if form == "fortune":
        return fortunes
    if form == "json":
        return json_reader(path, start, fields)
    separators = "\t" if form == "tsv" else ",;|\t"
    return lambda file: separated(path, file, fields, separators)


def _rows(
    path: Path, encoding: Encoding, read: Callable[[TextIO], Iterator[Row]], tell: Callable[[int], object]
) -> Iterator[Row]:
    try:
        with path.open("rb") as raw, io.TextIOWrapper(raw, encoding.codec, encoding.errors, newline="") as file:
            for count, row in enumerate(read(file)):
                yield row
                if not count % 1000:
                    tell(raw.tell())
            tell(raw.tell())
    except UnicodeError as error:
        raise ImportRefused(path, f"cannot be read as text ({error})") from error
    except OSError as error:
        raise ImportRefused(path, f"cannot be read ({error.strerror})") from error
