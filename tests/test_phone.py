"""Mobile numbers: what is taken, in which forms, and what is refused without repeating it."""

import phonenumbers
import pytest

from quotes.errors import ParameterError
from quotes.phone import REGIONS, e164, masked

WRONG = (
    "The parameter 'mobile' is not a mobile number; "
    "write it with its country code, such as 919028012345 or +919028012345."
)


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("919028012345", "+919028012345"),
        ("+919028012345", "+919028012345"),
        ("+91 90280 12345", "+919028012345"),
        ("91-90280-12345", "+919028012345"),
        ("+44 (0)7400 123456", "+447400123456"),
        ("447400123456", "+447400123456"),
        ("+33 6 12 34 56 78", "+33612345678"),
        ("+1 415.555.2671", "+14155552671"),
        ("8615012345678", "+8615012345678"),
    ],
)
def test_a_mobile_number_is_read_as_people_write_it(written: str, number: str):
    assert e164(written) == number


@pytest.mark.parametrize(
    "written",
    [
        pytest.param("91902801234", id="short"),
        pytest.param("9190280123456", id="long"),
        pytest.param("9", id="one digit"),
        pytest.param("+", id="no digit"),
        pytest.param("9028012345", id="without country code"),
        pytest.param("00919028012345", id="with an exit code"),
        pytest.param("999123456789", id="no such country"),
        pytest.param("911234567890", id="no such number"),
        pytest.param("+442071838750", id="fixed line"),
        pytest.param("+919001", id="short code"),
        pytest.param("+911800123456", id="toll-free"),
        pytest.param("+19005550123", id="premium"),
        pytest.param("+33891234567", id="shared cost"),
        pytest.param("+80012345678", id="international toll-free"),
        pytest.param("+919028XXXXXX", id="letters"),
        pytest.param("+9190280 12345 ext. 5", id="extension"),
        pytest.param("tel:+919028012345", id="URI"),
        pytest.param("++919028012345", id="two plus signs"),
        pytest.param(
            "\u0669\u0661\u0669\u0660\u0662\u0668\u0660\u0661\u0662\u0663\u0664\u0665", id="Arabic-Indic digits"
        ),
        pytest.param("\uff0b\uff19\uff11\uff19\uff10\uff12\uff18\uff10\uff11\uff12\uff13\uff14\uff15", id="fullwidth"),
        pytest.param("9" * 200, id="enormous"),
    ],
)
def test_what_is_no_mobile_number_is_refused_with_a_right_one_and_not_repeated(written: str):
    with pytest.raises(ParameterError) as refusal:
        e164(written)

    assert (refusal.value.name, str(refusal.value)) == ("mobile", WRONG)


@pytest.mark.parametrize(
    ("written", "country"), [("919028012345", "IN"), ("14155552671", "US"), ("447400123456", "GB")]
)
def test_only_numbers_of_the_countries_that_are_listed_are_taken(written: str, country: str):
    others = frozenset({"IN", "US", "GB"} - {country})

    assert e164(written, frozenset({country})) == f"+{written}"
    with pytest.raises(ParameterError) as refusal:
        e164(written, others)
    assert str(refusal.value) == (
        f"The parameter 'mobile' is in a country that is not served here; served are: {', '.join(sorted(others))}."
    )


def test_a_number_shown_in_a_log_lacks_most_of_its_digits():
    assert masked("+919028012345") == "+91…45"


def test_the_regions_are_those_that_the_library_knows():
    assert set(phonenumbers.SUPPORTED_REGIONS) == REGIONS
