"""The embedded library: random picks, filtered picks and the day's pick, each in a few indexed reads.

The library is a read-only SQLite file made by `corpus_builder.py`. Quotes are numbered densely, shortest first, both
overall and within each *scope*: an author, a category, or a pair of the two. A length limit is therefore a range of
ranks within a scope, and a random pick draws a rank and reads one row. Nothing is scanned or sorted, whether there are
a thousand quotes or a million.
"""

import datetime as dt
import random
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from quotes.errors import CorpusError
from quotes.library_file import QUOTE, SCOPE, LibraryFile
from quotes.quote import Quote

EMBEDDED = Path(__file__).parent / "data" / "corpus.jsonl"
FORMAT = 4  # of the built file; increment it whenever the builder's output changes

_BY_DAY = f"SELECT {QUOTE} FROM days JOIN quotes USING (n) WHERE position = ?"  # noqa: S608
_BY_RANK = "SELECT n FROM picks WHERE scope = ? AND rank = ?"
_FIRST_RANK = "SELECT rank FROM picks WHERE scope = ? AND length >= ? ORDER BY length, rank LIMIT 1"
_LAST_RANK = "SELECT rank FROM picks WHERE scope = ? AND length <= ? ORDER BY length DESC, rank DESC LIMIT 1"

_NO_LIMIT = 2**31  # characters; SQLite stores no longer text


class Draws(Protocol):
    """Draw random numbers; both `random.Random` and the `random` module qualify."""

    def randrange(self, stop: int, /) -> int:
        """Return a number below `stop`, each equally likely."""

    def sample(self, population: Sequence[int], k: int) -> list[int]:
        """Return `k` distinct members."""


class Filters(NamedTuple):
    """Restrict which quotes are eligible; None means no restriction.

    Attributes:
        author: The author's name, case-insensitive.
        category: The category's name, case-insensitive.
        min_length: The minimum length of the quote, in characters.
        max_length: The maximum length of the quote, in characters.
    """

    author: str | None = None
    category: str | None = None
    min_length: int | None = None
    max_length: int | None = None


ANY = Filters()


def key(name: str) -> str:
    """Fold a name for case-insensitive comparison (Unicode, section 3.13: NFKC and case folding)."""
    text = name.encode(errors="replace").decode()  # a shell argument may contain undecodable bytes
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


class Corpus(LibraryFile):
    """Pick quotes from a built library; safe to share between threads, opened on first use.

    Args:
        find: Returns the path of the built file; called once, on first use.
        rng: The source of randomness; by default the `random` module, which reseeds itself in every forked process, so
            that no two processes draw the same numbers.
    """

    def __init__(self, find: Callable[[], Path], rng: Draws = random) -> None:
        super().__init__(find)
        self._rng = rng
        self._size: int | None = None

    @property
    def size(self) -> int:
        """Return the number of quotes.

        Raises:
            CorpusError: The library cannot be read.
        """
        if self._size is None:
            self._size = self._row("SELECT max(n) + 1 FROM quotes")[0]
        if self._size is None:
            raise CorpusError("The corpus file holds no quotes.")
        return self._size

    def random(self, count: int = 1, filters: Filters = ANY) -> list[Quote]:
        """Pick distinct quotes at random; every match is equally likely.

        Args:
            count: The number of quotes wanted.
            filters: Which quotes are eligible.

        Returns:
            `count` quotes, or fewer if fewer match.

        Raises:
            CorpusError: The library cannot be read.
        """
        return [self.numbered(n) for n in self.draw(count, filters)]

    def draw(self, count: int = 1, filters: Filters = ANY) -> list[int]:
        """Pick as `random` does, but return only the quotes' numbers."""
        if filters == ANY:
            return self._sample(range(self.size), count)
        found = self._first(SCOPE, key(filters.author or ""), key(filters.category or ""))
        if found is None:
            return []
        scope, size = found
        ranks = range(size)
        if filters.min_length is not None or filters.max_length is not None:
            ranks = self._ranks_of_length(scope, filters.min_length, filters.max_length)
        return [self._row(_BY_RANK, scope, rank)[0] for rank in self._sample(ranks, count)]

    def of_day(self, day: dt.date) -> Quote:
        """Return the library's pick for a day: a pure function of the day and the library.

        The days cycle through a fixed permutation of all quotes. So no quote repeats within `size` consecutive days,
        and hosts that share nothing but the library agree.

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
