"""The library picks exactly what was asked for, each match equally likely, by indexed reads alone."""

import datetime as dt
import json
import random
import sqlite3
import threading
import unicodedata
from collections import Counter
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from quotes.corpus import ANY, EMBEDDED, Corpus, Filters
from quotes.corpus_builder import built_file, source_of
from quotes.errors import CorpusError
from quotes.quote import Quote

QUOTES = [
    Quote(line["quote"], line["author"], line["category"], source_of(line), line["id"])
    for line in map(json.loads, EMBEDDED.read_text("utf-8").splitlines())
]
AUTHORS = sorted({quote.author for quote in QUOTES})
CATEGORIES = sorted({quote.category for quote in QUOTES})
A_DAY = dt.date(2026, 11, 21)


def matching(filters: Filters) -> set[Quote]:
    """Filter the text in the plainest way, to compare with."""
    author, category, shortest, longest = filters
    return {
        quote
        for quote in QUOTES
        if (author is None or author.casefold() == quote.author.casefold())
        and (category is None or category.casefold() == quote.category.casefold())
        and (shortest is None or len(quote.quote) >= shortest)
        and (longest is None or len(quote.quote) <= longest)
    }


def deviation(drawn: Counter[Quote], options: AbstractSet[Quote]) -> float:
    """Return how far the draws are from uniform, in standard deviations: Pearson's chi-square statistic.

    It is made normal as Wilson and Hilferty did (1931, "The distribution of chi-square").
    """
    expected = drawn.total() / len(options)
    chi_square = sum((drawn[option] - expected) ** 2 / expected for option in options)
    freedom = len(options) - 1
    spread = 2 / (9 * freedom)
    return float(((chi_square / freedom) ** (1 / 3) - (1 - spread)) / spread**0.5)


