"""Request parameters: decoded strictly, validated, and rejected with an error that names them."""

import datetime as dt
import functools
import json
import re
import unicodedata
from collections.abc import Collection, Mapping
from types import MappingProxyType
from urllib.parse import unquote_to_bytes

from quotes.corpus import Filters
from quotes.errors import ParameterError

LONGEST = 200  # characters
LONGEST_QUOTE = 999_999_999  # characters; the upper bound of min_length and max_length
MOST_AT_ONCE = 50  # quotes

_DIGITS = re.compile(r"[0-9]{1,9}")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def read(query_string: str, known: frozenset[str]) -> Mapping[str, str]:
    """Parse a query string or a URL-encoded form, ignoring unknown parameters.

    Args:
        query_string: Percent-encoded text as in WSGI, where other bytes appear as Latin-1 (PEP 3333).
        known: The parameters that the resource understands.

    Raises:
        ParameterError: A known parameter is repeated, empty, longer than `LONGEST`, not UTF-8, or contains control
            characters.
    """
    found: dict[str, str] = {}
    for pair in query_string.split("&") if query_string else ():
        raw_name, _, raw_value = pair.partition("=")
        name = _bytes(raw_name).decode("utf-8", "replace")
        if name not in known:
            continue
        if name in found:
            raise ParameterError(name, "is given twice")
        try:
            value = _bytes(raw_value).decode("utf-8")
        except UnicodeDecodeError as error:
            raise ParameterError(name, "is not UTF-8") from error
        found[name] = checked(name, value)
    return MappingProxyType(found)


parse = functools.lru_cache(maxsize=512)(read)  # most requests have one of a few query strings


def read_json(text: bytes, known: frozenset[str]) -> Mapping[str, str]:
    """Parse a JSON object by the rules of `read`, ignoring unknown members.

    Args:
        text: The JSON text.
        known: The members that the resource understands; each has to be a string.

    Raises:
        ParameterError: As `read`; also if a known member is not a string, or the text is not a JSON object.
    """

    def members(pairs: list[tuple[str, object]]) -> dict[str, object]:
        names = [name for name, _ in pairs]
        for name in known:
            if names.count(name) > 1:
                raise ParameterError(name, "is given twice")
        return dict(pairs)

    try:
        given = json.loads(text, object_pairs_hook=members)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise ParameterError("body", "is not a JSON object")
    found = {}
    for name in known & given.keys():
        value = given[name]
        if not isinstance(value, str):
            raise ParameterError(name, "is not a string")
        found[name] = checked(name, value)
    return MappingProxyType(found)


def checked(name: str, value: str) -> str:
    """Return a parameter's value unchanged if it is valid.

    Raises:
        ParameterError: The value was not UTF-8, contains control characters, is blank, or is longer than `LONGEST`.
    """
    if "\N{REPLACEMENT CHARACTER}" in value:  # API Gateway substitutes it for invalid bytes
        raise ParameterError(name, "is not UTF-8")
    if any(unicodedata.category(char) in ("Cc", "Cs") for char in value):
        raise ParameterError(name, "holds control characters")
    if not value.strip():
        raise ParameterError(name, "is empty")
    if len(value) > LONGEST:
        raise ParameterError(name, f"is longer than {LONGEST} characters")
    return value


def text(parameters: Mapping[str, str], name: str) -> str | None:
    """Return a free-text parameter without surrounding spaces, or None if it is absent."""
    value = parameters.get(name)
    return None if value is None else value.strip()


def required(parameters: Mapping[str, str], name: str) -> str:
    """Return a mandatory free-text parameter.

    Raises:
        ParameterError: The parameter is absent.
    """
    value = text(parameters, name)
    if value is None:
        raise ParameterError(name, "is missing")
    return value


def choice(parameters: Mapping[str, str], name: str, choices: Collection[str]) -> str | None:
    """Return a parameter that has to be one of `choices`, or None if it is absent.

    Raises:
        ParameterError: The value is none of the choices.
    """
    value = parameters.get(name)
    if value is not None and value not in choices:
        raise ParameterError(name, f"is none of {', '.join(choices)}")
    return value


def integer(parameters: Mapping[str, str], name: str, lowest: int, highest: int) -> int | None:
    """Return a parameter as an integer, or None if it is absent.

    Raises:
        ParameterError: The value is not written in ASCII digits, or is out of range.
    """
    value = parameters.get(name)
    if value is None:
        return None
    if not _DIGITS.fullmatch(value) or not lowest <= int(value) <= highest:
        raise ParameterError(name, f"is not a whole number from {lowest} to {highest}")
    return int(value)


def count(parameters: Mapping[str, str]) -> int | None:
    """Return `count`, the number of quotes requested, or None if it is absent.

    Raises:
        ParameterError: The value is not an integer from 1 to `MOST_AT_ONCE`.
    """
    return integer(parameters, "count", 1, MOST_AT_ONCE)


def filters(parameters: Mapping[str, str]) -> Filters:
    """Return the filters of a random quote.

    Raises:
        ParameterError: A length is not an integer from 0 to `LONGEST_QUOTE`.
    """
    return Filters(
        text(parameters, "author"),
        text(parameters, "category"),
        integer(parameters, "min_length", 0, LONGEST_QUOTE),
        integer(parameters, "max_length", 0, LONGEST_QUOTE),
    )


def day(parameters: Mapping[str, str], name: str, today: dt.date) -> dt.date:
    """Return a parameter, which has to be present, as a day no later than `today`.

    Raises:
        ParameterError: The value is not a calendar day written as YYYY-MM-DD, or lies after `today`.
    """
    value = parameters[name]
    try:
        found = dt.date.fromisoformat(value) if _DAY.fullmatch(value) else None
    except ValueError:
        found = None
    if found is None:
        raise ParameterError(name, "is not a calendar day written as YYYY-MM-DD")
    if found > today:
        raise ParameterError(name, f"lies in the future; today is {today}")
    return found


def _bytes(raw: str) -> bytes:
    return unquote_to_bytes(raw.replace("+", " ").encode("latin-1"))
