"""Publishing the day's quote to all subscribers: once a day, however many instances and events try.

An instance claims the day in the shared state, sends the text, and records that it is done. Of two at once, only one
gets the claim. A duplicate or late event finds the day done. If a process dies in between, its claim expires and the
retry sends.

For SMS, SNS supports no idempotency key and cannot be asked what it has accepted. So if it accepted the text but that
could not be recorded (the response was lost, or the process died at that moment), the retry sends the text again: two
texts on one day are better than none.
"""

import datetime as dt
import logging
import secrets
from collections.abc import Callable

from quotes import sms
from quotes.daily import DailyQuotes
from quotes.database import Database, as_stored
from quotes.errors import NotSetUp, PublishedElsewhere, StateUnavailable, TextsUnavailable
from quotes.texts import Texts

# Longer than an invocation may run (`timeout_seconds`) and than any call takes; shorter than the minute after which
# Lambda retries an event (AWS Lambda developer guide, "Asynchronous invocation").
CLAIM_LASTS = dt.timedelta(seconds=50)
TRIES_TO_RECORD = 3
UNSHARED = "Publishing needs state that all instances share; set DATABASE_URL=s3://bucket/key.db, or a server's URL."

log = logging.getLogger(__name__)


class Publishing:
    """Publish each day's quote once, as far as SNS allows.

    Args:
        daily: Supplies the quote.
        database: Records what was published.
        texts: Sends the text.
        start: Starts the asynchronous task; None to publish in the calling thread, as off Lambda.
        now: The clock; returns an aware datetime.
    """

    def __init__(
        self,
        daily: DailyQuotes,
        database: Database,
        texts: Texts,
        start: Callable[[str, str], None] | None = None,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._daily = daily
        self._database = database
        self._texts = texts
        self._start = start
        self._now = now

    def start(self) -> None:
        """Start publishing today's quote, unless that has been done; the scheduler's part.

        Raises:
            NotSetUp: The instances share no state, so they could not know what has been published.
            StateUnavailable: Today's quote cannot be stored, or the state cannot be read.
            TaskNotStarted: The task was not accepted.
            PublishedElsewhere: As `publish`, which runs at once if there are no tasks.
            TextsUnavailable: Likewise.
        """
        from quotes import subscription_models as models

        if not self._database.shared:
            raise NotSetUp(UNSHARED)
        today = self._daily.quote_of_today()
        if not today.on_record:
            raise StateUnavailable(f"The quote of {today.day} is not on record yet.")
        if self._database.read(lambda db: models.is_published(db, today.day)):
            log.info("The quote of %s was published already.", today.day)
        elif self._start:
            self._start("async_publish", today.day.isoformat())
        else:
            self.publish(today.day)

    def publish(self, day: dt.date) -> None:
        """Publish the quote of a day, unless that has been done; the work of the task `async_publish`.

        Args:
            day: The day, whose quote is on record.

        Raises:
            PublishedElsewhere: Another instance has the claim. As it may die, this event has to be retried.
            QuoteNotFound: The day has no quote.
            StateUnavailable: The state cannot be read or written.
            TextsUnavailable: SNS did not accept the text, as far as is known.
        """
        from quotes import subscription_models as models
        from quotes.subscription_models import Claim

        text = sms.daily_text(self._daily.quote_of(day).quote)
        token, claimed_at = secrets.token_hex(16), self._time()
        claim = self._database.write(lambda db: models.claim(db, day, token, claimed_at, CLAIM_LASTS))
        if claim is Claim.DONE:
            log.info("The quote of %s was published already.", day)
            return
        if claim is Claim.ANOTHERS or self._time() - claimed_at > CLAIM_LASTS / 2:
            raise PublishedElsewhere(f"Another instance may be publishing the quote of {day}.")
        try:
            self._texts.publish(text)
        except TextsUnavailable:
            self._database.write(lambda db: models.give_back(db, day, token))
            raise
        self._record(day)
        log.info("The quote of %s was published.", day)

    def _record(self, day: dt.date) -> None:
        from quotes import subscription_models as models

        for attempt in range(1, TRIES_TO_RECORD + 1):
            try:
                now = self._time()
                self._database.write(lambda db, now=now: models.publish(db, day, now))  # type: ignore[misc]
            except StateUnavailable:
                if attempt == TRIES_TO_RECORD:
                    raise
            else:
                return

    def _time(self) -> dt.datetime:
        return as_stored(self._now())
