"""Subscribing to the daily text and unsubscribing from it, each confirmed with a one-time password (code).

What a number's owner confirms is recorded first. The SNS topic follows: at once in a task or, if that fails, in the job
at midnight. So whoever is told that they are subscribed gets the next text.

A code is generated in the task that sends it, and exists only in that process and in the text: not in a task's
arguments, the database or the log. Tasks are given an id that reveals nothing about the number.
"""

import datetime as dt
import hashlib
import hmac
import logging
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, Protocol

from quotes import phone, sms
from quotes.database import Database, as_stored
from quotes.errors import (
    CodeRefused,
    NotSetUp,
    OptedOut,
    StateUnavailable,
    TaskNotStarted,
    TextMayBeSent,
    TextsUnavailable,
    TooManyCodes,
)
from quotes.texts import Texts

if TYPE_CHECKING:
    import peewee

Purpose = Literal["subscribe", "unsubscribe"]

DIGITS = 6
ROUNDS = 5  # attempts to settle a subscription while its owner keeps changing their mind
SETTLED_AT_ONCE = 100  # numbers settled by the job at midnight, whose time is limited
FAILURES = 3  # after which that job gives up until the next midnight
UNSHARED = "Subscribing needs state that all instances share; set DATABASE_URL=s3://bucket/key.db, or a server's URL."
NO_SECRET = "Subscribing needs QUOTES_OTP_SECRET to be set: 32 characters or more that nobody knows."  # noqa: S105

log = logging.getLogger(__name__)


class Start(Protocol):
    """Start an asynchronous task."""

    def __call__(self, task: str, *arguments: str) -> None:
        """Start a task.

        Args:
            task: The name of a function in `tasks.py`.
            arguments: Its arguments, which are visible in the queue, its dead letters and the log.

        Raises:
            TaskNotStarted: The task was not accepted.
        """


