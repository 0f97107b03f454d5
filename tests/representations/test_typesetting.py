"""Text set in lines."""

from hypothesis import given
from hypothesis import strategies as st

from quotes.representations.characters import total
from quotes.representations.typesetting import SPACE, cut, even_lines, lines, pieces

TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Z"]) | st.just(" ")).map(
    lambda text: " ".join(text.split())
)
MEASURES = st.integers(1400, 40_000)


def test_lines_are_filled_and_know_how_wide_they_are():
    found = lines(pieces("To be or not to be"), 4000)

    assert [line.text for line in found] == ["To be or", "not to be"]
    assert found[0].width == total([*(part.width for part in pieces("To be or")), SPACE, SPACE])


def test_a_few_lines_are_evened_out():
    parts = pieces("Everything has two handles, the one by which it may be borne, the other by which it may not.")

    assert [line.text for line in lines(parts, 17_000)] == [
        "Everything has two handles, the one",
        "by which it may be borne, the other by",
        "which it may not.",
    ]
    assert [line.text for line in even_lines(parts, 17_000)] == [
        "Everything has two handles, the",
        "one by which it may be borne,",
        "the other by which it may not.",
    ]


def test_a_word_with_a_hyphen_may_end_a_line_there():
    assert [part.text for part in pieces("well-being — 2-3")] == ["well-", "being", "—", "2-3"]


def test_chinese_has_lines_without_spaces():
    found = lines(pieces("學而時習之、不亦說乎。"), 5400)

    assert [line.text for line in found] == ["學而時習", "之、不亦說", "乎。"]


def test_a_word_that_is_wider_than_a_line_is_cut_between_characters():
    found = cut(pieces("W👨‍👩‍👧👨‍👩‍👧W is"), 5000)

    assert [part.text for part in found] == ["W", "👨‍👩‍👧", "👨‍👩‍👧", "W", "is"]


@given(TEXTS, MEASURES)
def test_no_line_is_too_wide_and_nothing_is_lost(text: str, measure: int):
    parts = cut(pieces(text), measure)
    narrowest = max((part.width.room for part in parts), default=0)
    for found in (lines(parts, measure), even_lines(parts, measure)):
        assert "".join(line.text for line in found).replace(" ", "") == text.replace(" ", "")
        assert all(line.width.room <= max(measure, narrowest) for line in found)
    assert len(lines(parts, measure)) == len(even_lines(parts, measure))
