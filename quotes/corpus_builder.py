"""Build a library's SQLite file from its text, which has one JSON object per line.

Builds are reproducible with the same version of SQLite. Sorting and numbering happen in the database, so memory stays
bounded at a million quotes. `python -m quotes.corpus_builder` builds the embedded library.
"""

import functools
import hashlib
import json
import re
import sqlite3
import tempfile
from array import array
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from quotes.corpus import EMBEDDED, FORMAT, key
from quotes.errors import CorpusError
from quotes.search_index import add_index

_REQUIRED = ("id", "quote", "author", "category")
_OPTIONAL = ("work", "place", "translator", "speaker")

_SURROGATE = re.compile("[\ud800-\udfff]")

_SCHEMA = """
PRAGMA page_size = 4096;
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -32768;
PRAGMA temp.cache_size = -32768;
CREATE TEMP TABLE lines (
    line INTEGER PRIMARY KEY, id TEXT, quote TEXT, author TEXT, category TEXT, source TEXT,
    author_key TEXT, category_key TEXT, length INTEGER, shuffle INTEGER
);
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE quotes (
    n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, quote TEXT NOT NULL, author TEXT NOT NULL, category TEXT NOT NULL,
    source TEXT
);
CREATE TABLE scopes (
    author_key TEXT NOT NULL, category_key TEXT NOT NULL, scope INTEGER NOT NULL, size INTEGER NOT NULL,
    PRIMARY KEY (author_key, category_key)
);
CREATE TABLE picks (
    scope INTEGER NOT NULL, rank INTEGER NOT NULL, length INTEGER NOT NULL, n INTEGER NOT NULL,
    PRIMARY KEY (scope, rank)
);
CREATE TABLE days (position INTEGER PRIMARY KEY, n INTEGER NOT NULL);
CREATE TABLE authors (place INTEGER PRIMARY KEY, name TEXT NOT NULL, quotes INTEGER NOT NULL);
CREATE TABLE categories (place INTEGER PRIMARY KEY, name TEXT NOT NULL, quotes INTEGER NOT NULL);
"""

# An empty key means "any": the scopes are all quotes, each author, each category, and each pair of the two.
_NUMBER = """
CREATE TEMP TABLE numbered AS
    SELECT row_number() OVER (ORDER BY length, id) - 1 AS n, * FROM lines;
INSERT INTO quotes SELECT n, id, quote, author, category, source FROM numbered ORDER BY n;
CREATE TEMP TABLE scoped AS
    SELECT '' AS author_key, '' AS category_key, length, n FROM numbered
    UNION ALL SELECT author_key, '', length, n FROM numbered
    UNION ALL SELECT '', category_key, length, n FROM numbered
    UNION ALL SELECT author_key, category_key, length, n FROM numbered;
INSERT INTO scopes
    SELECT author_key, category_key, row_number() OVER (ORDER BY author_key, category_key) - 1, count(*)
    FROM scoped GROUP BY author_key, category_key ORDER BY author_key, category_key;
INSERT INTO picks
    SELECT scope, row_number() OVER (PARTITION BY scope ORDER BY n) - 1 AS rank, length, n
    FROM scoped JOIN scopes USING (author_key, category_key) ORDER BY scope, rank;
CREATE INDEX picks_by_length ON picks (scope, length, rank);
"""

# Of several spellings of a name, the most frequent one is listed; of equally frequent ones, the first.
_NAMES = """
INSERT INTO {0} (name, quotes)
    SELECT name, quotes FROM (
        SELECT {1}_key AS name_key, {1} AS name, sum(count(*)) OVER (PARTITION BY {1}_key) AS quotes,
            row_number() OVER (PARTITION BY {1}_key ORDER BY count(*) DESC, min(line)) AS choice
        FROM numbered GROUP BY {1}_key, {1}
    ) WHERE choice = 1 ORDER BY quotes DESC, name_key;
"""

