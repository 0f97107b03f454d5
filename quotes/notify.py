"""Unhandled exceptions, told to a topic on SNS: what Zappa and Falcon call when an error is nobody's.

Falcon answers the errors of its resources itself, so Zappa never hears of them: `problems.py` calls `tell`, Zappa and
the gateway call `unhandled_exceptions`. Off Lambda nothing is sent; the log has it in either case.
"""

import contextlib
import json
import logging
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from quotes.errors import Unauthorized
from quotes.failure import Failure, described
from quotes.settings import Instance

BUDGET = 0.9  # seconds that an answer may wait for all of it
BUDGET_OF_EVENTS = 5.0  # seconds, where nobody waits for an answer
CONNECT_TIMEOUT, READ_TIMEOUT = 1.0, 5.0  # seconds, of the thread that sends; the answer does not wait that long
QUIET = 300.0  # seconds in which a failure that was told is only counted
LEFT_ALONE = 30.0  # seconds, after SNS failed
KEPT = 100  # failures that are counted

log = logging.getLogger(__name__)


def unhandled_exceptions(exception: BaseException, event: Any, context: Any) -> bool:
    """Tell of an exception that ended an invocation, as Zappa's `exception_handler` (Zappa's README).

    Args:
        exception: What was raised.
        event: What the function was to handle.
        context: The invocation; None while the function starts.

    Returns:
        False: the exception is not dealt with, so Lambda tries the event again, and then keeps it as a dead letter.
    """
    if isinstance(exception, Unauthorized):  # the authorizer's answer to whoever has no right token
        return False
    with contextlib.suppress(Exception):
        is_request = not event or "httpMethod" in event
        tell(exception, route_of(event), context, BUDGET if is_request else BUDGET_OF_EVENTS)
    return False


def tell(error: BaseException, route: str, context: Any, budget: float = BUDGET) -> None:
    """Tell of an unhandled exception; it never raises, and off Lambda it does nothing.

    Args:
        error: The exception.
        route: The template of the path, or the function, that failed.
        context: The invocation, where there is one.
        budget: Most seconds that this may take.
    """
    try:
        instance = Instance.of_function()
        if instance:
            _notifier(instance).tell(error, route, str(getattr(context, "aws_request_id", "") or ""), budget)
    except Exception:
        log.exception("An unhandled exception could not be told.")


