"""Search the library for words, prefixes and phrases: best matches first, page by page.

Matches come in tiers: quotes by an author with that name, then quotes with the words as one phrase, then quotes with
all of the words, then quotes with a word that starts with the last one; within a tier, shortest first. Nothing has to
be sorted: quotes are numbered by length, and each tier is one FTS5 expression walked in that order. A position is a
tier and a number, so a late page costs no more than the first.
"""

import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from quotes.corpus import key
from quotes.cursors import START, Place, cursor_of, place_of
from quotes.library_file import QUOTE, SCOPE, LibraryFile
from quotes.quote import Quote
from quotes.search_index import BY_AUTHOR, OF_AUTHOR, OF_CATEGORY
from quotes.words import is_unspaced, words

TOTALS_KEPT = 4096

_QUOTATION_MARK = re.compile('["\u201c\u201d\u201e\u201f\u00ab\u00bb\u300c\u300d]')
_BETWEEN = re.compile(r"[\s,;:.!?/()\[\]{}\u2013\u2014\u2026]+")
_BY_ID = f"SELECT {QUOTE} FROM quotes WHERE id = ?"  # noqa: S608
_RANKED = "SELECT rank, n FROM picks WHERE scope = ? AND rank > ? ORDER BY rank LIMIT ?"
_FOUND = "SELECT rowid FROM found WHERE found MATCH ? AND rowid > ? ORDER BY rowid LIMIT ?"
_FREQUENT = "SELECT quotes FROM frequent WHERE word = ?"
_COUNT = "SELECT count(*) FROM found WHERE found MATCH ?"


class Query(NamedTuple):
    """Describe a search.

    Attributes:
        q: Words, of which the last may be incomplete, and phrases in quotation marks; None for every quote.
        author: The author's name, case-insensitive; None for all.
        category: The category's name, case-insensitive; None for all.
    """

    q: str | None = None
    author: str | None = None
    category: str | None = None


class Page(NamedTuple):
    """Represent a page of results.

    Attributes:
        quotes: The quotes on this page.
        total: The number of matches on all pages.
        cursor: The cursor of the next page; None on the last.
    """

    quotes: list[Quote]
    total: int
    cursor: str | None


class Terms(NamedTuple):
    """Represent a parsed search text.

    Attributes:
        phrases: Sequences of one or more folded words; a quote has to contain all of them. If empty, nothing matches.
        is_open: Whether the last word is a prefix.
    """

    phrases: tuple[tuple[str, ...], ...]
    is_open: bool


@functools.lru_cache(maxsize=1024)
def terms_of(q: str) -> Terms:
    """Parse what a user typed; characters other than letters and digits only separate words.

    Words in quotation marks form a phrase, and so do words joined by a hyphen or an apostrophe. The last word is a
    prefix unless its quotation marks are closed. A text without any word matches nothing.
    """
    phrases: list[tuple[str, ...]] = []
    is_open = False
    parts = _QUOTATION_MARK.split(q)
    for number, part in enumerate(parts):
        is_quoted = number % 2 == 1
        runs = [words(run) for run in ([part] if is_quoted else _BETWEEN.split(part))]
        if any(runs):
            phrases += [tuple(run) for run in runs if run]
            is_open = not is_quoted or number == len(parts) - 1
    if not phrases:
        return Terms((), False)
    last = phrases.pop()
    return Terms((*dict.fromkeys(phrases), last), is_open and not is_unspaced(last[-1]))


