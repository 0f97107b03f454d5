"""Who sends the texts: what the flow asks of it, and the counterpart that prints them on a laptop.

The one that really sends is `sns.py`.
"""

import logging
from typing import Protocol

log = logging.getLogger(__name__)


class Texts(Protocol):
    """Send texts, to one number or to all that are subscribed.

    Every method but `owns` raises `TextsUnavailable` where it cannot be done now. No error's text and no log line of an
    implementation holds a number or a text.
    """

    def is_opted_out(self, number: str) -> bool:
        """Tell whether the owner of a number forbade texts by replying STOP."""

    def send(self, number: str, text: str) -> None:
        """Send a text that somebody waits for."""

    def subscribe(self, number: str) -> str:
        """Subscribe a number, which may be subscribed already; return the subscription's ARN."""

    def unsubscribe(self, arn: str) -> None:
        """End a subscription, which may have ended already."""

    def find(self, number: str) -> str | None:
        """Return the ARN of a number's subscription by looking through all of them, None where there is none."""

    def owns(self, arn: str) -> bool:
        """Tell whether an ARN is of a subscription made here, and not of another topic or in another mode."""

    def publish(self, text: str) -> None:
        """Send a text to everybody who is subscribed."""


class Console:
    """Print the texts into the log, numbers and all, instead of sending them: for a laptop (`QUOTES_SMS=console`).

    As warnings, which a server without any set-up of logging shows as well.
    """

    def is_opted_out(self, number: str) -> bool:
        """Deny it: nobody can reply."""
        return False

    def send(self, number: str, text: str) -> None:
        """Print a text."""
        log.warning("[SMS to %s] %s", number, text)

    def subscribe(self, number: str) -> str:
        """Return something like an ARN."""
        return f"console:{number}"

    def unsubscribe(self, arn: str) -> None:
        """Do nothing: the state knows who is subscribed."""

    def find(self, number: str) -> str | None:
        """Find none: there is no topic."""
        return None

    def owns(self, arn: str) -> bool:
        """Know what `subscribe` returns."""
        return arn.startswith("console:")

    def publish(self, text: str) -> None:
        """Print a text once, whoever is subscribed."""
        log.warning("[SMS to everybody who is subscribed] %s", text)