class Notifier:
    """Tell of failures, each once in five minutes; those in between are counted, and the next message has the count.

    An instance knows of its own failures only: ten instances may tell of the same one ten times. What it told is kept
    in a file, for after a start that failed Lambda starts the process anew, and that for every request.

    Args:
        instance: Who tells.
        file: Where it keeps what it told.
        now: The clock, seconds since 1970.
    """

    def __init__(self, instance: Instance, file: Path, now: Callable[[], float] = time.time) -> None:
        self._instance = instance
        self._file = file
        self._now = now
        self._kept: dict[str, tuple[float, int]] = {}  # what stands in the file, for where that cannot be written
        self._lock = threading.Lock()
        self._sending: set[str] = set()
        self._alone_until = 0.0
        self._client: Any = None
        self._arn = ""

    def tell(self, error: BaseException, route: str, request_id: str, budget: float) -> None:
        """Tell of a failure, or count it.

        Lambda freezes the process once it has answered, and its threads with it. So the answer waits for the sending,
        which has a thread of its own to make sure that it waits no longer than the budget: what is late then is sent
        when the instance gets its next event, if it gets one.
        """
        begun = time.monotonic()
        failure = described(error, route, self._instance.secrets)
        with self._lock:
            repeated = self._claimed(failure.fingerprint)
        if repeated is None:
            return
        message = failure.message(
            time=self._now(), stage=self._instance.stage, request_id=request_id, repeated=repeated
        )
        sender = threading.Thread(target=self._send, args=(failure, message), name="notify", daemon=True)
        try:
            sender.start()
        except RuntimeError:  # there are no threads any more
            self._sending.discard(failure.fingerprint)
            raise
        sender.join(max(0.0, begun + budget - time.monotonic()))
        if sender.is_alive():
            log.error("The message about a failure is late; it goes out with the next event.")

    def _claimed(self, fingerprint: str) -> int | None:
        """Return how often a failure was counted since it was told last; None if it is only counted this time."""
        known, now = self._known(), self._now()
        told, counted = known.get(fingerprint, (0.0, 0))
        if fingerprint in self._sending or now < self._alone_until or told <= now < told + QUIET:
            self._keep(known | {fingerprint: (told, counted + 1)})
            return None
        self._sending.add(fingerprint)
        return counted

    def _send(self, failure: Failure, message: str) -> None:
        try:
            self._publish(failure.subject(self._instance.function), message)
        except Exception as error:  # noqa: BLE001  # its own text may hold the message
            with self._lock:
                self._alone_until = self._now() + LEFT_ALONE
                told, counted = self._known().get(failure.fingerprint, (0.0, 0))
                self._keep(self._known() | {failure.fingerprint: (told, counted + 1)})
            log.error("A failure could not be told to the topic %s: %s", self._instance.alert_topic, _reason(error))
        else:
            with self._lock:
                self._keep(self._known() | {failure.fingerprint: (self._now(), 0)})
        finally:
            with self._lock:
                self._sending.discard(failure.fingerprint)

    def _publish(self, subject: str, message: str) -> None:
        if self._client is None:
            import boto3
            from botocore.config import Config

            once = {"total_max_attempts": 1, "mode": "standard"}
            config = Config(connect_timeout=CONNECT_TIMEOUT, read_timeout=READ_TIMEOUT, retries=once)
            self._client = boto3.Session().client("sns", region_name=self._instance.region, config=config)
        if self._arn:
            with contextlib.suppress(self._client.exceptions.NotFoundException):
                self._client.publish(TopicArn=self._arn, Subject=subject, Message=message)
                return
        self._arn = self._client.create_topic(Name=self._instance.alert_topic)["TopicArn"]  # finds one that is there
        self._client.publish(TopicArn=self._arn, Subject=subject, Message=message)

    def _known(self) -> dict[str, tuple[float, int]]:
        """Return when each failure was told, and how often it was counted since."""
        try:
            kept = json.loads(self._file.read_text())
            return {str(fingerprint): (float(told), int(counted)) for fingerprint, (told, counted) in kept.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return self._kept

    def _keep(self, known: dict[str, tuple[float, int]]) -> None:
        self._kept = dict(sorted(known.items(), key=lambda entry: entry[1][0])[-KEPT:])
        with contextlib.suppress(OSError):
            self._file.write_text(json.dumps(self._kept))


@cache
def _notifier(instance: Instance) -> Notifier:
    return Notifier(instance, Path(tempfile.gettempdir(), f"{instance.function}-failures.json"))


def _reason(error: Exception) -> str:
    response = getattr(error, "response", None)  # None where there is none
    code = response.get("Error", {}).get("Code") if isinstance(response, dict) else ""
    return str(code or type(error).__name__)


def route_of(event: Any) -> str:
    """Return what an event asks for: the gateway's resource, or the function that it runs; nothing that it was given.

    Args:
        event: As Lambda hands it over; empty while the function starts.
    """
    if not isinstance(event, dict):
        return "unknown"
    if not event:
        return "start"
    if "httpMethod" in event:
        return f"{event['httpMethod']} {event.get('resource') or '/'}"
    return next((name for name in _functions(event) if re.fullmatch(r"[a-z_]\w*(\.[a-z_]\w*)+", name)), "unknown")


def _functions(event: dict[str, Any]) -> Iterator[str]:
    """Give what may be the function that an event runs, the likeliest first (Zappa's handler reads them so)."""
    yield from (str(event.get(name, "")) for name in ("task_path", "command"))
    for rule in event.get("resources") or ():
        yield str(rule).rpartition("-")[2]
    for record in event.get("Records") or ():
        with contextlib.suppress(ValueError, KeyError, TypeError):
            yield from _functions(json.loads(record["Sns"]["Message"]))
        yield str(record.get("eventSource") or record.get("EventSource") or "").replace(":", ".")
