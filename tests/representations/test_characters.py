"""What characters are to a typesetter."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotes.representations.characters import (
    Width,
    clusters,
    is_right_to_left,
    is_tall,
    may_end_between,
    total,
    width_of,
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("no", ["n", "o"]),
        ("e\u0301t", ["e\u0301", "t"]),
        ("👨‍👩‍👧‍👦👍🏽", ["👨‍👩‍👧‍👦", "👍🏽"]),
        ("🇩🇪🇮🇳🇫", ["🇩🇪", "🇮🇳", "🇫"]),
        ("🏴\U000e0067\U000e0062\U000e007f!", ["🏴\U000e0067\U000e0062\U000e007f", "!"]),
        ("1\ufe0f\u20e3", ["1\ufe0f\u20e3"]),
        ("क्षमा", ["क्ष", "मा"]),
        ("\u1112\u1161\u11ab\u1100", ["\u1112\u1161\u11ab", "\u1100"]),
        ("e" + "\u0301" * 30, ["e" + "\u0301" * 23, "\u0301" * 7]),
    ],
    ids=["letters", "mark", "joined emoji", "flags", "tags", "keycap", "conjunct", "syllable", "endless"],
)
def test_what_a_reader_takes_for_a_character_stays_together(text: str, found: list[str]):
    assert clusters(text) == found


@given(st.text())
def test_nothing_is_lost_between_clusters(text: str):
    assert "".join(clusters(text)) == text


@pytest.mark.parametrize(
    ("pair", "may"),
    [
        (("a", "b"), False),
        (("-", "b"), True),
        (("-", "1"), False),
        (("—", "b"), True),
        (("a", "—"), False),
        (("/", "b"), True),
        (("學", "而"), True),
        (("之", "、"), False),
        (("「", "己"), False),
        (("人", "。"), False),
        (("キ", "ャ"), False),
        (("カ", "ー"), False),
        (("한", "국"), False),
        (("A", "學"), True),
        (("😂", "👍"), True),
        (("😂", "!"), False),
        (("\u200b", "b"), True),
    ],
)
def test_where_a_line_may_end(pair: tuple[str, str], may: bool):
    assert may_end_between(*pair) is may


@pytest.mark.parametrize(
    ("cluster", "width"),
    [
        ("A", Width(671, 723, exact=True)),
        (" ", Width(242, 318, exact=True)),
        ("é", Width(484, 616, exact=True)),
        ("學", Width(1000, 1000, exact=True)),
        ("e\u0301", Width(484, 616, exact=False)),
        ("Ж", Width(1124, 1124, exact=False)),
        ("😂", Width(1400, 1400, exact=False)),
        ("👨‍👩‍👧", Width(4200, 4200, exact=False)),
        ("\u2060", Width(0, 0, exact=False)),
        ("\U0001d400", Width(723, 723, exact=False)),
        ("\u1798", Width(1300, 1300, exact=False)),
    ],
    ids=["letter", "space", "accent", "Chinese", "mark", "Cyrillic", "emoji", "joined", "nothing", "bold", "Khmer"],
)
def test_how_wide_it_is(cluster: str, width: Width):
    assert width_of(cluster) == width


def test_what_is_known_exactly_needs_no_room_for_other_fonts():
    known, unknown = width_of("A"), width_of("Ж")

    assert (known.room, unknown.room) == (known.units, unknown.at_most)
    assert total([known, known]).room == 2 * known.units
    assert total([known, unknown]).room == known.at_most + unknown.at_most


@pytest.mark.parametrize(
    ("text", "is_so"),
    [("No.", False), ("لا", True), ("„לא“", True), ("1 no لا", False), ("12.", False), ("", False)],
)
def test_the_first_letter_says_which_way_it_runs(text: str, is_so: bool):
    assert is_right_to_left(text) is is_so


@pytest.mark.parametrize(
    ("text", "is_so"), [("No.", False), ("Нет", False), ("學", False), ("لا", True), ("नहीं", True)]
)
def test_which_scripts_need_room(text: str, is_so: bool):
    assert is_tall(text) is is_so
