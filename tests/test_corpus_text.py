"""The shipped text is what the library promises: many short quotes by many people, each with its source, none twice."""

import json
import re
import unicodedata
from collections import Counter

import pytest

from quotes.corpus import EMBEDDED
from quotes.corpus_builder import source_of

LINES = [json.loads(line) for line in EMBEDDED.read_text("utf-8").splitlines()]
REQUIRED = {"id": str, "quote": str, "author": str, "category": str, "work": str, "place": str, "year": int}
OPTIONAL = {"translator": str, "speaker": str}
LONGEST = 300  # characters


def test_there_are_at_least_500_quotes() -> None:
    assert len(LINES) >= 500


@pytest.mark.parametrize(("field", "least"), [("work", 30), ("author", 20), ("category", 8)])
def test_the_library_is_broad(field: str, least: int) -> None:
    assert len({line[field] for line in LINES}) >= least


def test_no_author_has_more_than_a_tenth() -> None:
    [(author, count)] = Counter(line["author"] for line in LINES).most_common(1)

    assert count <= len(LINES) / 10, author


def test_no_quote_is_longer_than_300_characters() -> None:
    assert [line["id"] for line in LINES if len(line["quote"]) > LONGEST] == []


def test_most_quotes_are_shorter_than_160_characters() -> None:
    assert sum(len(line["quote"]) < 160 for line in LINES) > len(LINES) / 2


def test_ids_are_unique() -> None:
    assert [id_ for id_, count in Counter(line["id"] for line in LINES).items() if count > 1] == []


def test_every_line_has_the_required_fields_and_no_unknown_ones() -> None:
    types = REQUIRED | OPTIONAL

    assert [line for line in LINES if not REQUIRED.keys() <= line.keys() <= types.keys()] == []
    assert [line for line in LINES if any(type(line[name]) is not types[name] for name in line)] == []


def test_every_text_is_one_tidy_line() -> None:
    texts = [text for line in LINES for text in line.values() if isinstance(text, str)]

    assert [text for text in texts if not text or not text.isprintable() or text != " ".join(text.split())] == []


def test_texts_are_composed_unicode() -> None:
    texts = [text for line in LINES for text in line.values() if isinstance(text, str)]

    assert [text for text in texts if not unicodedata.is_normalized("NFC", text)] == []


def test_quotation_marks_are_curly_and_paired() -> None:
    straight = [line["id"] for line in LINES if re.search("[\"'`]", line["quote"])]
    unpaired = [line["id"] for line in LINES if re.sub("[^“”]", "", line["quote"]).replace("“”", "")]

    assert (straight, unpaired) == ([], [])


def test_no_quotation_stands_twice_or_within_another() -> None:
    folded = [" ".join(re.findall(r"\w+", line["quote"].casefold())) for line in LINES]
    whole = "\n".join(f" {words} " for words in folded)

    assert [words for words in folded if whole.count(f" {words} ") > 1] == []


def test_every_work_is_older_than_1956() -> None:
    assert [line["work"] for line in LINES if line["year"] >= 1956] == []


@pytest.mark.parametrize(
    "source",
    ["Meditations, Book V, tr. George Long (1862)", "Polonius, in Hamlet, Act I, Scene III (1603)"],
)
def test_a_source_reads_as_the_issue_shows_it(source: str) -> None:
    assert source in {source_of(line) for line in LINES}
