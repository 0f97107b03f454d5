"""The embedded library: a random quote, a filtered one, and the day's pick, each by a few indexed reads.

The library is a read-only SQLite file made by `corpus_builder.py`. Quotes are numbered densely, shortest first, and so
are the quotes of every author, of every category and of every pair of both (a *scope*). A length limit is therefore a
range of ranks within a scope, and a random pick is: draw a rank, read one row. Nothing is scanned or sorted, at a
thousand quotes or at a million.
"""

import datetime as dt
import random
import sqlite3
import threading
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from quotes.errors import CorpusError
from quotes.quote import Quote

EMBEDDED = Path(__file__).parent / "data" / "corpus.jsonl"
FORMAT = 1  # of the built file; raise it when the builder writes another one

_QUOTE = "quotes.quote, quotes.author, quotes.category, quotes.source, quotes.id"
_BY_NUMBER = f"SELECT {_QUOTE} FROM quotes WHERE n = ?"  # noqa: S608
_BY_DAY = f"SELECT {_QUOTE} FROM days JOIN quotes USING (n) WHERE position = ?"  # noqa: S608
_BY_RANK = f"SELECT {_QUOTE} FROM picks JOIN quotes USING (n) WHERE scope = ? AND rank = ?"  # noqa: S608
_SCOPE = "SELECT scope, size FROM scopes WHERE author_key = ? AND category_key = ?"
_FIRST_RANK = "SELECT rank FROM picks WHERE scope = ? AND length >= ? ORDER BY length, rank LIMIT 1"
_LAST_RANK = "SELECT rank FROM picks WHERE scope = ? AND length <= ? ORDER BY length DESC, rank DESC LIMIT 1"


class Filters(NamedTuple):
    """Say which quotes may be picked.

    Attributes:
        author: The author's name in any case, None for all.
        category: The category's name in any case, None for all.
        min_length: Fewest characters of the quote.
        max_length: Most characters of the quote.
    """

    author: str | None = None
    category: str | None = None
    min_length: int | None = None
    max_length: int | None = None


ANY = Filters()


def key(name: str) -> str:
    """Fold a name so that it compares without regard to case (Unicode, section 3.13: NFKC and case folding)."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


class Corpus:
    """Answer from one built library; safe to share between threads, opened on first use.

    Args:
        find: Returns the path of the built file; called once, on first use.
        rng: Source of the random picks. The system's by default: processes that were forked after the import must
            not draw the same numbers.
    """

    def __init__(self, find: Callable[[], Path], rng: random.Random | None = None) -> None:
        self._find = find
        self._rng = rng or random.SystemRandom()
        self._local = threading.local()
        self._size: int | None = None

    @property
    def size(self) -> int:
        """Return how many quotes there are.

        Raises:
            CorpusError: The library cannot be read.
        """
        if self._size is None:
            self._size = int(self._row("SELECT count(*) FROM quotes")[0])
        return self._size

    def random(self, count: int = 1, filters: Filters = ANY) -> list[Quote]:
        """Pick quotes at random, each match equally likely, none twice.

        Args:
            count: How many are wanted.
            filters: Which may be picked.

        Returns:
            As many as are wanted, fewer where fewer match.

        Raises:
            CorpusError: The library cannot be read.
        """
        if filters is ANY:
            return [Quote(*self._row(_BY_NUMBER, n)) for n in self._sample(range(self.size), count)]
        author, category = key(filters.author or ""), key(filters.category or "")
        found = self._execute(_SCOPE, author, category).fetchone()
        if found is None:
            return []
        scope, size = found
        ranks = range(size)
        if filters.min_length is not None or filters.max_length is not None:
            ranks = self._ranks_of_length(scope, filters.min_length, filters.max_length)
        return [Quote(*self._row(_BY_RANK, scope, rank)) for rank in self._sample(ranks, count)]

    def of_day(self, day: dt.date) -> Quote:
        """Return the quote that this library has for a day: a pure function of the day and the library.

        Days walk through a fixed arrangement of all quotes, round and round. So in any run of as many days as there are
        quotes none stands twice, and hosts that share nothing but the library agree.

        Raises:
            CorpusError: The library cannot be read.
        """
        return Quote(*self._row(_BY_DAY, day.toordinal() % self.size))

    def _sample(self, ranks: range, count: int) -> list[int]:
        if count == 1 and ranks:
            return [ranks.start + self._rng.randrange(len(ranks))]
        return self._rng.sample(ranks, min(count, len(ranks)))

    def _ranks_of_length(self, scope: int, shortest: int | None, longest: int | None) -> range:
        first = self._execute(_FIRST_RANK, scope, shortest or 0).fetchone()
        last = self._execute(_LAST_RANK, scope, 2**31 if longest is None else longest).fetchone()
        return range(first[0], last[0] + 1) if first and last else range(0)

    def _row(self, sql: str, *values: object) -> tuple[str, ...]:
        row: tuple[str, ...] | None = self._execute(sql, *values).fetchone()
        if row is None:
            raise CorpusError("The corpus file has holes; build it again with `make corpus`.")
        return row

    def _execute(self, sql: str, *values: object) -> sqlite3.Cursor:
        try:
            return self._connection().execute(sql, values)
        except sqlite3.Error as error:
            raise CorpusError(f"The corpus cannot be read ({error}); build it again with `make corpus`.") from error

    def _connection(self) -> sqlite3.Connection:
        try:
            connection: sqlite3.Connection = self._local.connection
        except AttributeError:
            # Immutable: no lock, no journal, and it works on a read-only file system (sqlite.org/uri.html).
            uri = f"{self._find().absolute().as_uri()}?immutable=1"
            connection = self._local.connection = sqlite3.connect(uri, uri=True)
        return connection
