"""Query parameters, read strictly."""

import datetime as dt
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quotes import parameters
from quotes.errors import ParameterError

KNOWN = frozenset({"author", "count"})
TODAY = dt.date(2026, 11, 21)

CHARACTERS = st.characters(codec="utf-8", exclude_categories=["Cc"], exclude_characters="\N{REPLACEMENT CHARACTER}")
READABLE = st.text(CHARACTERS, max_size=100).filter(str.strip)
OTHER_DIGITS = st.characters(categories=["Nd", "Nl", "No"], exclude_characters="0123456789")


@pytest.mark.parametrize(
    ("query_string", "found"),
    [
        ("", {}),
        ("author=Jane+Austen&count=2", {"author": "Jane Austen", "count": "2"}),
        ("%61uthor=%20Jane%20Austen%20&count=+2", {"author": " Jane Austen ", "count": " 2"}),
        ("author=a=b", {"author": "a=b"}),
        ("author=100%", {"author": "100%"}),
        ("author=Bront%C3%AB", {"author": "Brontë"}),
        ("author=Bront\xc3\xab", {"author": "Brontë"}),  # raw bytes, as WSGI hands them on (PEP 3333)
        ("author=" + 200 * "%C3%AB", {"author": 200 * "ë"}),
        ("other=1&other=%FF&other", {}),
        ("&&=&%FF=1", {}),
    ],
)
def test_known_parameters_are_read_and_others_ignored(query_string: str, found: dict[str, str]):
    assert parameters.parse(query_string, KNOWN) == found


@pytest.mark.parametrize(
    ("query_string", "message"),
    [
        ("author=a&author=a", "The parameter 'author' is given twice."),
        ("author", "The parameter 'author' is empty."),
        ("count=1&author=+", "The parameter 'author' is empty."),
        ("author=" + 201 * "%C3%AB", "The parameter 'author' is longer than 200 characters."),
        ("author=\xff", "The parameter 'author' is not UTF-8."),
        ("author=%FF", "The parameter 'author' is not UTF-8."),
        ("author=Bront%EF%BF%BD", "The parameter 'author' is not UTF-8."),  # as API Gateway hands %FF on
        ("author=a%1Bb", "The parameter 'author' holds control characters."),
    ],
)
def test_a_known_parameter_that_cannot_be_read_is_refused_by_name(query_string: str, message: str):
    with pytest.raises(ParameterError) as refusal:
        parameters.parse(query_string, KNOWN)

    assert (refusal.value.name, str(refusal.value)) == ("author", message)


@given(READABLE, READABLE)
@settings(deadline=None)
def test_what_was_encoded_is_read_back(author: str, count: str):
    given_ = {"author": author, "count": count}

    assert parameters.parse(urlencode(given_), KNOWN) == given_
    assert parameters.parse(urlencode(given_, quote_via=quote), KNOWN) == given_


@given(st.text(st.characters(codec="latin-1")) | st.text("authorcn%&=+0123456789ABCDEF"))
@settings(deadline=None)
def test_any_query_string_is_read_or_refused_by_name(query_string: str):
    try:
        found = parameters.parse(query_string, KNOWN)
    except ParameterError as refusal:
        found = {refusal.name: "refused"}

    assert found.keys() <= KNOWN
    assert all(1 <= len(value) <= 200 for value in found.values())


def test_a_text_is_read_without_spaces_around_it():
    assert parameters.text({"author": "\u00a0 Jane Austen "}, "author") == "Jane Austen"
    assert parameters.text({}, "author") is None


@given(st.integers(0, 999_999_999))
@settings(deadline=None)
def test_a_whole_number_is_read(number: int):
    assert parameters.integer({"count": str(number)}, "count", 0, 999_999_999) == number


def test_a_number_that_is_not_given_is_none():
    assert parameters.integer({}, "count", 1, 50) is None


@pytest.mark.parametrize("value", ["0", "51", "-1", "+1", "1.0", "1e1", "1_0", " 1", "1\n", "0x1", "one", 10 * "1"])
def test_what_is_no_whole_number_in_the_range_is_refused(value: str):
    with pytest.raises(ParameterError, match=r"^The parameter 'count' is not a whole number from 1 to 50\.$"):
        parameters.integer({"count": value}, "count", 1, 50)


@given(st.text("12345", max_size=3), OTHER_DIGITS, st.text("12345", max_size=3))
@settings(deadline=None)
def test_digits_of_other_scripts_are_refused(before: str, digit: str, after: str):
    with pytest.raises(ParameterError):
        parameters.integer({"count": before + digit + after}, "count", 0, 999_999_999)


@given(st.dates(max_value=TODAY))
@settings(deadline=None)
def test_a_day_that_has_come_is_read(day: dt.date):
    assert parameters.day({"date": day.isoformat()}, "date", TODAY) == day


@given(st.dates(min_value=TODAY + dt.timedelta(days=1)))
@settings(deadline=None)
def test_a_day_that_has_not_come_is_refused(day: dt.date):
    with pytest.raises(ParameterError, match=r"^The parameter 'date' lies in the future; today is 2026-11-21\.$"):
        parameters.day({"date": day.isoformat()}, "date", TODAY)


@pytest.mark.parametrize(
    "value", ["2025-02-29", "2026-00-01", " 2026-11-20", "0000-01-01", "2026-1-1", "20261120", "2026-11-20\n"]
)
def test_what_is_no_calendar_day_is_refused(value: str):
    with pytest.raises(ParameterError, match=r"^The parameter 'date' is not a calendar day written as YYYY-MM-DD\.$"):
        parameters.day({"date": value}, "date", TODAY)


@given(st.text("2026", max_size=3), OTHER_DIGITS)
@settings(deadline=None)
def test_a_day_in_digits_of_other_scripts_is_refused(before: str, digit: str):
    with pytest.raises(ParameterError):
        parameters.day({"date": f"{(before + digit):0<4.4}-11-20"}, "date", TODAY)
