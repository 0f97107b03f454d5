"""Notification of unhandled exceptions: a message to an SNS topic.

Falcon answers its resources' errors itself, so Zappa never sees them. Hence two entries: `problems.py` calls `tell`,
while Zappa and `gateway.py` call `unhandled_exceptions`. Off Lambda nothing is sent. The log has the exception anyway.
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

BUDGET = 0.9  # seconds that a response may be delayed by the notification
BUDGET_OF_EVENTS = 5.0  # seconds, if no client waits for a response
CONNECT_TIMEOUT, READ_TIMEOUT = 1.0, 5.0  # seconds, in the sending thread; the response does not wait that long
QUIET = 300.0  # seconds after a message in which the same failure is only counted
LEFT_ALONE = 30.0  # seconds without an attempt after SNS failed
KEPT = 100  # different failures that are remembered

log = logging.getLogger(__name__)


def unhandled_exceptions(exception: BaseException, event: Any, context: Any) -> bool:
    """Report an exception that ended an invocation; this is Zappa's `exception_handler` (see Zappa's README).

    Args:
        exception: The exception.
        event: The event that the function was handling.
        context: The invocation; None while the function is starting.

    Returns:
        False: the exception is not handled, so Lambda retries the event and finally keeps it as a dead letter.
    """
    if isinstance(exception, Unauthorized):  # not a failure: how the authorizer rejects a token
        return False
    with contextlib.suppress(Exception):
        is_request = not event or "httpMethod" in event
        tell(exception, route_of(event), context, BUDGET if is_request else BUDGET_OF_EVENTS)
    return False


def tell(error: BaseException, route: str, context: Any, budget: float = BUDGET) -> None:
    """Report an unhandled exception; never raises, and does nothing off Lambda.

    Args:
        error: The exception.
        route: The URI template, or the function, that failed.
        context: The invocation, if there is one.
        budget: The maximum duration, in seconds.
    """
    try:
        instance = Instance.of_function()
        if instance:
            _notifier(instance).tell(error, route, str(getattr(context, "aws_request_id", "") or ""), budget)
    except Exception:
        log.exception("An unhandled exception could not be told.")


class Notifier:
    """Report failures, each at most once in five minutes; the next message says how often it recurred meanwhile.

    This is per instance: ten instances may report the same failure ten times. The record is kept in a file, because
    after a failed start Lambda starts a new process for every request, and memory would forget each time.

    Args:
        instance: The reporting instance.
        file: Where to keep the record of what was reported.
        now: The clock, in seconds since 1970.
    """

    def __init__(self, instance: Instance, file: Path, now: Callable[[], float] = time.time) -> None:
        self._instance = instance
        self._file = file
        self._now = now
        self._kept: dict[str, tuple[float, int]] = {}  # a copy of the file, in case that cannot be written
        self._lock = threading.Lock()
        self._sending: set[str] = set()
        self._alone_until = 0.0
        self._client: Any = None
        self._arn = ""

    def tell(self, error: BaseException, route: str, request_id: str, budget: float) -> None:
        """Report a failure, or count it.

        Lambda freezes the process, with all its threads, as soon as it has responded. So the response waits until the
        message is sent, but no longer than the budget, which is why a thread sends it. A late message goes out when the
        instance gets its next event, if ever.

        Args:
            error: The exception.
            route: The URI template, or the function, that failed.
            request_id: Lambda's id of the invocation, or an empty string.
            budget: The maximum duration, in seconds.
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
        except RuntimeError:  # no further thread can be started
            self._sending.discard(failure.fingerprint)
            raise
        sender.join(max(0.0, begun + budget - time.monotonic()))
        if sender.is_alive():
            log.error("The message about a failure is late; it goes out with the next event.")

    def _claimed(self, fingerprint: str) -> int | None:
        """Return how often a failure recurred since its last message, or None if there is to be no message now."""
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
        except Exception as error:  # noqa: BLE001  # its text may contain the message
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
        self._arn = self._client.create_topic(Name=self._instance.alert_topic)["TopicArn"]  # returns an existing one
        self._client.publish(TopicArn=self._arn, Subject=subject, Message=message)

    def _known(self) -> dict[str, tuple[float, int]]:
        """Return, by fingerprint, when each failure was last reported and how often it has recurred since."""
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
    response = getattr(error, "response", None)  # only botocore's ClientError has one
    code = response.get("Error", {}).get("Code") if isinstance(response, dict) else ""
    return str(code or type(error).__name__)


def route_of(event: Any) -> str:
    """Return the target of an event, without its arguments: the gateway's resource, or the function it runs.

    Args:
        event: The event, as received from Lambda; empty while the function is starting.
    """
    if not isinstance(event, dict):
        return "unknown"
    if not event:
        return "start"
    if "httpMethod" in event:
        return f"{event['httpMethod']} {event.get('resource') or '/'}"
    return next((name for name in _functions(event) if re.fullmatch(r"[a-z_]\w*(\.[a-z_]\w*)+", name)), "unknown")


def _functions(event: dict[str, Any]) -> Iterator[str]:
    """Yield candidates for the function that an event runs, likeliest first; Zappa's handler reads the same fields."""
    yield from (str(event.get(name, "")) for name in ("task_path", "command"))
    for rule in event.get("resources") or ():
        yield str(rule).rpartition("-")[2]
    for record in event.get("Records") or ():
        with contextlib.suppress(ValueError, KeyError, TypeError):
            yield from _functions(json.loads(record["Sns"]["Message"]))
        yield str(record.get("eventSource") or record.get("EventSource") or "").replace(":", ".")
