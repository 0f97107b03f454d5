"""A built library, opened in place on first use: immutable, with one connection for all threads."""

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from quotes.errors import CorpusError, SearchUnavailable
from quotes.quote import Quote

MEND = "remove the .sqlite3 file, and it is built again from its text beside it; where there is none, bring it anew"
QUOTE = "quotes.quote, quotes.author, quotes.category, quotes.source, quotes.id"  # columns, as `Quote` takes them
SCOPE = "SELECT scope, size FROM scopes WHERE author_key = ? AND category_key = ?"  # an empty key means "any"

_BY_NUMBER = f"SELECT {QUOTE} FROM quotes WHERE n = ?"  # noqa: S608
_KNOWS_ALL = (3, 9)  # the SQLite that FTS5 came with


class LibraryFile:
    """Read a built library; safe to share between threads.

    Args:
        find: Returns the path of the built file; called once, on first use.
    """

    MAPPED = 0  # bytes of the file to memory-map (sqlite.org/mmap.html)

    def __init__(self, find: Callable[[], Path]) -> None:
        self.find = find
        self._opening = threading.Lock()
        self._reading = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def numbered(self, n: int) -> Quote:
        """Return the quote with a number, counted from 0, which is only valid within this file, unlike an id.

        Raises:
            CorpusError: The library cannot be read.
        """
        return Quote(*self._row(_BY_NUMBER, n))

    def _row(self, sql: str, *values: object) -> tuple[Any, ...]:
        row = self._first(sql, *values)
        if row is None:
            raise CorpusError(f"The corpus has holes; {MEND}.")
        return row

    def _first(self, sql: str, *values: object) -> tuple[Any, ...] | None:
        """Return the first row of a result; one thread at a time, because all threads share the cached statement."""
        try:
            db = self._db
            with self._reading:
                row: tuple[Any, ...] | None = db.execute(sql, values).fetchone()
        except sqlite3.Error as error:
            raise _explained(error) from error
        return row

    def _all(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Return every row of a result, under the same lock as `_first`."""
        try:
            db = self._db
            with self._reading:
                return db.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise _explained(error) from error

    @property
    def _db(self) -> sqlite3.Connection:
        if self._connection is None:
            with self._opening:
                # Immutable: no locks, no journal, works on a read-only file system (sqlite.org/uri.html). All threads
                # share one connection and so one page cache.
                self._connection = self._connection or _opened(
                    f"{self.find().absolute().as_uri()}?immutable=1", self.MAPPED
                )
        return self._connection

    def __del__(self) -> None:
        """Close the library."""
        if self._connection:
            self._connection.close()


def _opened(uri: str, mapped: int) -> sqlite3.Connection:
    db = sqlite3.connect(uri, uri=True, check_same_thread=False)
    db.execute(f"PRAGMA mmap_size = {mapped:d}")
    if sqlite3.sqlite_version_info < _KNOWS_ALL:
        # This SQLite cannot parse the schema of FTS5's tables. With this pragma it ignores them instead of refusing the
        # whole file (sqlite.org/pragma.html#pragma_writable_schema). Nothing can be written anyway.
        db.execute("PRAGMA writable_schema = ON")
    return db


def _explained(error: sqlite3.Error) -> CorpusError | SearchUnavailable:
    if "no such module" in str(error):
        return SearchUnavailable()
    return CorpusError(f"The corpus cannot be read ({error}); {MEND}.")
