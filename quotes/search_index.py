"""Build the index that `search.py` reads: an FTS5 table, and the number of quotes with each frequent word.

The table stores no text, only the positions of the words as folded by `words.py`. Its row numbers are those of the
quotes, so reading the index in its natural order yields the shortest quotes first.
"""

import sqlite3
from collections.abc import Iterator

from quotes.words import words

# Artificial words start with these private-use characters (Unicode, section 23.5), which no folded word contains.
BY_AUTHOR, OF_AUTHOR, OF_CATEGORY, BREAK = "\ue000", "\ue001", "\ue002", "\ue003"
PREFIXES = (1, 2, 3)  # characters; lengths of the indexed prefixes, the same as in the schema below
FREQUENT = 500  # quotes; rarer words are counted on demand

# The words are folded already: `ascii` leaves non-ASCII alone, and the only ASCII is letters and digits.
_SCHEMA = """
CREATE VIRTUAL TABLE found USING fts5(
    words, content = '', columnsize = 0, tokenize = 'ascii', prefix = '1 2 3'
);
CREATE TABLE frequent (word TEXT PRIMARY KEY, quotes INTEGER NOT NULL);
INSERT INTO found (found, rank) VALUES ('automerge', 0), ('crisismerge', 1000), ('hashsize', 50000000);
"""
_TEXTS = """
SELECT n, quote, author, source, author_scope.scope, category_scope.scope
FROM numbered
JOIN scopes AS author_scope ON author_scope.author_key = numbered.author_key AND author_scope.category_key = ''
JOIN scopes AS category_scope ON category_scope.author_key = '' AND category_scope.category_key = numbered.category_key
ORDER BY n
"""


def add_index(db: sqlite3.Connection) -> None:
    """Add the index to a library under construction that already has its quotes and scopes.

    Args:
        db: The builder's connection, with its temporary table `numbered`.
    """
    for statement in _SCHEMA.split(";\n"):
        db.execute(statement)
    db.executemany("INSERT INTO found (rowid, words) VALUES (?, ?)", _rows(db))
    db.execute("INSERT INTO found (found) VALUES ('optimize')")  # one segment: one lookup for each word
    _count(db)


def _rows(db: sqlite3.Connection) -> Iterator[tuple[int, str]]:
    for n, quote, author, source, author_scope, category_scope in db.execute(_TEXTS):
        name = words(author)
        yield (
            n,
            " ".join(
                [
                    *words(quote),
                    BREAK,
                    *name,
                    BREAK,
                    *words(source or ""),
                    *(BY_AUTHOR + word for word in name),
                    f"{OF_AUTHOR}{author_scope}",
                    f"{OF_CATEGORY}{category_scope}",
                ]
            ),
        )


def _count(db: sqlite3.Connection) -> None:
    """Store the number of quotes for each frequent word and each frequent indexed prefix (`lo*`)."""
    db.execute("CREATE VIRTUAL TABLE temp.vocabulary USING fts5vocab(main, found, row)")
    db.execute("INSERT INTO frequent SELECT term, doc FROM vocabulary WHERE doc >= ? ORDER BY term", (FREQUENT,))
    for length in PREFIXES:
        beginnings = db.execute(
            "SELECT substr(term, 1, ?) AS beginning FROM vocabulary WHERE term < ? AND length(term) >= ? "
            "GROUP BY beginning HAVING sum(doc) >= ?",
            (length, BY_AUTHOR, length, FREQUENT),
        ).fetchall()
        for (beginning,) in beginnings:
            db.execute(
                "INSERT INTO frequent SELECT ?, count(*) AS quotes FROM found WHERE found MATCH ? HAVING quotes >= ?",
                (f"{beginning}*", f'"{beginning}"*', FREQUENT),
            )
    db.execute("DROP TABLE temp.vocabulary")