# Each author's quotes are spread evenly over the cycle, each one displaced within its share by its hash.
_SPREAD = """
SELECT n, author_number FROM (
    SELECT n, shuffle, dense_rank() OVER (ORDER BY author_key) AS author_number,
        (row_number() OVER (PARTITION BY author_key ORDER BY shuffle, n) - 1 + (shuffle & 1048575) / 1048576.0)
        / count(*) OVER (PARTITION BY author_key) AS place
    FROM numbered
) ORDER BY place, shuffle, n
"""

_SECOND = """
SELECT line, id FROM (SELECT line, id, row_number() OVER (PARTITION BY id ORDER BY line) AS time FROM lines)
WHERE time = 2 ORDER BY line LIMIT 1
"""


def built_file(text: Path = EMBEDDED, *, may_build: bool = True) -> Path:
    """Return the path of the built library, building it if it is missing or was built from another text.

    Args:
        text: The corpus (`.jsonl`), or a built library (`.sqlite3`), which is checked and returned.
        may_build: False where the file system is read-only (AWS Lambda): the packaged file is then used as it is.

    Raises:
        CorpusError: The library cannot be built, is missing and must not be built, or has another format.
    """
    if text.suffix == ".sqlite3":
        _check(text)
        return text
    built = text.with_suffix(".sqlite3")
    if not may_build:
        if not built.is_file():
            raise CorpusError(f"{built.name} is missing from the package; build it before packaging: `make corpus`.")
        return built
    if not _is_fresh(built, text):
        build(text, built)
    return built


def build(text: Path, target: Path) -> None:
    """Build `target` from `text` atomically: readers see either the old file or the new one.

    Args:
        text: The corpus: UTF-8, one JSON object per line with at least `id`, `quote`, `author` and `category`.
        target: The SQLite file to write.

    Raises:
        CorpusError: The text cannot be read or is not a corpus (the message names line and field), or the file cannot
            be written.
    """
    try:
        with tempfile.TemporaryDirectory(prefix=".corpus-", dir=target.parent) as folder:
            unfinished = Path(folder) / target.name
            made_from = _fingerprint(text)  # taken first, so that a change during the build leaves the file stale
            with closing(sqlite3.connect(unfinished)) as db:
                db.executescript(_SCHEMA)
                db.executemany("INSERT INTO lines VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", _lines(text))
                try:
                    db.executescript(
                        _NUMBER + _NAMES.format("authors", "author") + _NAMES.format("categories", "category")
                    )
                except sqlite3.IntegrityError as error:
                    line, name = db.execute(_SECOND).fetchone()
                    raise CorpusError(f"{text.name}, line {line}: 'id' {name!r} is given twice.") from error
                numbers = _arrange(db)
                if not numbers:
                    raise CorpusError(f"{text.name} holds no quotes.")
                db.executemany("INSERT INTO days VALUES (?, ?)", enumerate(numbers))
                add_index(db)
                db.execute("INSERT INTO meta VALUES ('made_from', ?)", (made_from,))
                db.commit()
            unfinished.replace(target)
    except (OSError, sqlite3.Error) as error:
        raise CorpusError(f"{target.name} cannot be built from {text.name}: {error}.") from error


def source_of(line: dict[str, Any]) -> str | None:
    """Format a quote's source: `Meditations, Book V, tr. George Long (1862)`.

    Words of a fictional character name the speaker: `Polonius, in Hamlet, Act I, Scene III (1603)`.

    Args:
        line: A corpus line, of which `work` and the optional `place`, `translator`, `speaker` and `year` are used.

    Returns:
        The source, or None if the work is unknown.
    """
    work = line.get("work")
    if not work:
        return None
    parts = [f"{line['speaker']}, in {work}" if line.get("speaker") else work]
    if line.get("place"):
        parts.append(line["place"])
    if line.get("translator"):
        parts.append(f"tr. {line['translator']}")
    year = f" ({line['year']})" if line.get("year") else ""
    return ", ".join(parts) + year


