"""What the clock starts: handlers of EventBridge rules, thin.

Zappa passes exactly `(event, context)`; a job that raises `TypeError` would be run again with fewer arguments, so these
raise errors of the domain.
"""

from typing import Any

from quotes.errors import StateUnavailable
from quotes.service import Service
from quotes.settings import Settings


def set_quote_of_the_day(event: Any, context: Any) -> None:
    """Put today's quote on record, and tidy up after subscribers, at midnight: `cron(0 0 * * ? *)`.

    A repeated or late event finds it there and changes nothing.

    Raises:
        StateUnavailable: It could not be recorded; the event is then tried again.
    """
    service = Service.of(Settings.from_environ())
    daily = service.daily.quote_of_today()
    if not daily.on_record:
        raise StateUnavailable(f"The quote of {daily.day} is not on record yet.")
    service.subscriptions.tidy()


def publish_quote_of_the_day(event: Any, context: Any) -> None:
    """Have today's quote sent to all subscribers, at two o'clock: `cron(0 2 * * ? *)`.

    A repeated or late event sends nothing twice.

    Raises:
        QuotesError: It was not sent, as far as can be known; the event is then tried again.
    """
    Service.of(Settings.from_environ()).publishing.start()
