"""What nobody may read in a message: numbers, codes, tokens, keys, queries; words, types and days stay."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotes.redaction import redacted

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJtZSJ9.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("GET /subscribe?mobile=919028012345&otp=123456 failed", "GET /subscribe?[query] failed"),
        ("mobile=919028012345&otp=abcdef", "mobile=[hidden]&otp=[hidden]"),
        ("to +91 90280-12345, or (91) 90280 12345", "to [number], or ([number]"),
        ("٠٩٨٧٦٥٤٣٢١ is Arabic", "[number] is Arabic"),
        ("on 2026-11-21 the code was 482913", "on 2026-11-21 the code was [number]"),
        ("+91 2026-11-21 is no day", "[number] is no day"),
        ("postgresql://me:pass@host/quotes?sslmode=require", "postgresql://[user]@host/quotes?[query]"),
        ("{'Authorization': 'Bearer abc', 'x-api-key': 'k'}", "{'Authorization': [hidden], 'x-api-key': [hidden]}"),
        ("Authorization: Custom a b c\nHost: here", "Authorization: [hidden]\nHost: here"),
        ("Set-Cookie: a=b; c=d\nHost: here", "Set-Cookie: [hidden]\nHost: here"),
        ("[('x-api-key', 'k'), ('Authorization', 'abc')]", "[('x-api-key', [hidden]), ('Authorization', [hidden])]"),
        ("the token, which is old", "the token, which is old"),
        ("asked /?key=my%20own%20secret or my+own%20secret", "asked /?[query] or my+own%20secret"),
        ("failed for my%20own%20secret and my+own+secret", "failed for [secret] and [secret]"),
        ("sent Bearer abc def", "sent Bearer [token]"),
        ("X-Mashape-Key=abc, X-RapidAPI-Key: def", "X-Mashape-Key=[hidden], X-RapidAPI-Key: [hidden]"),
        ('"client_secret": "s"', '"client_secret": [hidden]'),
        (f"the token {JWT} is bad", "the token [token] is bad"),
        ("key AKIAIOSFODNN7EXAMPLE", "key [token]"),
        ("-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY----- x", "[key] x"),
        ("it was my own secret", "it was [secret]"),
        ("my own, and abc", "my own, and abc"),
        ("half \ud83d of it", "half ? of it"),
        ("SNS refuses publish: InternalFailure.", "SNS refuses publish: InternalFailure."),
        (
            "quotes.errors.SettingError: DATABASE_URL: none of s3://",
            "quotes.errors.SettingError: DATABASE_URL: none of s3://",
        ),
        ("404 and KeyError('mobile')", "404 and KeyError('mobile')"),
    ],
)
def test_what_is_left_of_a_text(text: str, left: str):
    assert redacted(text, ["my own secret", "my own secret, longer", "abc"[:3]]) == left


def test_a_text_is_cut_and_the_half_of_something_goes_with_the_rest():
    text = "word " * 786 + "1" * 3 + "x" * 6 + " " + "word " * 5000

    assert redacted("é" * 5000, longest=10) == "é" * 10 + "…"
    assert redacted(text, longest=4000) == ("word " * 786)[:-1] + "…"
    assert redacted("four", longest=4) == "four"


separators = st.sampled_from(["", " ", "-", ".", "/", ") ", "\u2011", "\u00a0"])


@given(st.text(), st.lists(st.tuples(st.sampled_from("0123456789"), separators), min_size=6, max_size=15), st.text())
def test_no_number_gets_through_however_it_is_written(before, number, after):
    digits = "".join(digit for digit, _ in number)
    written = "".join(digit + separator for digit, separator in number[:-1]) + number[-1][0]

    left = redacted(f"{before} +{written} {after}")

    assert written not in left or written in before + after
    assert digits not in left or digits in before + after


@given(st.text(max_size=50), st.text(min_size=4, max_size=40), st.text(max_size=50))
def test_no_secret_gets_through(before, secret, after):
    assert secret not in redacted(f"{before}{secret}{after}", [secret]).replace("[secret]", "\x00")
