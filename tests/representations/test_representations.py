"""A quote as JSON and as text, byte for byte."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from quotes.quote import Quote
from quotes.representations import JSON, MEDIA_TYPES, TEXT, represent, represent_many

QUOTE = Quote("I am no bird.", "Charlotte Brontë", "Freedom", "Jane Eyre, Chapter XXIII (1847)", "j1")
UNKNOWN = Quote('Say "no".', "Anon", "Courage")

WORDS = st.text(st.characters(codec="utf-8"), min_size=1)
QUOTES = st.builds(Quote, WORDS, WORDS, WORDS, st.none() | WORDS, st.none() | WORDS)


def test_a_quote_as_json_has_its_keys_in_order():
    assert represent(JSON, QUOTE).decode() == (
        '{"quote": "I am no bird.", "author": "Charlotte Brontë", "category": "Freedom",'
        ' "source": "Jane Eyre, Chapter XXIII (1847)", "id": "j1"}\n'
    )


def test_a_daily_quote_as_json_ends_with_its_date():
    assert represent(JSON, UNKNOWN, date="2026-11-21").decode() == (
        '{"quote": "Say \\"no\\".", "author": "Anon", "category": "Courage",'
        ' "source": null, "id": null, "date": "2026-11-21"}\n'
    )


def test_a_quote_as_text_is_the_quote_and_a_line_with_its_author():
    assert represent(TEXT, QUOTE, date="2026-11-21").decode() == "I am no bird.\n— Charlotte Brontë\n"


def test_several_quotes_as_json_are_an_array():
    assert represent_many(JSON, [QUOTE, UNKNOWN]) == (
        b"[" + represent(JSON, QUOTE).strip() + b", " + represent(JSON, UNKNOWN).strip() + b"]\n"
    )


def test_several_quotes_as_text_have_an_empty_line_between_them():
    assert represent_many(TEXT, [QUOTE, UNKNOWN]).decode() == (
        'I am no bird.\n— Charlotte Brontë\n\nSay "no".\n— Anon\n'
    )


def test_text_says_that_it_is_utf_8_and_json_needs_not():
    assert MEDIA_TYPES == {"json": "application/json", "text": "text/plain; charset=utf-8", "svg": "image/svg+xml"}


@given(st.lists(QUOTES, max_size=5))
@settings(deadline=None)
def test_json_loses_nothing(quotes: list[Quote]):
    assert [Quote(**entry) for entry in json.loads(represent_many(JSON, quotes))] == quotes
