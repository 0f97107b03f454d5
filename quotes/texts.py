"""The interface for sending texts, and an implementation that logs them, for a laptop.

`sns.py` is the implementation that really sends.
"""

import logging
from typing import Protocol

log = logging.getLogger(__name__)


class Texts(Protocol):
    """Send texts to single numbers or to all subscribers.

    Every method except `owns` raises `TextsUnavailable` if it cannot do its work now. No error message of an
    implementation contains a number or a text.
    """

    def is_opted_out(self, number: str) -> bool:
        """Return whether the owner of a number opted out of texts by replying STOP."""

    def send(self, number: str, text: str) -> None:
        """Send a text that its recipient is waiting for."""

    def subscribe(self, number: str) -> str:
        """Subscribe a number, unless it is subscribed already; return the subscription's ARN."""

    def unsubscribe(self, arn: str) -> None:
        """End a subscription, unless it has ended already."""

    def find(self, number: str) -> str | None:
        """Search all subscriptions for a number's; return its ARN, or None if there is none."""

    def owns(self, arn: str) -> bool:
        """Return whether an ARN belongs to this topic, rather than to another one or to another implementation."""

    def publish(self, text: str) -> None:
        """Send a text to all subscribers."""


class Console:
    """Log the texts, with their numbers, instead of sending them: for a laptop (`QUOTES_SMS=console`).

    They are logged as warnings, which appear even where logging is not configured.
    """

    def is_opted_out(self, number: str) -> bool:
        """Return False: nobody can reply."""
        return False

    def send(self, number: str, text: str) -> None:
        """Log a text."""
        log.warning("[SMS to %s] %s", number, text)

    def subscribe(self, number: str) -> str:
        """Return a stand-in for an ARN."""
        return f"console:{number}"

    def unsubscribe(self, arn: str) -> None:
        """Do nothing: subscriptions are only kept in the state."""

    def find(self, number: str) -> str | None:
        """Return None: there is no topic to search."""
        return None

    def owns(self, arn: str) -> bool:
        """Recognize what `subscribe` returns."""
        return arn.startswith("console:")

    def publish(self, text: str) -> None:
        """Log a text once, however many subscribers there are."""
        log.warning("[SMS to everybody who is subscribed] %s", text)
