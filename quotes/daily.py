"""The quote of the day: the one place that decides which it is, and stores it.

The first quote stored for a day is that day's quote, everywhere and for good; the database enforces it. A day that was
read from the database is kept in memory, for it can never change.
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
LONGEST_WAIT = 8.0  # seconds, for another thread to decide: more than the upstream and the state may take
STATE_LEFT_ALONE_FOR = 5.0  # seconds, after it failed

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Daily:
    """Hold a day's quote.

    Attributes:
        day: The calendar day.
        quote: Its quote.
        on_record: False while the state cannot be reached: the quote is then the corpus's pick, and not kept.
        whence: Where it was found: in memory, in the state, or, decided just now, in the corpus or at the upstream.
    """

    day: dt.date
    quote: Quote
    on_record: bool
    whence: str = field(default="memory", compare=False)


class DailyQuotes:
    """Decide and remember which quote is whose day's; shared between threads.

    Args:
        corpus: The library that has a pick for every day.
        upstream: Asked first for a new day, where there is one.
        database: Where the days are kept.
        timezone: Whose midnight starts a day.
        now: The clock, aware.
        monotonic: The clock for waiting.
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
        """Return when a day is over, in seconds since 1970."""
        return dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), self._timezone).timestamp()

    def start_of(self, day: dt.date) -> dt.datetime:
        """Return a day's first moment, in the service's time zone."""
        midnight = dt.datetime.combine(day, dt.time(), self._timezone)
        return midnight.astimezone(dt.UTC).astimezone(self._timezone)  # where clocks skip midnight, it is later

    def quote_of_today(self) -> Daily:
        """Return today's quote, deciding and storing it where nobody has yet."""
        day = self.today()
        quote = self._known.get(day)
        if quote is not None:
            return Daily(day, quote, on_record=True)
        # One thread decides and the others wait to find it decided; not for a state that is down.
        if not self._deciding.acquire(timeout=0 if self._state_is_down else LONGEST_WAIT):
            return Daily(day, self._corpus.of_day(day), on_record=False, whence="corpus")
        try:
            quote = self._known.get(day)
            return Daily(day, quote, on_record=True) if quote else self._decide(day)
        finally:
            self._deciding.release()

    def quote_of(self, day: dt.date) -> Daily:
        """Return the quote of a day that has come: today's as `quote_of_today`, an earlier one as it was served.

        Raises:
            QuoteNotFound: No quote is on record for that day.
            StateUnavailable: The record cannot be read now.
        """
        if day == self.today():
            daily = self.quote_of_today()
            if daily.day == day:  # it is not over by now
                return daily
        known = self._known.get(day)
        quote = known or self._stored(day)
        if quote is None:
            raise QuoteNotFound(f"No quote is on record for {day}.")
        return Daily(day, quote, on_record=True, whence="memory" if known else "state")

    def latest(self, count: int) -> list[Daily]:
        """Return the last quotes on record, the newest first: today's, decided where nobody has, and those before it.

        Args:
            count: How many at most.

        Raises:
            StateUnavailable: The record cannot be read, or today's quote not be put on it now.
        """
        from quotes import models

        today = self.quote_of_today()
        if not today.on_record:
            raise StateUnavailable("Today's quote is not on record.")
        # Earlier days get no quote any more, so a copy that has today's has all.
        with self._state() as database:
            rows = database.read(
                lambda db: models.latest_quotes(db, today.day, count),
                is_final=lambda rows: bool(rows) and rows[0][0] == today.day,
            )
        return [Daily(day, quote, on_record=True) for day, quote in rows]

    def is_stored(self, day: dt.date) -> bool:
        """Tell whether a day's quote is on record, asking the database.

        Raises:
            StateUnavailable: The record cannot be read now.
        """
        from quotes import models

        with self._state() as database:
            return database.read(lambda db: models.stored_quote(db, day)) is not None

    @contextlib.contextmanager
    def _state(self) -> Iterator[Database]:
        """Give the state to ask, unless it failed a moment ago: each try holds a thread for seconds."""
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
        # Instances that share no record agree only if each takes the corpus's pick.
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