@pytest.mark.parametrize(
    ("count", "filters"),
    [
        pytest.param(1, ANY, id="the whole library"),
        pytest.param(5, ANY, id="five at once"),
        pytest.param(1, Filters(author="Oscar Wilde"), id="an author"),
        pytest.param(1, Filters(category="Courage", min_length=60, max_length=140), id="a category and a length range"),
        pytest.param(3, Filters(max_length=70), id="three short ones at once"),
    ],
)
def test_random_picks_are_uniform(count: int, filters: Filters) -> None:
    corpus = Corpus(built_file, random.Random(20261121))
    options = matching(filters)

    draws = Counter(quote for _ in range(60 * len(options) // count) for quote in corpus.random(count, filters))

    assert set(draws) == options
    assert abs(deviation(draws, options)) < 3.5


def in_any_case(names: list[str]) -> st.SearchStrategy[str]:
    return st.builds(
        lambda name, change: change(name), st.sampled_from(names), st.sampled_from([str, str.upper, str.swapcase])
    )


LENGTHS = st.none() | st.integers(0, 320)
FILTERS = st.builds(
    Filters,
    author=st.none() | in_any_case([*AUTHORS, "Nobody"]),
    category=st.none() | in_any_case([*CATEGORIES, "Nothing"]),
    min_length=LENGTHS,
    max_length=LENGTHS,
)


@settings(deadline=None, max_examples=300)
@given(filters=FILTERS)
@example(filters=Filters())
@example(filters=Filters(min_length=100, max_length=99))
@example(filters=Filters(min_length=len(QUOTES[0].quote), max_length=len(QUOTES[0].quote)))
def test_filters_choose_what_a_search_through_the_text_finds(corpus: Corpus, filters: Filters) -> None:
    assert sorted(corpus.random(len(QUOTES), filters)) == sorted(matching(filters))


@settings(deadline=None, max_examples=200)
@given(filters=FILTERS, count=st.integers(1, 50))
def test_a_count_gives_that_many_different_matches_or_all_there_are(
    corpus: Corpus, filters: Filters, count: int
) -> None:
    picked, options = corpus.random(count, filters), matching(filters)

    assert len(picked) == len(set(picked)) == min(count, len(options))
    assert set(picked) <= options


def test_a_name_matches_however_its_accents_are_encoded(corpus: Corpus) -> None:
    decomposed = unicodedata.normalize("NFD", "CHARLOTTE BRONTË")

    assert set(corpus.random(50, Filters(author=decomposed))) == matching(Filters(author="Charlotte Brontë"))


@pytest.mark.parametrize(
    ("pick", "most_statements"),
    [
        pytest.param(lambda corpus: corpus.of_day(A_DAY), 1, id="the day's"),
        pytest.param(lambda corpus: corpus.random(), 1, id="a random one"),
        pytest.param(lambda corpus: corpus.random(1, Filters("Oscar Wilde")), 3, id="an author's"),
        pytest.param(lambda corpus: corpus.random(1, Filters("Oscar Wilde", "Love", 30, 200)), 5, id="every filter"),
        pytest.param(lambda corpus: corpus.random(1, Filters(max_length=80)), 5, id="a short one"),
    ],
)
def test_a_pick_is_a_few_searches_of_an_index(pick: Callable[[Corpus], object], most_statements: int) -> None:
    corpus, statements = Corpus(built_file), []
    assert corpus.size == len(QUOTES)  # which is counted once
    corpus._db.set_trace_callback(statements.append)

    pick(corpus)

    with closing(sqlite3.connect(built_file())) as db:
        plans = [step[3] for sql in statements for step in db.execute(f"EXPLAIN QUERY PLAN {sql}")]
    assert 1 <= len(statements) <= most_statements
    assert [plan for plan in plans if not plan.startswith("SEARCH")] == []


def test_no_quote_has_a_second_day_before_every_other_had_one(corpus: Corpus) -> None:
    days = [corpus.of_day(A_DAY + dt.timedelta(days=n)) for n in range(2 * len(QUOTES))]
    first_round, second_round = days[: len(QUOTES)], days[len(QUOTES) :]

    assert sorted(first_round) == sorted(QUOTES)
    assert second_round == first_round  # so every window of that many days is a rotation of the first


def test_neighbouring_days_differ_in_author(corpus: Corpus) -> None:
    days = [A_DAY + dt.timedelta(days=n) for n in range(len(QUOTES) + 1)]  # one more: the wrap

    assert [
        (day, after) for day, after in pairwise(days) if corpus.of_day(day).author == corpus.of_day(after).author
    ] == []


@pytest.mark.parametrize(
    "order",
    [pytest.param(QUOTES, id="file"), pytest.param(sorted(QUOTES, key=lambda quote: len(quote.quote)), id="length")],
)
def test_days_do_not_walk_through_the_library_in_order(corpus: Corpus, order: list[Quote]) -> None:
    position = {quote: n for n, quote in enumerate(order)}
    places = [position[corpus.of_day(A_DAY + dt.timedelta(days=n))] for n in range(len(QUOTES))]

    steps = Counter(after - before for before, after in pairwise(places))

    assert max(steps.values()) < len(QUOTES) / 20  # a walk takes one step again and again


@pytest.mark.parametrize("day", [dt.date.min, dt.date.max])
def test_every_day_of_the_calendar_has_a_quote(corpus: Corpus, day: dt.date) -> None:
    assert corpus.of_day(day) in QUOTES


def test_threads_that_start_at_once_share_a_library() -> None:
    corpus, start, asked = Corpus(built_file), threading.Barrier(16), Filters("Oscar Wilde", min_length=50)

    def pick() -> tuple[set[Quote], Quote]:
        start.wait()
        return {quote for _ in range(400) for quote in corpus.random(5, asked)}, corpus.of_day(A_DAY)

    with ThreadPoolExecutor(16) as pool:
        answers = [future.result() for future in [pool.submit(pick) for _ in range(16)]]

    assert set.union(*(picked for picked, _ in answers)) == matching(asked)
    assert len({of_day for _, of_day in answers}) == 1


def test_the_file_is_looked_for_once_however_many_threads_ask() -> None:
    looked: list[Path] = []

    def find() -> Path:
        looked.append(built_file())
        return looked[-1]

    corpus = Corpus(find)
    for _ in range(4):
        with ThreadPoolExecutor(1) as pool:
            pool.submit(corpus.random).result()

    assert len(looked) == 1


@pytest.mark.parametrize("content", [None, b"", b"not a database"], ids=["missing", "empty", "rubbish"])
def test_a_library_that_cannot_be_read_is_an_error_that_says_how_to_mend_it(
    tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "corpus.sqlite3"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(CorpusError, match=r"remove the \.sqlite3 file, and it is built again from its text"):
        Corpus(lambda: file).random()
