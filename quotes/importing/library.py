"""Merging new quotes into the library's text, and replacing the library atomically."""

import contextlib
import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from quotes.corpus_builder import build
from quotes.errors import CorpusError, QuotesError
from quotes.importing.cleaning import fingerprint, hash_64

FIELDS = ("id", "quote", "author", "category", "work", "place", "year", "translator", "speaker")
_FOLDER = ".corpus-import-"
_written = json.JSONEncoder(ensure_ascii=False).encode


class Merging:
    """Write a library's text line by line without duplicates, using about 150 bytes of memory per quote.

    Args:
        out: Receives the lines.
    """

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._kept: dict[int, int] = {}  # fingerprint: twice the line number, plus one if it has a source
        self._ids: set[int] = set()
        self._lines = 0
        self.replaced: dict[int, int] = {}  # line number: that of its replacement

    def __len__(self) -> int:
        """Return the number of quotes, without replaced ones."""
        return self._lines - len(self.replaced)

    def keep(self, raw: bytes, line: dict[str, Any]) -> None:
        """Copy a line of the old library unchanged."""
        self._write(raw + b"\n", fingerprint(line["quote"]), bool(line.get("work")))
        self._ids.add(_id_key(line["id"]))

    def add(self, line: dict[str, Any]) -> str:
        """Add a quote unless it is a duplicate; one with a source replaces one without, and takes over its id.

        Args:
            line: The quote, as returned by `Fields.read`.

        Returns:
            Why the quote does not count as new, or "" if it does.
        """
        mark, has_source = fingerprint(line["quote"]), "work" in line
        kept = self._kept.get(mark)
        if kept is not None:
            if kept & 1 or not has_source:
                return "double"
            self.replaced[kept >> 1] = self._lines
            own = ""  # `settled` fills it in
        else:
            own = line.get("id", "")
            own_key = _id_key(own) if own else mark
            if not own or own_key in self._ids:
                own_key = self._new_key(mark)
                own = f"{own_key:016x}"
            self._ids.add(own_key)
        whole = {"id": own} | {name: line[name] for name in FIELDS[1:] if name in line}
        self._write(_written(whole).encode() + b"\n", mark, has_source)
        return "" if kept is None else "double, which stands instead of an earlier one that has no source"

    def _new_key(self, mark: int) -> int:
        """Return an unused id derived from the quote's fingerprint, so that it is the same in other libraries."""
        while mark in self._ids:
            mark = hash_64(f"{mark:016x}")
        return mark

    def _write(self, raw: bytes, mark: int, has_source: bool) -> None:
        self._out.write(raw)
        self._kept[mark] = self._lines * 2 + has_source
        self._lines += 1


def _id_key(id_: str) -> int:
    if len(id_) == 16 and id_.isascii() and id_.isalnum():
        with contextlib.suppress(ValueError):
            return int(id_, 16)
    return hash_64(id_)


@contextlib.contextmanager
def folder_beside(library: Path) -> Iterator[Path]:
    """Yield a temporary folder next to the library, to one import at a time.

    Raises:
        QuotesError: Another import is running, or the folder is not writable.
    """
    parent = library.parent
    try:
        handle = os.open(parent, os.O_RDONLY)
    except OSError as error:
        raise QuotesError(f"{parent}: the library's folder cannot be opened ({error.strerror}).") from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # released when the process ends, however it does
        except OSError as error:
            reason = "another import is at work here" if isinstance(error, BlockingIOError) else error.strerror
            raise QuotesError(f"{parent}: {reason}.") from error
        for left in parent.glob(f"{_FOLDER}*"):
            shutil.rmtree(left, ignore_errors=True)  # left over from a killed import
        try:
            with tempfile.TemporaryDirectory(prefix=_FOLDER, dir=parent) as folder:
                yield Path(folder)
        except BrokenPipeError:  # from standard output, not from the folder
            raise
        except OSError as error:
            what = error.filename2 or library
            raise QuotesError(f"{what} cannot be written ({error.strerror}); the library is as it was.") from error
    finally:
        os.close(handle)


def old_lines(text: Path) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Yield the lines of a library, both raw and parsed.

    Raises:
        CorpusError: The library cannot be read, or a line is not a quote.
    """
    try:
        with text.open("rb") as lines:
            for number, raw in enumerate(lines, 1):
                if raw.strip():
                    yield raw.rstrip(b"\r\n"), _old_line(raw, f"{text}, line {number}")
    except OSError as error:
        raise CorpusError(f"{text} cannot be read ({error.strerror}).") from error


def _old_line(raw: bytes, where: str) -> dict[str, Any]:
    try:
        line = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise CorpusError(f"{where}: not JSON in UTF-8 ({error}).") from error
    if not isinstance(line, dict) or not all(isinstance(line.get(name), str) for name in FIELDS[:4]):
        raise CorpusError(f"{where}: not a quote of a library, which has the texts {', '.join(FIELDS[:4])}.")
    return line


def settled(text: Path, replaced: dict[int, int]) -> None:
    """Remove replaced lines from a text, and give their ids to their replacements.

    Args:
        text: The file written by `Merging`.
        replaced: The attribute of `Merging`.
    """
    if not replaced:
        return
    rest, ids = text.with_name("rest.jsonl"), {}
    with text.open("rb") as lines, rest.open("wb") as out:
        for number, line in enumerate(lines):
            if number in replaced:
                ids[replaced[number]] = json.loads(line)["id"]
            elif number in ids:
                whole = json.loads(line) | {"id": ids.pop(number)}
                out.write(_written(whole).encode() + b"\n")
            else:
                out.write(line)
    rest.replace(text)


def put_in_place(text: Path, library: Path) -> None:
    """Build the SQLite file of a text, and replace the library with both.

    Two files cannot be renamed at once. The text comes last, and it is what counts: a built file of another text is
    rebuilt by whoever finds it. A process that has the old file open continues to read that.

    Args:
        text: The new text, in a folder next to the library.
        library: The `.jsonl` to replace.

    Raises:
        CorpusError: The file cannot be built; the library is unchanged.
    """
    built = text.with_suffix(".sqlite3")
    try:
        build(text, built)
    except CorpusError as error:
        raise CorpusError(f"{str(error).rstrip('.')}; the library is as it was.") from error
    for file in (text, built):
        _sync(file)
    built.replace(library.with_suffix(".sqlite3"))
    text.replace(library)
    _sync(library.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
