"""Search the library: words, beginnings and phrases, best matches first, page by page.

What matches comes in tiers: first what is by the author whose name is asked for, then what has the words as one phrase,
then what has all of them, then what has the last one as a beginning; within a tier the shortest quote first. Nothing is
sorted for that: quotes are numbered from the shortest on, and the index is walked in that order. A place in the walk is
a tier and a number, so a page deep in it costs what the first costs.
"""

import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from quotes.corpus import key
from quotes.cursors import START, Place, cursor_of, place_of
from quotes.library_file import LibraryFile
from quotes.quote import Quote
from quotes.search_index import BY_AUTHOR, OF_AUTHOR, OF_CATEGORY
from quotes.words import is_unspaced, words

TOTALS_KEPT = 4096

_QUOTATION_MARK = re.compile('["\u201c\u201d\u201e\u201f\u00ab\u00bb\u300c\u300d]')
_BETWEEN = re.compile(r"[\s,;:.!?/()\[\]{}\u2013\u2014\u2026]+")
_QUOTE = "quotes.quote, quotes.author, quotes.category, quotes.source, quotes.id"
_BY_NUMBER = f"SELECT {_QUOTE} FROM quotes WHERE n = ?"  # noqa: S608
_BY_ID = f"SELECT {_QUOTE} FROM quotes WHERE id = ?"  # noqa: S608
_SCOPE = "SELECT scope, size FROM scopes WHERE author_key = ? AND category_key = ?"
_RANKED = "SELECT rank, n FROM picks WHERE scope = ? AND rank > ? ORDER BY rank LIMIT ?"
_FOUND = "SELECT rowid FROM found WHERE found MATCH ? AND rowid > ? ORDER BY rowid LIMIT ?"
_FREQUENT = "SELECT quotes FROM frequent WHERE word = ?"
_COUNT = "SELECT count(*) FROM found WHERE found MATCH ?"


class Query(NamedTuple):
    """Say what is looked for.

    Attributes:
        q: Words, the last one as a beginning; phrases in quotation marks. None for every quote.
        author: The author's name in any case, None for all.
        category: The category's name in any case, None for all.
    """

    q: str | None = None
    author: str | None = None
    category: str | None = None


class Page(NamedTuple):
    """Hold a page of results.

    Attributes:
        quotes: The page's quotes.
        total: How many match in all.
        cursor: Where the next page begins, None on the last.
    """

    quotes: list[Quote]
    total: int
    cursor: str | None


class Terms(NamedTuple):
    """Hold what a text asks for.

    Attributes:
        phrases: Runs of folded words, each of one word or more; a quote has to have all of them. None: no quote has.
        is_open: Whether the last word is a beginning.
    """

    phrases: tuple[tuple[str, ...], ...]
    is_open: bool


@functools.lru_cache(maxsize=1024)
def terms_of(q: str) -> Terms:
    """Read what somebody typed; whatever is no letter and no digit only parts words.

    Words in quotation marks are a phrase, and so are those that a hyphen or an apostrophe joins. The last word is a
    beginning unless its phrase is closed. A text without a word asks for nothing that there is.
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
    """Search one built library; safe to share between threads, opened on first use.

    It has a connection of its own, so that a search keeps no random pick waiting.

    Args:
        find: Returns the path of the built file; called once, on first use.
    """

    MAPPED = 2**30  # halves the time that two common words take

    def __init__(self, find: Callable[[], Path]) -> None:
        super().__init__(find)
        self._total = functools.lru_cache(TOTALS_KEPT)(self._counted)  # the file never changes

    @functools.cached_property
    def made_from(self) -> str:
        """Return the library's fingerprint."""
        return str(self._row("SELECT value FROM meta WHERE name = 'made_from'")[0])

    def search(self, query: Query, limit: int = 20, cursor: str | None = None) -> Page:
        """Return a page of what matches; whoever walks along the cursors gets each match once.

        Args:
            query: What is looked for.
            limit: Most quotes of the page.
            cursor: Where to go on, as the page before had it; None for the first page.

        Raises:
            ParameterError: The cursor is none of this library's and query's.
            SearchUnavailable: There is a text, and this SQLite cannot search.
            CorpusError: The library cannot be read.
        """
        author, category = key(query.author or ""), key(query.category or "")
        terms = None if query.q is None else terms_of(query.q)
        asked = repr((terms, author, category))
        place = START if cursor is None else place_of(cursor, self.made_from, asked)
        found = self._first(_SCOPE, author, category)
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
        quotes = [Quote(*self._row(_BY_NUMBER, n)) for _, n in hits[:limit]]
        is_last = len(hits) <= limit
        return Page(quotes, total, None if is_last else cursor_of(hits[limit - 1][0], self.made_from, asked))

    def by_id(self, quote_id: str) -> Quote | None:
        """Return the quote with an id, None where there is none.

        Raises:
            CorpusError: The library cannot be read.
        """
        row = self._first(_BY_ID, quote_id)
        return Quote(*row) if row else None

    def authors(self, limit: int) -> list[tuple[str, int]]:
        """Return authors and how many quotes each has, those with most first.

        Raises:
            CorpusError: The library cannot be read.
        """
        return self._all("SELECT name, quotes FROM authors ORDER BY place LIMIT ?", limit)

    def categories(self, limit: int) -> list[tuple[str, int]]:
        """Return categories and how many quotes each has, the largest first.

        Raises:
            CorpusError: The library cannot be read.
        """
        return self._all("SELECT name, quotes FROM categories ORDER BY place LIMIT ?", limit)

    def _marks(self, author: str, category: str) -> tuple[str, ...]:
        """Return what the index has as words of an author's and of a category's quotes."""
        marks = []
        if author:
            marks.append(f"{OF_AUTHOR}{self._row(_SCOPE, author, '')[0]}")
        if category:
            marks.append(f"{OF_CATEGORY}{self._row(_SCOPE, '', category)[0]}")
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
    """Write a phrase as FTS5 reads it (sqlite.org/fts5.html, section 3); folded words hold no quotation mark."""
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
    """Return what is found in each tier and in none before; each tier is part of the last of them."""
    together = tuple(word for phrase in terms.phrases for word in phrase)
    by_author = _all_of([_quoted((BY_AUTHOR + word,)) for word in together])
    exactly = _exactly(terms)
    tiers = [_all_of([by_author, *(_quoted(phrase) for phrase in terms.phrases if len(phrase) > 1)])]
    if len(terms.phrases) > 1:  # who has them as one has each of them: to ask for these too would take twice as long
        as_one = _quoted(together)
        tiers += [f"{as_one} NOT {by_author}", f"({exactly} NOT {by_author}) NOT {as_one}"]
    else:
        tiers.append(f"{exactly} NOT {by_author}")
    if terms.is_open:
        tiers.append(f"{_begun(terms)} NOT {exactly}")
    return [_marked(tier, marks) for tier in tiers]