class Library(LibraryFile):
    """Search a built library; safe to share between threads, opened on first use.

    It has its own connection, so that a search does not hold up random picks.

    Args:
        find: Returns the path of the built file; called once, on first use.
    """

    MAPPED = 2**30  # memory mapping halves the time of a search for two common words

    def __init__(self, find: Callable[[], Path]) -> None:
        super().__init__(find)
        self._total = functools.lru_cache(TOTALS_KEPT)(self._counted)  # the file never changes

    @functools.cached_property
    def made_from(self) -> str:
        """Return the library's fingerprint."""
        return str(self._row("SELECT value FROM meta WHERE name = 'made_from'")[0])

    def search(self, query: Query, limit: int = 20, cursor: str | None = None) -> Page:
        """Return a page of matches; following the cursors yields each match exactly once.

        Args:
            query: The search.
            limit: The maximum number of quotes on the page.
            cursor: The previous page's cursor; None for the first page.

        Raises:
            ParameterError: The cursor does not belong to this library and query.
            SearchUnavailable: The query has a text, and this SQLite lacks full-text search.
            CorpusError: The library cannot be read.
        """
        author, category = key(query.author or ""), key(query.category or "")
        terms = None if query.q is None else terms_of(query.q)
        asked = repr((terms, author, category))
        place = START if cursor is None else place_of(cursor, self.made_from, asked)
        found = self._first(SCOPE, author, category)
        if found is None or terms == Terms((), False):
            return Page([], 0, None)
        scope, total = found
        if terms is None:
            hits = [(Place(0, rank), n) for rank, n in self._all(_RANKED, scope, place.after, limit + 1)]
        else:
            marks = self._marks(author, category)
            hits = self._walked(_tiers(terms, marks), place, limit + 1)
            is_all = place == START and len(hits) <= limit
            total = len(hits) if is_all else self._total(terms, marks)
        quotes = [self.numbered(n) for _, n in hits[:limit]]
        is_last = len(hits) <= limit
        return Page(quotes, total, None if is_last else cursor_of(hits[limit - 1][0], self.made_from, asked))

    def by_id(self, quote_id: str) -> Quote | None:
        """Return the quote with an id, or None if there is none.

        Raises:
            CorpusError: The library cannot be read.
        """
        row = self._first(_BY_ID, quote_id)
        return Quote(*row) if row else None

    def authors(self, limit: int) -> list[tuple[str, int]]:
        """Return authors with their number of quotes, most first.

        Raises:
            CorpusError: The library cannot be read.
        """
        return self._all("SELECT name, quotes FROM authors ORDER BY place LIMIT ?", limit)

    def categories(self, limit: int) -> list[tuple[str, int]]:
        """Return categories with their number of quotes, most first.

        Raises:
            CorpusError: The library cannot be read.
        """
        return self._all("SELECT name, quotes FROM categories ORDER BY place LIMIT ?", limit)

    def _marks(self, author: str, category: str) -> tuple[str, ...]:
        """Return the artificial index words that stand for an author and a category."""
        marks = []
        if author:
            marks.append(f"{OF_AUTHOR}{self._row(SCOPE, author, '')[0]}")
        if category:
            marks.append(f"{OF_CATEGORY}{self._row(SCOPE, '', category)[0]}")
        return tuple(marks)

    def _walked(self, tiers: list[str], place: Place, count: int) -> list[tuple[Place, int]]:
        hits: list[tuple[Place, int]] = []
        after = place.after
        for tier in range(place.tier, len(tiers)):
            rows = self._all(_FOUND, tiers[tier], after, count - len(hits))
            hits += [(Place(tier, n), n) for (n,) in rows]
            if len(hits) == count:
                break
            after = START.after
        return hits

    def _counted(self, terms: Terms, marks: tuple[str, ...]) -> int:
        if len(terms.phrases) == len(terms.phrases[0]) == 1 and not marks:
            (word,) = terms.phrases[0]
            counted = self._first(_FREQUENT, f"{word}*" if terms.is_open else word)
            if counted:
                return int(counted[0])
        return int(self._row(_COUNT, _every(terms, marks))[0])


def _quoted(phrase: tuple[str, ...]) -> str:
    """Write a phrase in FTS5 syntax (sqlite.org/fts5.html, section 3); folded words contain no quotation mark."""
    return f'"{" ".join(phrase)}"'


def _all_of(terms: list[str] | tuple[str, ...]) -> str:
    return f"({' AND '.join(terms)})"


def _exactly(terms: Terms) -> str:
    return _all_of([_quoted(phrase) for phrase in terms.phrases])


def _begun(terms: Terms) -> str:
    return _all_of([*(_quoted(phrase) for phrase in terms.phrases[:-1]), f"{_quoted(terms.phrases[-1])} *"])


def _marked(expression: str, marks: tuple[str, ...]) -> str:
    return _all_of([*(_quoted((mark,)) for mark in marks), f"({expression})"])


def _every(terms: Terms, marks: tuple[str, ...]) -> str:
    return _marked(_begun(terms) if terms.is_open else _exactly(terms), marks)


def _tiers(terms: Terms, marks: tuple[str, ...]) -> list[str]:
    """Return an FTS5 expression per tier, each excluding the earlier tiers; together they match what `_every` does."""
    together = tuple(word for phrase in terms.phrases for word in phrase)
    by_author = _all_of([_quoted((BY_AUTHOR + word,)) for word in together])
    exactly = _exactly(terms)
    tiers = [_all_of([by_author, *(_quoted(phrase) for phrase in terms.phrases if len(phrase) > 1)])]
    if len(terms.phrases) > 1:  # the whole phrase implies its parts; asking for those as well would take twice as long
        as_one = _quoted(together)
        tiers += [f"{as_one} NOT {by_author}", f"({exactly} NOT {by_author}) NOT {as_one}"]
    else:
        tiers.append(f"{exactly} NOT {by_author}")
    if terms.is_open:
        tiers.append(f"{_begun(terms)} NOT {exactly}")
    return [_marked(tier, marks) for tier in tiers]
