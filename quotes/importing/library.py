"""Put new quotes into the library's text and build its file: a reader finds the old library or the new one."""

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


class Merging:
    """Write a library's text line by line, each quote once; memory is some 150 bytes a quote.

    Args:
        out: Where the lines go.
    """

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._kept: dict[int, int] = {}  # fingerprint: number of the line, times two, plus one where it has a source
        self._ids: set[int] = set()
        self._lines = 0
        self.left_out: set[int] = set()  # numbers of lines that a later one replaces

    def __len__(self) -> int:
        """Return how many quotes stay."""
        return self._lines - len(self.left_out)

    def keep(self, raw: bytes) -> None:
        """Take over a line of the old library as it is.

        Raises:
            ValueError: It is none.
        """
        line = json.loads(raw)
        self._write(raw.rstrip(b"\r\n") + b"\n", fingerprint(line["quote"]), bool(line.get("work")))
        self._ids.add(_id_key(line["id"]))

    def add(self, line: dict[str, Any]) -> str:
        """Add a quote, unless it is there; one that has a source replaces one that has none.

        Args:
            line: As `Fields.read` returns it.

        Returns:
            Why it does not count as new, "" where it does.
        """
        mark, has_source = fingerprint(line["quote"]), "work" in line
        kept = self._kept.get(mark)
        if kept is not None:
            if kept & 1 or not has_source:
                return "double"
            self.left_out.add(kept >> 1)
        own = line.get("id")
        if own is None or _id_key(own) in self._ids:
            own = self._new_id(mark, is_replacing=kept is not None)
        self._ids.add(_id_key(own))
        whole = {"id": own} | {name: line[name] for name in FIELDS[1:] if name in line}
        self._write(json.dumps(whole, ensure_ascii=False).encode() + b"\n", mark, has_source)
        return "" if kept is None else "double, which stands instead of an earlier one that has no source"

    def _new_id(self, mark: int, *, is_replacing: bool) -> str:
        """Make an id from the quote's words, the same wherever the quote is imported."""
        while mark in self._ids and not is_replacing:
            mark = hash_64(f"{mark:016x}")
            is_replacing = False
        return f"{mark:016x}"

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
    """Give a folder beside the library to write the new one in, to one import at a time.

    Raises:
        QuotesError: Another import is at work, or the folder cannot be written.
    """
    parent = library.parent
    try:
        handle = os.open(parent, os.O_RDONLY)
    except OSError as error:
        raise QuotesError(f"{parent}: the library's folder cannot be opened ({error.strerror}).") from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # ends with the process, however that ends
        except OSError as error:
            raise QuotesError(f"{parent}: another import is at work here.") from error
        for left in parent.glob(f"{_FOLDER}*"):
            shutil.rmtree(left, ignore_errors=True)  # of one that was killed
        try:
            with tempfile.TemporaryDirectory(prefix=_FOLDER, dir=parent) as folder:
                yield Path(folder)
        except OSError as error:
            raise QuotesError(f"{library} cannot be written ({error.strerror}); it is as it was.") from error
    finally:
        os.close(handle)


def old_lines(text: Path) -> Iterator[bytes]:
    """Yield the lines of a library.

    Raises:
        CorpusError: It cannot be read.
    """
    try:
        with text.open("rb") as lines:
            yield from (line for line in lines if line.strip())
    except OSError as error:
        raise CorpusError(f"{text} cannot be read ({error.strerror}).") from error


def without(text: Path, left_out: set[int]) -> None:
    """Drop lines, by their numbers from 0."""
    if not left_out:
        return
    rest = text.with_name("rest.jsonl")
    with text.open("rb") as lines, rest.open("wb") as out:
        out.writelines(line for number, line in enumerate(lines) if number not in left_out)
    rest.replace(text)


def put_in_place(text: Path, library: Path) -> None:
    """Build a text's file and put both where the library is.

    Two files cannot be renamed at once. The text goes first: from then on the new library is what counts, for who finds
    a built file that is of another text builds it anew. A process that has the old file open goes on reading that.

    Args:
        text: The new text, in a folder beside the library.
        library: The `.jsonl` that is replaced.

    Raises:
        CorpusError: It cannot be built; the library is as it was.
    """
    built = text.with_suffix(".sqlite3")
    build(text, built)
    for file in (text, built):
        _sync(file)
    text.replace(library)
    built.replace(library.with_suffix(".sqlite3"))
    _sync(library.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
