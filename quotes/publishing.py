"""Publishing the day's quote to everybody who is subscribed: once a day, whoever and however many try.

An instance claims the day in the shared state, sends, and puts on record that it is done. Two at once: one has the
claim. A duplicate or a late event: it is done. A process that dies in between: its claim runs out, and the retry sends.

SNS has no way to say "unless you have it already" that works for SMS, nor to be asked what it took. So where it took
the text and that could not be put on record (no answer came, or the process died in that moment), the retry sends it
again: a text twice is a lesser evil than a day without one.
"""

import datetime as dt
import logging
import secrets
from collections.abc import Callable

from quotes import sms
from quotes.daily import DailyQuotes
from quotes.database import Database
from quotes.errors import NotSetUp, PublishedElsewhere, StateUnavailable, TextsUnavailable
from quotes.texts import Texts

# Longer than an instance may live on (`timeout_seconds`) and than a call may take; shorter than the minute after which
# Lambda tries an event again (AWS Lambda developer guide, "Asynchronous invocation").
CLAIM_LASTS = dt.timedelta(seconds=50)
TRIES_TO_RECORD = 3
UNSHARED = "Publishing needs state that all instances share; set DATABASE_URL=s3://bucket/key.db, or a server's URL."

log = logging.getLogger(__name__)


class Publishing:
    """Publish, at most once for each day as far as that can be known.

    Args:
        daily: Whose quote it is.
        database: Where it is kept what was published.
        texts: Who sends.
        start: Starts the task of publishing a day; None to do its work at once, as off Lambda.
        now: The clock, aware.
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
        """Have today's quote published, unless it was: what the scheduler does.

        Raises:
            NotSetUp: Other instances could not know that it was published.
            StateUnavailable: Today's quote is not on record, or the record cannot be read.
            TaskNotStarted: The task was not taken.
            PublishedElsewhere: As `publish`.
            TextsUnavailable: As `publish`.
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
        """Publish the quote of a day, unless that was done: the work of `async_publish`.

        Args:
            day: The day; its quote is on record.

        Raises:
            PublishedElsewhere: Another instance is at it. It may die, so this event has to be tried again.
            QuoteNotFound: The day has no quote.
            StateUnavailable: The record cannot be read or written.
            TextsUnavailable: SNS did not take the text, as far as it can be known.
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
        return self._now().astimezone(dt.UTC).replace(tzinfo=None)