def _lines(text: Path) -> Iterator[tuple[object, ...]]:
    folded = functools.lru_cache(maxsize=10_000)(key)
    with text.open("rb") as lines:
        for number, raw in enumerate(lines, 1):
            if not raw.strip():
                continue
            try:
                line = json.loads(raw)
            except (ValueError, RecursionError) as error:
                raise CorpusError(f"{text.name}, line {number}: not JSON in UTF-8 ({error}).") from error
            if not isinstance(line, dict):
                raise CorpusError(f"{text.name}, line {number}: not a JSON object.")
            for name in _REQUIRED + _OPTIONAL:
                value = line.get(name)
                if not _is_text(value) and (name in _REQUIRED or value is not None):
                    raise CorpusError(f"{text.name}, line {number}: '{name}' is missing or not a text.")
            if line.get("year") is not None and not isinstance(line["year"], int):
                raise CorpusError(f"{text.name}, line {number}: 'year' is not a number.")
            shuffle = int.from_bytes(hashlib.sha256(line["id"].encode()).digest()[:6])
            yield (
                number,
                *(line[name] for name in _REQUIRED),
                source_of(line),
                folded(line["author"]),
                folded(line["category"]),
                len(line["quote"]),
                shuffle,
            )


def _is_text(value: object) -> bool:
    """Return whether a value is a non-blank string that every encoding and database takes: no surrogate, no NUL."""
    if not isinstance(value, str) or not value.strip():
        return False
    return "\0" not in value and (value.isascii() or not _SURROGATE.search(value))


def _arrange(db: sqlite3.Connection) -> "array[int]":
    """Return the quotes' numbers in the order of their days, avoiding the same author on consecutive days."""
    numbers, authors = array("l"), array("l")
    for n, author in db.execute(_SPREAD):
        numbers.append(n)
        authors.append(author)
    total = len(numbers)

    def clashes(at: int) -> bool:
        """Return whether a neighbour has the same author; the cycle wraps around."""
        return authors[at] in (authors[at - 1], authors[(at + 1) % total])

    def swap(one: int, other: int) -> None:
        numbers[one], numbers[other] = numbers[other], numbers[one]
        authors[one], authors[other] = authors[other], authors[one]

    for at in range(total):
        if total > 2 and authors[at] == authors[at - 1]:
            for distance in range(2, total - 1):
                other = (at + distance) % total
                if authors[other] != authors[at]:
                    swap(at, other)
                    if not (clashes(at) or clashes(other)):
                        break
                    swap(at, other)
            else:
                return _interleave(numbers, authors)
    return numbers


def _interleave(numbers: "array[int]", authors: "array[int]") -> "array[int]":
    """Return the numbers with no author on consecutive days, unless one author has more than half of the quotes.

    Author by author, the one with the most quotes first, they fill every second position, then those in between.
    """
    most = Counter(authors)
    order = sorted(range(len(numbers)), key=lambda at: (-most[authors[at]], authors[at], at))
    places = [*range(0, len(numbers), 2), *range(1, len(numbers), 2)]
    arranged = array("l", numbers)
    for place, at in zip(places, order, strict=True):
        arranged[place] = numbers[at]
    return arranged


def _fingerprint(text: Path) -> str:
    with text.open("rb") as lines:
        return f"format {FORMAT}, sha256 {hashlib.file_digest(lines, 'sha256').hexdigest()}"


def _is_fresh(built: Path, text: Path) -> bool:
    if not built.is_file():
        return False
    try:
        return _made_from(built) == _fingerprint(text)
    except (OSError, sqlite3.Error):
        return False


def _check(built: Path) -> None:
    """Raise CorpusError unless a built library, which cannot be rebuilt here, has the format of this version."""
    try:
        form = _made_from(built).partition(",")[0]
    except sqlite3.Error as error:
        form = str(error)
    if form != f"format {FORMAT}":
        raise CorpusError(
            f"{built} is no library that this version built ({form}, not format {FORMAT}): set QUOTES_CORPUS to the "
            ".jsonl that it was built from, and it is built again."
        )


def _made_from(built: Path) -> str:
    with closing(sqlite3.connect(f"{built.absolute().as_uri()}?immutable=1", uri=True)) as db:
        row = db.execute("SELECT value FROM meta WHERE name = 'made_from'").fetchone()
    return str(row[0]) if row else "unfinished"


if __name__ == "__main__":
    print(built_file())
