"""Search finds what is asked for and nothing else, whatever is typed, and walking the pages gives each match once."""

import base64
import json
import sqlite3
import unicodedata
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from quotes import cursors
from quotes.corpus_builder import build, built_file
from quotes.errors import CorpusError, ParameterError, SearchUnavailable
from quotes.highlights import marked
from quotes.quote import Quote
from quotes.search import Library, Page, Query, terms_of
from tests.test_corpus import AUTHORS, CATEGORIES, QUOTES
from tests.test_service import write_corpus

SHELF = {
    one: Quote(quote, author, category, source, one)
    for one, quote, author, category, source in [
        ("to be", "To be, or not to be.", "William Shakespeare", "Self", "Hamlet"),
        ("be to", "Be kind to me.", "Anon", "Love", None),
        ("café", "A café is a home.", "Zoë Ångström", "Home", None),
        ("decomposed", "The cafe\u0301 of one's youth.", "Anon", "Home", None),
        ("art", "Art is long.", "Hippocrates", "Art", None),
        ("artful", "The artful are never artless.", "Anon", "Art", None),
        ("by art", "Nobody reads.", "Art Love", "Reading", None),
        ("zh", "知人者智\uff0c自知者明。", "老子", "Self", None),
        ("hi", "\u0915\u093f \u0938\u0924\u094d\u092f", "Anon", "Truth", None),
        ("well", "A well-known friend doesn\u2019t tell.", "Søren Łoś", "Friendship", None),
        ("signs", "\u2764\ufe0f Hawai\u02bbi \u0627\u0644\u062d\u0640\u0640\u0628 hy\u00adphen", "Eli", "Signs", None),
        ("joined", "\u0915\u094d\u200d\u0937\u092e\u093e", "Eli", "Signs", None),
        ("html", "<b>Love</b> & \"peace\" 'now'.", "A <i>nobody</i>", "Love", "<script>"),
    ]
}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """Return a small library of what is hard to find."""
    text = tmp_path_factory.mktemp("shelf") / "shelf.jsonl"
    lines = [json.dumps(quote._asdict() | {"work": quote.source}) for quote in SHELF.values()]
    text.write_text("\n".join(lines), "utf-8")
    return Library(lambda: built_file(text))


@pytest.fixture(scope="module")
def library() -> Library:
    """Return the embedded library."""
    return Library(built_file)


def ids(page: Page) -> list[str | None]:
    return [quote.id for quote in page.quotes]


def walk(library: Library, query: Query, limit: int) -> Iterator[Page]:
    cursor = None
    while True:
        page = library.search(query, limit, cursor)
        yield page
        cursor = page.cursor
        if cursor is None:
            return


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("be", ["be to", "to be"]),
        ("cafe", ["café", "decomposed"]),
        ("CAFÉ", ["café", "decomposed"]),
        ("cafe\u0301", ["café", "decomposed"]),
        ("caf", ["café", "decomposed"]),
        ("angstrom zoe", ["café"]),
        ("soren los", ["well"]),
        ("hamlet", ["to be"]),
        ("to be", ["to be", "be to"]),
        ('"to be"', ["to be"]),
        ("\u201cto be\u201d", ["to be"]),
        ("\u201eto be\u201c", ["to be"]),
        ("\u00abto be\u00bb", ["to be"]),
        ('"to b', ["to be"]),
        ('"to b"', []),
        ('"art" is', ["art"]),
        ("art", ["by art", "art", "artful"]),
        ('"art"', ["by art", "art"]),
        ("love", ["by art", "html"]),
        ("artf", ["artful"]),
        ("shakespeare self", []),
        ("自知", ["zh"]),
        ("知自", []),
        ("智 老子", ["zh"]),
        ("\u0915\u093f", ["hi"]),
        ("\u0915\u0940", []),
        ("well known", ["well"]),
        ("well-known", ["well"]),
        ("known-well", []),
        ("doesn't", ["well"]),
        ("doesn\u2019t", ["well"]),
        ("one's youth", ["decomposed"]),
        ("peace,love", ["html"]),
        ("hawai'i", ["signs"]),
        ("hawai\u02bci", ["signs"]),
        ("\u0627\u0644\u062d\u0628", ["signs"]),
        ("\u0915\u094d\u0937\u092e\u093e", ["joined"]),
        ("hyphen", ["signs"]),
        ("script", ["html"]),
        ("nobody reads zoë", []),
        ("AND", []),
        ("to AND be", []),
        ("be OR me", []),
        ("be NOT me", []),
        ("NEAR(be me)", []),
        ("words:be", []),
        ("^be", ["be to", "to be"]),
        ("be*", ["be to", "to be"]),
        ("-be", ["be to", "to be"]),
        ("+be", ["be to", "to be"]),
        ("{words}:be", []),
        ("be' --", ["be to", "to be"]),
        ("\ue0011 be", []),
    ],
)
def test_what_is_found_and_in_which_order(shelf: Library, q: str, found: list[str]):
    page = shelf.search(Query(q))

    assert (ids(page), page.total, page.cursor) == (found, len(found), None)


