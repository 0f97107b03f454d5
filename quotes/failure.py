"""Reports of exceptions: the type, the place, and the message with everything confidential removed."""

import datetime as dt
import hashlib
import json
import sys
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePath
from types import TracebackType

from quotes.redaction import redacted

LONGEST_TEXT = 2000  # characters of the exception's message
LONGEST_CAUSES, CHAIN = 500, 4  # characters of each cause's message; exceptions in total
FRAMES = 12  # innermost frames of each exception
LONGEST_NAME = 200  # characters of a place or a type


@dataclass(frozen=True)
class Failure:
    """Describe an exception, safe to send.

    Attributes:
        route: The URI template, or the function, that failed.
        kind: The exception's type.
        exception: The type and the redacted message.
        traceback: The lines of the traceback, the cause first.
        fingerprint: The same for failures of the same type in the same place, whatever their messages.
    """

    route: str
    kind: str
    exception: str
    traceback: tuple[str, ...]
    fingerprint: str

    def message(self, *, time: float, stage: str, request_id: str, repeated: int) -> str:
        """Return the message as JSON: at most 100 KB, of the 256 KB that SNS accepts (API reference, Publish).

        Args:
            time: The time of the failure, in seconds since 1970.
            stage: The stage's name.
            request_id: Lambda's id of the invocation; empty while the function is starting.
            repeated: How often the same failure recurred since the last message about it.
        """
        told = {
            "time": dt.datetime.fromtimestamp(time, dt.UTC).isoformat(timespec="milliseconds"),
            "stage": stage,
            "request_id": request_id or None,
            "route": self.route,
            "exception": self.exception,
            "traceback": list(self.traceback),
            "repeated": repeated,
        }
        return json.dumps(told, ensure_ascii=False, indent=2)

    def subject(self, function: str) -> str:
        """Return the email subject: ASCII, fewer than 100 characters (Amazon SNS API reference, Publish)."""
        text = f"{function}: {self.kind} in {self.route}"
        return "".join(letter for letter in text if letter.isascii() and letter.isprintable())[:99]


def described(error: BaseException, route: str, secrets: Iterable[str] = ()) -> Failure:
    """Describe an exception.

    Args:
        error: The exception.
        route: The URI template, or the function, that failed.
        secrets: Values that must not appear.
    """
    secrets, route = tuple(secrets), route.encode(errors="replace").decode()[:LONGEST_NAME]
    chain = list(_chain(error))
    # Only the innermost frame counts: the path to it may differ, for example on an instance's first request.
    same = json.dumps([route, [(_kind(each), list(_places(each.__traceback__))[-1:]) for each in chain]])
    return Failure(
        route,
        _kind(error),
        _told(error, secrets, LONGEST_TEXT),
        tuple(shortened(error, secrets)),
        hashlib.sha256(same.encode()).hexdigest()[:16],
    )


def shortened(error: BaseException, secrets: Iterable[str] = ()) -> list[str]:
    """Return the lines of an exception's traceback, the cause first: places and redacted messages, no source code.

    Args:
        error: The exception.
        secrets: Values that must not appear.
    """
    lines: list[str] = []
    for each in reversed(list(_chain(error))):
        where = list(_places(each.__traceback__))
        lines += ["…"] if len(where) > FRAMES else []
        lines += where[-FRAMES:]
        lines.append(_told(each, secrets, LONGEST_CAUSES))
    return lines


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and its causes or contexts, by Python's rules."""
    following: BaseException | None = error
    seen: set[int] = set()
    while following is not None and id(following) not in seen and len(seen) < CHAIN:
        seen.add(id(following))
        yield following
        following = following.__cause__ or (None if following.__suppress_context__ else following.__context__)


def _places(trace: TracebackType | None) -> Iterator[str]:
    for frame, line in traceback.walk_tb(trace):
        place = f"{_short(frame.f_code.co_filename)}:{line} {frame.f_code.co_qualname}"
        yield place.encode(errors="replace").decode()[:LONGEST_NAME]


def _short(filename: str) -> str:
    """Return a file's path relative to the `sys.path` entry it was imported from."""
    roots = [root for root in sys.path if root and filename.startswith(f"{root}/")]
    return filename[len(max(roots, key=len)) + 1 :] if roots else PurePath(filename).name


def _kind(error: BaseException) -> str:
    kind = type(error)
    name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return name[:LONGEST_NAME]


def _told(error: BaseException, secrets: Iterable[str], longest: int) -> str:
    try:
        text = str(error)
    except BaseException:  # noqa: BLE001  # whatever an exception's own code raises
        text = "(it cannot be written as text)"
    text = redacted(text, secrets, longest)
    return f"{_kind(error)}: {text}" if text else _kind(error)
