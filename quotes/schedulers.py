"""Scheduled jobs: thin handlers of EventBridge rules.

Zappa passes exactly `(event, context)`. It would call a job that raises `TypeError` again with fewer arguments, so jobs
raise domain errors only.
"""

from typing import Any

from quotes.errors import StateUnavailable
from quotes.service import Service
from quotes.settings import Settings


def set_quote_of_the_day(event: Any, context: Any) -> None:
    """Store today's quote and clean up the subscriptions' state, at midnight: `cron(0 0 * * ? *)`.

    A repeated or late event is harmless: it finds the quote already stored.

    Raises:
        StateUnavailable: The quote could not be stored, or the state not be cleaned up; Lambda retries the event.
    """
    service = Service.of(Settings.from_environ())
    daily = service.daily.quote_of_today()
    if not daily.on_record:
        raise StateUnavailable(f"The quote of {daily.day} is not on record yet.")
    service.subscriptions.tidy()


def publish_quote_of_the_day(event: Any, context: Any) -> None:
    """Start sending today's quote to all subscribers, at two o'clock UTC: `cron(0 2 * * ? *)`.

    A repeated or late event sends nothing twice.

    Raises:
        QuotesError: The quote was not sent, as far as is known; Lambda retries the event.
    """
    Service.of(Settings.from_environ()).publishing.start()