@pytest.mark.parametrize(
    "q",
    [
        "*",
        '"',
        '""',
        "!?",
        "\u00a0",
        "\u0301",
        "- -",
        "\ue000",
        "\0",
        "\u201c\u201d",
        "😀",
        "\u2764\ufe0f",
        "#\ufe0f\u20e3",
    ],
)
def test_a_text_without_a_word_finds_nothing(shelf: Library, q: str):
    assert shelf.search(Query(q)) == Page([], 0, None)


SYNTAX = st.sampled_from(
    [
        *"\"'*^:-+(){}[]\\;%_\0\ud800\u201c\u201d\ue000\ue001\ue003",
        " AND ",
        " OR ",
        " NOT ",
        "NEAR(",
        "be",
        " to ",
        "知",
    ]
)


@settings(deadline=None, max_examples=400)
@given(q=st.text(max_size=40) | st.lists(SYNTAX, max_size=12).map("".join))
@example(q='"to be" OR (words : a* NOT b) ^c + NEAR(a b, 3)')
@example(q="a\0b")
@example(q="\U00020000 \uf900 \uff21 \u0130 ½ ﬁ ß")
def test_nothing_that_is_typed_is_syntax(shelf: Library, q: str):
    page = shelf.search(Query(q), 100)

    if not terms_of(q).phrases:
        assert not any(char.isalnum() for char in unicodedata.normalize("NFKC", q))
        assert page == Page([], 0, None)
        return
    assert page.quotes == [quote for quote in page.quotes if has_all(quote, q)]
    assert sorted(ids(page), key=str) == sorted((one for one, quote in SHELF.items() if has_all(quote, q)), key=str)
    assert page.total == len(page.quotes)


def has_all(quote: Quote, q: str) -> bool:
    """Look for each phrase with the marker, which reads texts in a way of its own."""
    terms = terms_of(q)
    for number, phrase in enumerate(terms.phrases, 1):
        one = terms._replace(phrases=(phrase,), is_open=terms.is_open and number == len(terms.phrases))
        if not any("<mark>" in marked(text, one) for text in (quote.quote, quote.author, quote.source or "")):
            return False
    return True


@settings(deadline=None, max_examples=60)
@given(
    q=st.none() | st.sampled_from(["t", "th", "the", "love", "love is", "oscar", '"of the"', "of the", "w s", "é"]),
    author=st.none() | st.sampled_from([*AUTHORS[:4], AUTHORS[0].upper(), "Nobody"]),
    category=st.none() | st.sampled_from([*CATEGORIES[:4], "Nothing"]),
    limit=st.integers(1, 100),
)
def test_walking_the_pages_gives_each_match_once(
    library: Library, q: str | None, author: str | None, category: str | None, limit: int
):
    query = Query(q, author, category)
    pages = list(walk(library, query, limit))
    walked = [quote for page in pages for quote in page.quotes]
    matching = {
        quote
        for quote in QUOTES
        if (author is None or author.casefold() == quote.author.casefold())
        and (category is None or category == quote.category)
        and (q is None or has_all(quote, q))
    }

    assert len(walked) == len(set(walked)) == len(matching)
    assert set(walked) == matching
    assert {page.total for page in pages} == {len(matching)}
    assert all(len(page.quotes) == limit for page in pages[:-1])


def test_without_words_the_shortest_come_first(library: Library):
    walked = [quote for page in walk(library, Query(category="love"), 7) for quote in page.quotes]

    assert walked == sorted(walked, key=lambda quote: (len(quote.quote), quote.id))


def test_a_cursor_of_another_query_is_refused(library: Library):
    cursor = library.search(Query("love"), 5).cursor

    for query in (Query("hate"), Query(), Query("love", author="Oscar Wilde"), Query('"love"')):
        with pytest.raises(ParameterError, match=r"'cursor' belongs to another query; start again without it"):
            library.search(query, 5, cursor)
    assert library.search(Query("LOVE"), 5, cursor) == library.search(Query("love"), 5, cursor)


def test_a_cursor_of_a_library_that_has_changed_is_refused(tmp_path: Path):
    text = write_corpus(tmp_path / "text.jsonl", SHELF.values())
    before = Library(lambda: built_file(text))
    cursor = before.search(Query("be"), 1).cursor
    write_corpus(text, [*SHELF.values(), Quote("Let it be.", "Anon", "Self", None, "new")])
    after = Library(lambda: built_file(text))

    assert ids(after.search(Query("be"), 1)) == ["new"]
    with pytest.raises(ParameterError, match=r"'cursor' belongs to a library that has changed since"):
        after.search(Query("be"), 1, cursor)
    assert ids(before.search(Query("be"), 1, cursor)) == ["to be"]  # which still has its file


