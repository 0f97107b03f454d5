"""The upstream's wire format: whatever it answers is read as quotes or as a typed error."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quotes.errors import UpstreamError, UpstreamFailed, UpstreamLimited, UpstreamRefused, UpstreamRubbish
from quotes.mashape import LONGEST_NAME, LONGEST_QUOTE, read_answer
from quotes.quote import Quote
from tests.stub_upstream import RUBBISH, entry

OK = {"content-type": "application/json"}


def of(number: int) -> Quote:
    return Quote(**entry(number))


def test_a_list_is_read_in_its_order() -> None:
    assert read_answer(200, OK, json.dumps([entry(2), entry(1)]).encode()) == [of(2), of(1)]


def test_a_single_object_is_a_list_of_one() -> None:
    assert read_answer(200, OK, json.dumps(entry(1)).encode()) == [of(1)]


def test_an_upstream_knows_neither_source_nor_id() -> None:
    boasting = entry(1) | {"source": "Hamlet", "id": "c9026b5e"}
    assert read_answer(200, OK, json.dumps(boasting).encode()) == [of(1)]


@pytest.mark.parametrize("name", ["quote", "author", "category"])
@pytest.mark.parametrize("value", [None, "", " \n", 7, ["x"], "\0"], ids=repr)
def test_an_entry_with_an_unusable_field_is_left_out(name: str, value: object) -> None:
    assert read_answer(200, OK, json.dumps([entry(1) | {name: value}, entry(2)]).encode()) == [of(2)]


@pytest.mark.parametrize(
    ("name", "longest"), [("quote", LONGEST_QUOTE), ("author", LONGEST_NAME), ("category", LONGEST_NAME)]
)
def test_an_entry_with_an_over_long_field_is_left_out(name: str, longest: int) -> None:
    at_most, too_long = (entry(1) | {name: "x" * length} for length in (longest, longest + 1))
    assert read_answer(200, OK, json.dumps([too_long, at_most]).encode()) == [Quote(**at_most)]


@pytest.mark.parametrize("dirt", ["\0", "\x1b", "\r\n", "\u2028", "\u2029", "\ud800", "\x85", "  \t "], ids=ascii)
def test_what_no_line_of_text_may_hold_becomes_a_space(dirt: str) -> None:
    dirty = entry(1) | {"quote": f"{dirt}To be,{dirt}or not{dirt}"}
    assert read_answer(200, OK, json.dumps(dirty).encode()) == [of(1)._replace(quote="To be, or not")]


@pytest.mark.parametrize("rubbish", RUBBISH.values(), ids=RUBBISH)
def test_rubbish_is_told_as_such(rubbish: bytes) -> None:
    with pytest.raises(UpstreamRubbish):
        read_answer(200, OK, rubbish)


def test_a_compressed_answer_is_rubbish_for_nobody_asked_for_it() -> None:
    with pytest.raises(UpstreamRubbish, match="compressed"):
        read_answer(200, OK | {"content-encoding": "gzip"}, json.dumps(entry(1)).encode())


@pytest.mark.parametrize(
    ("code", "error", "text"),
    [
        (401, UpstreamRefused, "it refused the key (HTTP 401); check X_Mashape_Key"),
        (403, UpstreamRefused, "it refused the key (HTTP 403); check X_Mashape_Key"),
        (429, UpstreamLimited, "its quota is used up (HTTP 429)"),
        (302, UpstreamFailed, "it answered HTTP 302"),
        (404, UpstreamFailed, "it answered HTTP 404"),
        (500, UpstreamFailed, "it answered HTTP 500"),
        (503, UpstreamFailed, "it answered HTTP 503"),
    ],
)
def test_a_status_is_told_whatever_the_body_holds(code: int, error: type[UpstreamError], text: str) -> None:
    with pytest.raises(UpstreamError) as raised:
        read_answer(code, OK, json.dumps(entry(1)).encode())
    assert (type(raised.value), str(raised.value)) == (error, text)


_json = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(Quote._fields) | st.text(), inner),
    max_leaves=20,
)
_entries = st.lists(st.fixed_dictionaries({name: st.text(st.characters()) for name in Quote._fields[:3]}))


@given(
    code=st.just(200) | st.integers(),
    headers=st.dictionaries(st.sampled_from(["content-type", "content-encoding"]), st.text()),
    content=st.binary() | (_json | _entries).map(json.dumps).map(str.encode),
)
@settings(deadline=None, max_examples=300)
def test_whatever_comes_is_clean_quotes_or_an_upstream_error(
    code: int, headers: dict[str, str], content: bytes
) -> None:
    try:
        quotes = read_answer(code, headers, content)
    except UpstreamError:
        return
    assert quotes
    for quote in quotes:
        texts, rest = quote[:3], quote[3:]
        assert rest == (None, None)
        assert all(text == " ".join(text.split()) and text.encode() and "\0" not in text for text in texts)
