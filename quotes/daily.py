"""The quote of the day: the one place that decides it and stores it.

The first quote stored for a day is that day's quote on every instance and for good; the database enforces this. A
stored day never changes, so days that were read are cached in memory.
"""

import contextlib
import datetime as dt
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from quotes.corpus import Corpus
from quotes.database import Database
from quotes.errors import QuoteNotFound, StateUnavailable
from quotes.mashape import Mashape
from quotes.quote import Quote

DAYS_KEPT = 400  # in memory
LONGEST_WAIT = 8.0  # seconds, for another thread's decision; upstream and state together take less
STATE_LEFT_ALONE_FOR = 5.0  # seconds without an attempt after the state failed

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Daily:
    """Represent the quote of one day.

    Attributes:
        day: The calendar day.
        quote: Its quote.
        on_record: Whether the quote is stored. False if the state is unreachable: the quote is then the corpus's pick
            and may differ from the one that is stored later.
        whence: Where the quote was found: `memory`, `state`, or, if it was decided by this call, `corpus` or
            `upstream`.
    """

    day: dt.date
    quote: Quote
    on_record: bool
    whence: str = field(default="memory", compare=False)


class DailyQuotes:
    """Decide, store and look up daily quotes; safe to share between threads.

    Args:
        corpus: The library, which has a pick for every day.
        upstream: Asked first about a new day; None if there is no upstream.
        database: Stores the days.
        timezone: The time zone whose midnight starts a day.
        now: The clock; returns an aware datetime.
        monotonic: The monotonic clock, in seconds.
    """

    def __init__(
        self,
        corpus: Corpus,
        upstream: Mashape | None,
        database: Database,
        timezone: dt.tzinfo = dt.UTC,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._corpus = corpus
        self._upstream = upstream
        self._database = database
        self._timezone = timezone
        self._now = now
        self._monotonic = monotonic
        self._deciding = threading.Lock()
        self._state_is_down = False
        self._remembering = threading.Lock()
        self._known: dict[dt.date, Quote] = {}
        self._ask_state_from = 0.0

    def today(self) -> dt.date:
        """Return the calendar day in the service's time zone."""
        return self._now().astimezone(self._timezone).date()

    def time(self) -> float:
        """Return the time in seconds since 1970."""
        return self._now().timestamp()

    def end_of(self, day: dt.date) -> float:
        """Return when a day ends, in seconds since 1970."""
        return dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), self._timezone).timestamp()

    def start_of(self, day: dt.date) -> dt.datetime:
        """Return a day's first moment, in the service's time zone."""
        midnight = dt.datetime.combine(day, dt.time(), self._timezone)
        return midnight.astimezone(dt.UTC).astimezone(self._timezone)  # moves a midnight that a clock change skips

    def quote_of_today(self) -> Daily:
        """Return today's quote, deciding and storing it if that has not happened yet."""
        day = self.today()
        quote = self._known.get(day)
        if quote is not None:
            return Daily(day, quote, on_record=True)
        # One thread decides while the others wait for the result, unless the state is down: each try takes seconds.
        if not self._deciding.acquire(timeout=0 if self._state_is_down else LONGEST_WAIT):
            return Daily(day, self._corpus.of_day(day), on_record=False, whence="corpus")
        try:
            quote = self._known.get(day)
            return Daily(day, quote, on_record=True) if quote else self._decide(day)
        finally:
            self._deciding.release()

    def quote_of(self, day: dt.date) -> Daily:
        """Return the quote of today, as `quote_of_today` does, or that of an earlier day as it was served.

        Raises:
            QuoteNotFound: No quote is on record for that day.
            StateUnavailable: The state cannot be read now.
        """
        if day == self.today():
            daily = self.quote_of_today()
            if daily.day == day:  # midnight may have passed since the check above
                return daily
        known = self._known.get(day)
        quote = known or self._stored(day)
        if quote is None:
            raise QuoteNotFound(f"No quote is on record for {day}.")
        return Daily(day, quote, on_record=True, whence="memory" if known else "state")

    def latest(self, count: int) -> list[Daily]:
        """Return the latest quotes on record, newest first; today's is decided if that has not happened yet.

        Args:
            count: The maximum number of quotes.

        Raises:
            StateUnavailable: The state cannot be read, or today's quote cannot be stored now.
        """
        from quotes import models

        today = self.quote_of_today()
        if not today.on_record:
            raise StateUnavailable("Today's quote is not on record.")
        # No quote is ever added to an earlier day, so a copy that has today's is complete.
        with self._state() as database:
            rows = database.read(
                lambda db: models.latest_quotes(db, today.day, count),
                is_final=lambda rows: bool(rows) and rows[0][0] == today.day,
            )
        return [Daily(day, quote, on_record=True) for day, quote in rows]

    def is_stored(self, day: dt.date) -> bool:
        """Return whether the database has a day's quote.

        Raises:
            StateUnavailable: The state cannot be read now.
        """
        from quotes import models

        with self._state() as database:
            return database.read(lambda db: models.stored_quote(db, day)) is not None

    @contextlib.contextmanager
    def _state(self) -> Iterator[Database]:
        """Yield the database, or fail at once if it failed a moment ago: each attempt blocks a thread for seconds."""
        if self._is_state_left_alone:
            raise StateUnavailable("The state failed a moment ago, and is left alone for a while.")
        try:
            yield self._database
        except StateUnavailable:
            self._ask_state_from = self._monotonic() + STATE_LEFT_ALONE_FOR
            raise

    @property
    def _is_state_left_alone(self) -> bool:
        return self._monotonic() < self._ask_state_from

    def _decide(self, day: dt.date) -> Daily:
        if not self._is_state_left_alone:
            try:
                quote, whence = self._stored(day), "state"
                if quote is None:
                    chosen = self._choose(day)
                    quote = self._store(day, chosen)
                    if quote == chosen:  # and not what another instance stored first
                        whence = "corpus" if quote.id else "upstream"
            except StateUnavailable as error:
                self._state_is_down = True
                log.error("Today's quote is the corpus's pick, unrecorded: %s", error)
            else:
                self._state_is_down = False
                return Daily(day, quote, on_record=True, whence=whence)
        return Daily(day, self._corpus.of_day(day), on_record=False, whence="corpus")

    def _choose(self, day: dt.date) -> Quote:
        # Instances that share no state can only agree if each of them takes the corpus's pick.
        if self._upstream and self._database.shared:
            quotes = self._upstream.random()
            if quotes:
                return quotes[0]
        return self._corpus.of_day(day)

    def _stored(self, day: dt.date) -> Quote | None:
        from quotes import models

        with self._state() as database:
            quote = database.read(lambda db: models.stored_quote(db, day), is_final=lambda quote: quote is not None)
        return self._remember(day, quote)

    def _store(self, day: dt.date, chosen: Quote) -> Quote:
        from quotes import models

        now = self._now()
        with self._state() as database:
            stored = database.write(lambda db: models.store_quote(db, day, chosen, now))
        self._remember(day, stored)
        log.info("The quote of %s is by %s.", day, stored.author)
        return stored

    def _remember(self, day: dt.date, quote: Quote | None) -> Quote | None:
        if quote is not None:
            with self._remembering:
                if len(self._known) >= DAYS_KEPT:
                    newest = max(self._known)
                    self._known.pop(next(known for known in self._known if known != newest))
                self._known[day] = quote
        return quote
