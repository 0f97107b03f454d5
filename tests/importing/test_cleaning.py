"""Texts are cleaned once and for all, and doubles have one fingerprint."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotes.importing.cleaning import clean, clean_author, clean_quote, fingerprint


@pytest.mark.parametrize(
    ("found", "quote"),
    [
        (" a\tb \r\n c\xa0d ", "a b c d"),
        ("Tom &amp;amp; Jerry &lt;b&gt; &#8217;&#x2014;&nbsp;x", "Tom & Jerry <b> ’— x"),
        ("AT&T &c. & so on", "AT&T &c. & so on"),
        ("a\u200bb\ufeff\u202ec\0d\x08\u00ad", "abcd"),
        ("cafe\u0301", "café"),
        ("می\u200cخواهم 👩\u200d💻 a\u200db", "می\u200cخواهم 👩\u200d💻 ab"),
        ('"Be kind."', "Be kind."),
        ("“Be kind.", "Be kind."),
        ('Be kind."', "Be kind."),
        ("“A” and “B”", "“A” and “B”"),
        ("'Tis so", "'Tis so"),
        ("&" + "amp;" * 100_000 + "lt;", "<"),
        ("&#0;&#xD800;&#99999999;", "&#99999999;"),
    ],
)
def test_a_quote_is_cleaned(found: str, quote: str):
    assert clean_quote(found) == quote


def test_an_author_loses_the_dash_before_and_the_comma_after():
    found = ["— Oscar Wilde,", "-- Wilde", "“Wilde”", '"Weird Al" Yankovic']
    assert [clean_author(author) for author in found] == ["Oscar Wilde", "Wilde", "Wilde", '"Weird Al" Yankovic']


@given(st.text())
def test_what_is_clean_stays_as_it_is(text: str):
    assert clean_quote(clean_quote(text)) == clean_quote(text)
    assert clean_author(clean_author(text)) == clean_author(text)
    assert clean(clean(text)) == clean(text)


def test_case_punctuation_and_marks_make_no_difference_but_words_and_vowel_signs_do():
    assert (
        len(
            {
                fingerprint(text)
                for text in ("Don't panic!", "“DON’T  panic…”", "Don´t panic", "don`t panic", "Donʼt panic")
            }
        )
        == 1
    )
    assert len({fingerprint(text) for text in ("कि", "की", "C", "C+", "?", "!")}) == 6
