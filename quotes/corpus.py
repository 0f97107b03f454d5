"""The embedded library: a random quote, a filtered one, and the day's pick, each by a few indexed reads.

The library is a read-only SQLite file made by `corpus_builder.py`. Quotes are numbered densely, shortest first, and so
are the quotes of every author, of every category and of every pair of both (a *scope*). A length limit is therefore a
range of ranks within a scope, and a random pick is: draw a rank, read one row. Nothing is scanned or sorted, at a
thousand quotes or at a million.
"""

import datetime as dt
import random
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from quotes.errors import CorpusError
from quotes.library_file import LibraryFile
from quotes.quote import Quote

EMBEDDED = Path(__file__).parent / "data" / "corpus.jsonl"
FORMAT = 4  # of the built file; raise it when the builder writes another one

_QUOTE = "quotes.quote, quotes.author, quotes.category, quotes.source, quotes.id"
_BY_NUMBER = f"SELECT {_QUOTE} FROM quotes WHERE n = ?"  # noqa: S608
_BY_DAY = f"SELECT {_QUOTE} FROM days JOIN quotes USING (n) WHERE position = ?"  # noqa: S608
_BY_RANK = "SELECT n FROM picks WHERE scope = ? AND rank = ?"
_SCOPE = "SELECT scope, size FROM scopes WHERE author_key = ? AND category_key = ?"
_FIRST_RANK = "SELECT rank FROM picks WHERE scope = ? AND length >= ? ORDER BY length, rank LIMIT 1"
_LAST_RANK = "SELECT rank FROM picks WHERE scope = ? AND length <= ? ORDER BY length DESC, rank DESC LIMIT 1"

_NO_LIMIT = 2**31  # characters; SQLite has no longer text


class Draws(Protocol):
    """Draw numbers, as `random.Random` and the random module do."""

    def randrange(self, stop: int, /) -> int:
        """Return a number below `stop`, each equally likely."""

    def sample(self, population: Sequence[int], k: int) -> list[int]:
        """Return `k` different members."""


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
    text = name.encode(errors="replace").decode()  # a shell's argument may hold bytes that are no text
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


class Corpus(LibraryFile):
    """Answer from one built library; safe to share between threads, opened on first use.

    Args:
        find: Returns the path of the built file; called once, on first use.
        rng: Source of the random picks; by default the random module itself, which seeds itself anew in each forked
            process, so that no two draw the same numbers.
    """

    def __init__(self, find: Callable[[], Path], rng: Draws = random) -> None:
        super().__init__(find)
        self._rng = rng
        self._size: int | None = None

    @property
    def size(self) -> int:
        """Return how many quotes there are.

        Raises:
            CorpusError: The library cannot be read.
        """
        if self._size is None:
            self._size = self._row("SELECT max(n) + 1 FROM quotes")[0]
        if self._size is None:
            raise CorpusError("The corpus file holds no quotes.")
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
        return [self.numbered(n) for n in self.draw(count, filters)]

    def draw(self, count: int = 1, filters: Filters = ANY) -> list[int]:
        """Pick as `random` does, and return the quotes' numbers."""
        if filters == ANY:
            return self._sample(range(self.size), count)
        author, category = key(filters.author or ""), key(filters.category or "")
        found = self._first(_SCOPE, author, category)
        if found is None:
            return []
        scope, size = found
        ranks = range(size)
        if filters.min_length is not None or filters.max_length is not None:
            ranks = self._ranks_of_length(scope, filters.min_length, filters.max_length)
        return [self._row(_BY_RANK, scope, rank)[0] for rank in self._sample(ranks, count)]

    def numbered(self, n: int) -> Quote:
        """Return the quote with a number, from 0 to `size` - 1; the number is this file's own, unlike the quote's id.

        Raises:
            CorpusError: The library cannot be read.
        """
        return Quote(*self._row(_BY_NUMBER, n))

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
        first = self._first(_FIRST_RANK, scope, min(shortest or 0, _NO_LIMIT))
        last = self._first(_LAST_RANK, scope, _NO_LIMIT if longest is None else min(longest, _NO_LIMIT))
        return range(first[0], last[0] + 1) if first and last else range(0)