@settings(deadline=None, max_examples=300)
@given(cursor=st.text(max_size=60) | st.text("ABCDwxyz0189-_=", min_size=40, max_size=48))
def test_a_cursor_that_was_not_made_here_is_refused(library: Library, cursor: str):
    with pytest.raises(ParameterError, match=r"^The parameter 'cursor' was not issued by this service\.$"):
        library.search(Query("love"), 5, cursor)


@pytest.mark.parametrize("after", [b"\xff" * 8, b"\x80" + bytes(7)])
def test_a_cursor_that_was_forged_for_a_place_that_cannot_be_is_refused(library: Library, after: bytes):
    cursor = library.search(Query(), 5).cursor
    assert cursor
    raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    body = raw[:1] + after + raw[9:-8]
    forged = base64.urlsafe_b64encode(body + cursors._digest("quotes cursor", body)).decode().rstrip("=")

    with pytest.raises(ParameterError, match=r"^The parameter 'cursor' is none that was given here\.$"):
        library.search(Query(), 5, forged)


def test_a_cursor_with_one_character_changed_is_refused(library: Library):
    cursor = library.search(Query("love"), 5).cursor or ""

    for at, char in enumerate(cursor):
        other = "A" if char != "A" else "B"
        with pytest.raises(ParameterError, match="'cursor'"):
            library.search(Query("love"), 5, cursor[:at] + other + cursor[at + 1 :])


@pytest.mark.parametrize(
    ("text", "q", "html"),
    [
        ("<b>Love</b> & co", "love", "&lt;b&gt;<mark>Love</mark>&lt;/b&gt; &amp; co"),
        ("To be, or not to be", '"to be"', "<mark>To be</mark>, or not <mark>to be</mark>"),
        ("A cafe\u0301s end", "cafe", "A <mark>cafe\u0301s</mark> end"),
        ("A café's", '"cafe"', "A <mark>café</mark>&#x27;s"),
        (
            "\u0627\u0644\u062d\u0640\u0640\u0628 \u2764\ufe0f",
            "\u0627\u0644\u062d\u0628",
            "<mark>\u0627\u0644\u062d\u0640\u0640\u0628</mark> \u2764\ufe0f",
        ),
        ("be be be", '"be be"', "<mark>be be be</mark>"),
        ("自知者明", "知者", "自<mark>知者</mark>明"),
        ("<script>alert(1)</script>", "script", "&lt;<mark>script</mark>&gt;alert(1)&lt;/<mark>script</mark>&gt;"),
        ("<b>Love</b>", '"b love"', "&lt;<mark>b&gt;Love</mark>&lt;/b&gt;"),
        ("nothing", "love", "nothing"),
        ("", "love", ""),
    ],
)
def test_what_was_found_is_marked_and_all_else_escaped(text: str, q: str, html: str):
    assert marked(text, terms_of(q)) == html


def test_where_sqlite_has_no_fts5_everything_but_search_works(tmp_path: Path):
    built = tmp_path / "built.sqlite3"
    build(write_corpus(tmp_path / "text.jsonl", SHELF.values()), built)
    with closing(sqlite3.connect(built)) as db, db:  # a module that no SQLite has stands for one that this one lacks
        db.execute("PRAGMA writable_schema = ON")
        db.execute("UPDATE sqlite_master SET sql = replace(sql, 'fts5', 'fts99') WHERE name = 'found'")
    library = Library(lambda: built)

    with pytest.raises(SearchUnavailable, match=r"deploy from Python 3\.12 or later\.$"):
        library.search(Query("love"))
    assert ids(library.search(Query(category="LOVE"))) == ["be to", "html"]
    assert library.by_id("art") == SHELF["art"]
    assert library.authors(2) == [("Anon", 4), ("Eli", 2)]
    assert library.categories(1) == [("Art", 2)]


def test_names_stand_as_they_are_written_most_often_or_first(tmp_path: Path):
    written = [("ANON", "b"), ("Anon", "a"), ("Anon", "A"), ("Émile", "A"), ("e", "c")]
    quotes = [Quote("Words.", author, category, None, str(n)) for n, (author, category) in enumerate(written)]
    text = write_corpus(tmp_path / "text.jsonl", quotes)
    library = Library(lambda: built_file(text))

    assert library.authors(10) == [("Anon", 3), ("e", 1), ("Émile", 1)]
    assert library.categories(10) == [("A", 3), ("b", 1), ("c", 1)]
    assert library.authors(1) == [("Anon", 3)]


def test_a_library_that_cannot_be_read_is_an_error_that_says_how_to_mend_it(tmp_path: Path):
    with pytest.raises(CorpusError, match=r"remove the \.sqlite3 file, and it is built again from its text"):
        Library(lambda: tmp_path / "missing.sqlite3").search(Query("love"))
