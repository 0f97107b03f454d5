"""Parse the values of settings: each function takes a variable's text and returns it in the form the service uses.

Each raises a ValueError that says what is wrong and what a right value looks like, and never contains a secret.
"""

import datetime as dt
import ipaddress
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from quotes.phone import REGIONS

DATABASE_SCHEMES = ("sqlite", "s3", "postgresql", "cockroachdb")
SHORTEST_SECRET = 32  # characters
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def text(value: str) -> str:
    """Return a value that is printable ASCII."""
    if not (value.isascii() and value.isprintable()):
        raise ValueError("holds characters other than printable ASCII")
    return value


def _split(url: str) -> SplitResult:
    """Split a URL; the error gives no details, because the URL may hold a password."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  # urllib checks it on access
    except ValueError:
        raise ValueError("is not a URL; '/', ':', '@', '[' and ']' in a password have to be percent-encoded") from None
    return parts


def http_url(value: str) -> str:
    """Return a URL of HTTP or HTTPS."""
    parts = _split(text(value))
    if parts.scheme not in ("http", "https") or not parts.hostname or " " in value:
        raise ValueError("is not an http:// or https:// URL")
    return value


def database_url(value: str) -> str:
    """Return a URL that `database.py` understands."""
    parts = _split(value)
    if parts.scheme not in DATABASE_SCHEMES:
        raise ValueError(f"starts with none of {', '.join(f'{scheme}://' for scheme in DATABASE_SCHEMES)}")
    if "\0" in unquote(value):
        raise ValueError("holds a NUL")
    if parts.scheme == "s3" and not (parts.netloc and parts.path.strip("/")):
        raise ValueError("needs a bucket and a key: s3://bucket/quotes.db")
    if parts.scheme == "sqlite" and (parts.netloc or parts.path in ("", "/", "/:memory:")):
        raise ValueError("needs a file: sqlite:///quotes.db (relative) or sqlite:////srv/quotes.db (absolute)")
    if parts.scheme not in ("sqlite", "s3") and not (parts.hostname or parts.query) or not parts.path.strip("/"):
        raise ValueError(f"needs a host and a database name: {parts.scheme}://user:password@host/name")
    return value


def timezone(value: str) -> dt.tzinfo:
    """Return the time zone with an IANA name."""
    if value.upper() == "UTC":
        return dt.UTC
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{value!r} is not an IANA time zone such as Asia/Kolkata") from error


def corpus(value: str) -> Path:
    """Return the path of a library that exists."""
    path = Path(value)
    if path.suffix not in (".jsonl", ".sqlite3"):
        raise ValueError("is neither a .jsonl file nor a .sqlite3 file built from one")
    if not path.is_file():
        raise ValueError(f"there is no file {value}")
    return path


def corpus_to_make(value: str) -> Path:
    """Return the path of a library that `import` may create."""
    path = Path(value)
    if path.suffix != ".jsonl":
        raise ValueError(f"is no .jsonl file to import into: {value}")
    return path


def log_level(value: str) -> str:
    """Return the name of a log level, in upper case."""
    if value.upper() not in LOG_LEVELS:
        raise ValueError(f"is none of {', '.join(LOG_LEVELS)}")
    return value.upper()


def switch(value: str) -> bool:
    """Return whether a switch is on."""
    if value not in ("0", "1"):
        raise ValueError("is neither 0 nor 1")
    return value == "1"


def port(value: str) -> int:
    """Return the number of a port."""
    if not (value.isascii() and value.isdigit()) or not 1 <= int(value) <= 65535:
        raise ValueError("is not a port number between 1 and 65535")
    return int(value)


def host(value: str) -> str:
    """Return an address or a name as it stands before a port."""
    bare = value[1:-1] if value.startswith("[") and value.endswith("]") else value
    try:
        return f"[{bare}]" if ipaddress.ip_address(bare).version == 6 else bare
    except ValueError:
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,253}", value):
            raise ValueError("is not an address or the name of a host, such as 127.0.0.1, ::1 or localhost") from None
    return value


def one_of(choices: tuple[str, ...]) -> Callable[[str], str]:
    """Return a function that accepts only certain words."""

    def parse(value: str) -> str:
        if value not in choices:
            raise ValueError(f"is none of {', '.join(choices)}")
        return value

    return parse


def secret(value: str) -> str:
    """Return a secret that is long enough to be one."""
    if len(text(value)) < SHORTEST_SECRET:
        raise ValueError(f"needs at least {SHORTEST_SECRET} characters, such as `openssl rand -hex 32` prints")
    return value


def _matching(pattern: str, right: str) -> Callable[[str], str]:
    """Return a function that accepts what matches a pattern; `right` describes it."""

    def parse(value: str) -> str:
        if not re.fullmatch(pattern, value, re.ASCII):
            raise ValueError(f"is not {right}")
        return value

    return parse


# Amazon SNS API reference, CreateTopic; AWS Lambda API reference, Invoke; only the forms that occur here.
topic = _matching(r"[\w-]{1,256}", "a name of a topic: letters, digits, - and _")
region = _matching(r"[a-z]{2}(-[a-z]+)+-[0-9]{1,2}", "a region of AWS such as us-east-1")
function = _matching(r"[\w:-]{1,170}", "a name of a Lambda function, or its ARN")


def countries(value: str) -> frozenset[str]:
    """Return the ISO 3166-1 codes in a list separated by commas."""
    codes = frozenset(code.strip().upper() for code in value.split(","))
    unknown = sorted(codes - REGIONS)
    if unknown:
        raise ValueError(f"{unknown[0]!r} is not an ISO 3166-1 code; write them like IN,US,GB")
    return codes


def public_url(value: str) -> str:
    """Return a URL that paths can be appended to."""
    parts = _split(http_url(value))
    if parts.query or parts.fragment:
        raise ValueError("ends with a query or a fragment; it is where the paths are appended")
    return value.rstrip("/")
