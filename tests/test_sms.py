"""How long a text is, and how a quote is made to fit (3GPP TS 23.038, 23.040)."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotes.corpus import Corpus
from quotes.quote import Quote
from quotes.sms import code_text, daily_text, is_gsm, parts

SNOWMAN, OWL = "\N{SNOWMAN}", "\N{OWL}"  # UCS-2, of one unit and of two


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("@£$¥èéùìòÇ\nØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ ¤¡ÄÖÑÜ§¿äöñüà" * 3, 1),
        ("€" * 80, 1),
        ("€" * 80 + "a", 2),
        ("€" * 152, 2),
        ("€" * 153, 3),  # 76 a part, for none is divided
        ("a" * 152 + "€" + "a" * 151, 2),
        ("a" * 152 + "€" + "a" * 152, 3),
        (SNOWMAN * 70, 1),
        (SNOWMAN * 71, 2),
        (SNOWMAN * 134, 2),
        (SNOWMAN * 135, 3),
        ("a" * 69 + SNOWMAN, 1),
        ("a" * 70 + SNOWMAN, 2),
        (OWL * 35, 1),
        (OWL * 36, 2),
        (OWL * 66, 2),
        (OWL * 67, 3),  # 33 a part
        ("ê" + "a" * 69, 1),  # not in the alphabet, though é is
        ("ê" + "a" * 70, 2),
        ("`" + "a" * 70, 2),
        ("\t" + "a" * 70, 2),
        ("ç" + "a" * 70, 2),  # only as a capital
    ],
)
def test_parts_are_counted_as_a_phone_company_counts_them(text: str, count: int):
    assert parts(text) == count


@pytest.mark.parametrize(
    ("quote", "text"),
    [
        (Quote("Know thyself.", "Thales", "Self"), "Know thyself.\n- Thales"),
        (Quote("“It’s” – a ‘hard’ — life…", "A. B.", "Life"), "\"It's\" - a 'hard' - life...\n- A. B."),  # noqa: RUF001
        (Quote("Two\n lines\u00a0here", "C", "Life"), "Two lines here\n- C"),
        (Quote("Remorse — the “poison” of life.", "Charlotte Brontë", "Life"), None),
        (Quote("吾日三省吾身", "曾子", "Self"), "吾日三省吾身\n— 曾子"),
    ],
)
def test_a_quote_that_fits_is_sent_whole_with_plain_marks_where_that_is_cheaper(quote: Quote, text: str | None):
    assert daily_text(quote) == (text or f"{quote.quote}\n— {quote.author}")


@pytest.mark.parametrize(
    ("words", "author", "text"),
    [
        ("word " * 100, "Someone", "word " * 57 + "word...\n- Someone"),
        ("wörd ☃ " * 100, "Someone", "wörd ☃ " * 17 + "wörd…\n— Someone"),
        ("a, " + "word, " * 100, "Someone", "a, " + "word, " * 47 + "word...\n- Someone"),
        ("x" * 500, "Someone", "x" * 293 + "...\n- Someone"),
        ("A " + "字" * 500, "Someone", "A " + "字" * 121 + "…\n— Someone"),
        ("e\u0302" * 200, "Someone", "ê" * 123 + "…\n— Someone"),
        ("x\u0302" * 200, "Someone", "x\u0302" * 61 + "…\n— Someone"),
        (OWL * 200, "Someone", OWL * 61 + "…\n— Someone"),
        ("Short.", "Name " * 50, "Short.\n- " + "Name " * 10 + "Name..."),
    ],
    ids=["GSM", "UCS-2", "comma", "one word", "no spaces", "composed", "accents", "surrogates", "author"],
)
def test_what_does_not_fit_is_cut_at_a_word_with_an_ellipsis(words: str, author: str, text: str):
    assert daily_text(Quote(words, author, "Life")) == text


def test_every_quote_of_the_library_fits_and_names_its_author(corpus: Corpus):
    quotes = corpus.random(corpus.size)
    texts = [daily_text(quote) for quote in quotes]

    assert {parts(text) for text in texts} == {1, 2}
    assert [text.rpartition("\n")[2][2:] for text in texts] == [quote.author for quote in quotes]


WORDS = st.text(
    st.one_of(st.sampled_from("ab €ê\u0302☃🦉“— "), st.characters(exclude_categories=("Cs", "Cc"))),
    min_size=1,
    max_size=400,
).filter(str.strip)


@given(WORDS, WORDS)
def test_any_quote_fits_with_its_author_and_a_short_one_is_not_cut(words: str, author: str):
    text = daily_text(Quote(words, author, "Life"))
    quote, _, by = text.rpartition("\n")

    assert parts(text) <= 2
    assert quote
    assert re.fullmatch("[-—] .+", by)
    if len(words) <= 40 and len(author) <= 20:  # surely fits
        assert [text.count(char) for char in "ab☃🦉"] == [(words + author).count(char) for char in "ab☃🦉"]


@pytest.mark.parametrize("purpose", ["subscribe", "unsubscribe"])
def test_a_code_takes_one_part(purpose: str):
    text = code_text("012345", purpose, 10)

    assert (text[:6], is_gsm(text), parts(text)) == ("012345", True, 1)


def test_the_text_of_a_code_says_what_it_is_for():
    assert code_text("012345", "subscribe", 10) == (
        "012345 is your OTP to start the quote of the day by text. It is valid for 10 minutes. Not you? Ignore this."
    )
    assert "to stop the quote" in code_text("012345", "unsubscribe", 10)