class Subscriptions:
    """Run the flow of codes, confirmations and subscriptions; safe to share between threads.

    Args:
        database: Stores passwords and subscriptions.
        texts: Sends texts and manages the topic.
        start: Starts an asynchronous task; None to do its work in the calling thread, as off Lambda.
        secret: The key of the codes' hashes. If empty, a key is kept in the state: it is shared with the state, but
            anyone who can read the state can find codes by trial. That suffices on a laptop, where codes are logged
            anyway.
        is_secret_needed: Whether to require `secret`.
        now: The clock; returns an aware datetime.
    """

    def __init__(
        self,
        database: Database,
        texts: Texts,
        start: Start | None = None,
        *,
        secret: str = "",
        is_secret_needed: bool = False,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._database = database
        self._texts = texts
        self._start = start
        self._secret = secret
        self._is_secret_needed = is_secret_needed
        self._now = now

    def ask(self, number: str, purpose: Purpose) -> None:
        """Have a code sent to a number, unless one for the same purpose was requested a moment ago.

        Whether the number is subscribed affects neither the outcome nor the work, so nobody can find that out.

        Args:
            number: The number, in E.164 format.
            purpose: What the code is to confirm.

        Raises:
            NotSetUp: The secret or a shared state is missing.
            OptedOut: The owner of the number has opted out of texts.
            TooManyCodes: The limit of the number, or that of all numbers together, is reached.
            StateUnavailable: The request cannot be recorded.
            TextsUnavailable: The code cannot be sent.
            TaskNotStarted: The task that sends it was not accepted.
        """
        self._check_set_up()
        from quotes import subscription_models as models
        from quotes.subscription_models import Asked

        id_, now = secrets.token_hex(16), self._time()
        asked, again = self._database.write(lambda db: models.ask(db, id_, number, purpose, now))
        if asked is Asked.NEW:
            self._have_sent(id_)
        elif asked is Asked.OPTED_OUT:
            raise OptedOut
        elif asked is not Asked.REPEATED:
            log.warning("No code for %s: %s.", phone.masked(number), asked.name)
            raise TooManyCodes(int((again - now).total_seconds()) + 1, is_own=asked is Asked.NUMBER_HAD_ENOUGH)

    def send_code(self, id_: str) -> bool:
        """Generate and send a requested code: the work of the task `async_send_otp`.

        A request gets one text. A retried task sends another code only if the text was rejected; if the response was
        lost or the process died, the text may be on its way, and if it is not, its owner can ask again.

        Args:
            id_: The id of the request.

        Returns:
            False if the owner of the number has opted out of texts, otherwise True.

        Raises:
            NotSetUp: The secret or a shared state is missing.
            StateUnavailable: The code cannot be recorded.
            TextsUnavailable: The code cannot be sent.
        """
        from quotes import subscription_models as models

        self._check_set_up()
        asked = self._database.read(lambda db: models.asked_for(db, id_))
        if asked is None:
            return True
        number, purpose = asked
        if self._texts.is_opted_out(number):
            self._database.write(lambda db: models.opt_out(db, id_))
            log.info("%s forbade texts.", phone.masked(number))
            return False
        code = f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"
        digest, now = self._digest_of(code), self._time()
        if self._database.write(lambda db: models.draw(db, id_, digest, now)):
            try:
                self._texts.send(number, sms.code_text(code, purpose, int(models.LIFETIME.total_seconds()) // 60))
            except TextMayBeSent:
                raise
            except TextsUnavailable:
                self._database.write(lambda db: models.take_back(db, id_))
                raise
            log.info("A code to %s went to %s.", purpose, phone.masked(number))
        return True

    def confirm(self, number: str, purpose: Purpose, code: str) -> None:
        """Record what a code confirms, and have the topic follow.

        Args:
            number: The number, in E.164 format.
            purpose: What the code was requested for.
            code: The code that its owner entered.

        Raises:
            NotSetUp: The secret or a shared state is missing.
            CodeRefused: The code is wrong or no longer valid.
            StateUnavailable: The code cannot be checked now.
        """
        self._check_set_up()
        from quotes import subscription_models as models

        digest, now = self._digest_of(code), self._time()
        id_ = self._database.write(lambda db: models.spend(db, number, purpose, digest, now))
        if id_ is None:
            raise CodeRefused("The code is not right, or it is not valid any more. Ask for another one.")
        log.info("%s confirmed to %s.", phone.masked(number), purpose)
        try:
            self._run(f"async_{purpose}", id_, self.follow)
        except (StateUnavailable, TextsUnavailable, TaskNotStarted) as error:  # the confirmation is on record
            log.error("The topic has yet to follow, at midnight: %s", error)

    def follow(self, id_: str) -> None:
        """Bring the topic in line with what a number's owner confirmed last: the work of `async_(un)subscribe`.

        In whatever order and however often the tasks run, the last confirmation wins.

        Args:
            id_: The id of a confirmed request.

        Raises:
            StateUnavailable: The state cannot be read or written.
            TextsUnavailable: The topic cannot be changed.
        """
        from quotes import subscription_models as models

        asked = self._database.read(lambda db: models.asked_for(db, id_))
        if asked:
            self._settle(asked[0])

    def tidy(self) -> None:
        """Delete expired rows, and settle subscriptions whose task failed; to be called once a day.

        Raises:
            StateUnavailable: The state cannot be read or written.
        """
        from quotes import subscription_models as models

        if not self._database.shared:
            return
        now = self._time()
        removed = self._database.write(lambda db: models.remove_old(db, now))
        numbers = self._database.read(lambda db: models.unsettled(db, SETTLED_AT_ONCE))
        log.info("%d old rows were removed; the topic has to follow for %d numbers.", removed, len(numbers))
        failures = 0
        for number in numbers:
            try:
                self._settle(number)
            except TextsUnavailable as error:
                log.error("The topic still has to follow for %s: %s", phone.masked(number), error)
                failures += 1
                if failures == FAILURES:
                    return

    def _settle(self, number: str) -> None:
        from quotes import subscription_models as models

        is_undone = False
        for _ in range(ROUNDS):
            found = self._database.read(lambda db: models.subscription(db, number))
            if found is None or (found.is_settled and not is_undone):
                return
            arn = None
            if found.is_wanted:
                arn = self._texts.subscribe(number)
            else:
                self._end(number, found.arn)
            if self._database.write(lambda db, arn=arn: models.settle(db, number, arn)):  # type: ignore[misc]
                log.info("%s is %s.", phone.masked(number), "subscribed" if arn else "not subscribed any more")
                return
            # The owner has changed their mind meanwhile. Another task may already have settled that, and our call to
            # the topic may have undone it, so the next round must not rely on `is_settled`.
            is_undone = True
            if arn:
                self._texts.unsubscribe(arn)

    def _end(self, number: str, arn: str | None) -> None:
        if arn is None or not self._texts.owns(arn):
            arn = self._texts.find(number)
        if arn:
            self._texts.unsubscribe(arn)

    def _have_sent(self, id_: str) -> None:
        from quotes import subscription_models as models

        try:
            is_allowed = self._run("async_send_otp", id_, self.send_code)
        except (TextsUnavailable, TaskNotStarted):
            self._database.write(lambda db: models.forget(db, id_))
            raise
        if is_allowed is False:
            raise OptedOut

    def _run(self, task: str, id_: str, work: Callable[[str], bool | None]) -> bool | None:
        """Start a task, or do its work here and return the result."""
        if self._start:
            self._start(task, id_)
            return None
        return work(id_)

    def _digest_of(self, code: str) -> "Callable[[peewee.Database, str, str], str]":
        fresh = secrets.token_hex(32)

        def digest(db: "peewee.Database", number: str, purpose: str) -> str:
            from quotes import subscription_models as models

            key = self._secret or models.local_secret(db, fresh)
            return hmac.new(key.encode(), f"{number}:{purpose}:{code}".encode(), hashlib.sha256).hexdigest()

        return digest

    def _check_set_up(self) -> None:
        if not self._database.shared:
            raise NotSetUp(UNSHARED)
        if self._is_secret_needed and not self._secret:
            raise NotSetUp(NO_SECRET)

    def _time(self) -> dt.datetime:
        return as_stored(self._now())
