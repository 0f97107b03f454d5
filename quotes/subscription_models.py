"""The tables of the daily text, and the queries and changes made to them.

Each function takes the open database that `Database.read` or `Database.write` passes to its argument. A change may run
more than once, so values that have to stay the same (an id, a digest, the time) are arguments. Changes return their
outcome instead of raising it, because an exception would roll back what they counted. Times are in UTC, but naive, as
the columns store them.
"""

import datetime as dt
import hmac
import logging
from collections.abc import Callable
from enum import Enum, auto
from typing import NamedTuple

import peewee

logging.getLogger("peewee").addFilter(lambda record: record.levelno > logging.DEBUG)  # debug records contain row data

LIFETIME = dt.timedelta(minutes=10)  # of a one-time password
TRIES = 5  # attempts to enter one
PAUSE = dt.timedelta(minutes=1)  # between two for the same number and purpose
OF_A_NUMBER = 5  # passwords for one number within WINDOW_OF_A_NUMBER
WINDOW_OF_A_NUMBER = dt.timedelta(days=1)
OF_ALL = 100  # passwords within WINDOW_OF_ALL: caps the cost of SMS pumping, and exceeds what a small service needs
WINDOW_OF_ALL = dt.timedelta(hours=1)
PUBLICATIONS_KEPT = dt.timedelta(days=60)  # longer than any event can be delayed
_TURN = 5_150_607  # an arbitrary key for our advisory lock in PostgreSQL


class OneTimePassword(peewee.Model):
    """Store a request for a password, and the password's keyed hash once it is generated.

    The id reveals nothing about the number, because it is what tasks are given.
    """

    id = peewee.TextField(primary_key=True)
    number = peewee.TextField()
    purpose = peewee.TextField()
    asked_at = peewee.DateTimeField(index=True)
    is_opted_out = peewee.BooleanField(default=False)
    digest = peewee.TextField(null=True)
    drawn_at = peewee.DateTimeField(null=True)
    tries = peewee.IntegerField(default=0)
    used_at = peewee.DateTimeField(null=True)

    class Meta:
        """Name the table."""

        table_name = "one_time_password"
        indexes = ((("number", "asked_at"), False),)


class Subscription(peewee.Model):
    """Store what a number's owner confirmed last, and whether the SNS topic reflects it yet."""

    number = peewee.TextField(primary_key=True)
    is_wanted = peewee.BooleanField()
    is_settled = peewee.BooleanField(index=True)
    arn = peewee.TextField(null=True)

    class Meta:
        """Name the table."""

        table_name = "subscription"


class Publication(peewee.Model):
    """Store who has claimed publishing a day's text, and when it was done."""

    day = peewee.DateField(primary_key=True)
    claim = peewee.TextField(null=True)
    claimed_at = peewee.DateTimeField(null=True)
    done_at = peewee.DateTimeField(null=True)

    class Meta:
        """Name the table."""

        table_name = "publication"


class LocalSecret(peewee.Model):
    """Store the key of the passwords' hashes if the operator has set none, as on a laptop."""

    id = peewee.IntegerField(primary_key=True)
    secret = peewee.TextField()

    class Meta:
        """Name the table."""

        table_name = "local_secret"


TABLES: tuple[type[peewee.Model], ...] = (OneTimePassword, Subscription, Publication, LocalSecret)

Digest = Callable[[peewee.Database, str, str], str]  # maps a number and a purpose to the keyed hash of a given password


class Asked(Enum):
    """Name the outcome of a request for a password."""

    NEW = auto()
    REPEATED = auto()
    OPTED_OUT = auto()
    NUMBER_HAD_ENOUGH = auto()
    ALL_HAD_ENOUGH = auto()


class Claim(Enum):
    """Name the outcome of claiming a day's text."""

    OURS = auto()
    ANOTHERS = auto()
    DONE = auto()


class Settled(NamedTuple):
    """Represent the current state of a subscription."""

    is_wanted: bool
    is_settled: bool
    arn: str | None


def ask(db: peewee.Database, id_: str, number: str, purpose: str, now: dt.datetime) -> tuple[Asked, dt.datetime]:
    """Record a request for a password, unless a limit is reached.

    Returns:
        The outcome and, unless that is NEW, the time from which another request can succeed.
    """
    _take_turn(db)
    password = OneTimePassword
    mine = password.select(password.asked_at, password.is_opted_out).where(password.number == number)
    for asked_at, is_opted_out in _newest_first(mine.where(password.purpose == purpose), 1, db):
        if is_opted_out and asked_at > now - LIFETIME:
            return Asked.OPTED_OUT, asked_at + LIFETIME
        if not is_opted_out and asked_at > now - PAUSE:
            return Asked.REPEATED, asked_at + PAUSE
    of_number = _newest_first(mine.where(password.asked_at > now - WINDOW_OF_A_NUMBER), OF_A_NUMBER, db)
    if len(of_number) == OF_A_NUMBER:
        return Asked.NUMBER_HAD_ENOUGH, of_number[-1][0] + WINDOW_OF_A_NUMBER
    of_all = _newest_first(
        password.select(password.asked_at).where(password.asked_at > now - WINDOW_OF_ALL), OF_ALL, db
    )
    if len(of_all) == OF_ALL:
        return Asked.ALL_HAD_ENOUGH, of_all[-1][0] + WINDOW_OF_ALL
    password.insert(id=id_, number=number, purpose=purpose, asked_at=now).execute(db)
    return Asked.NEW, now


def asked_for(db: peewee.Database, id_: str) -> tuple[str, str] | None:
    """Return the number and the purpose of a request, or None if it is no longer on record."""
    password = OneTimePassword
    rows = list(password.select(password.number, password.purpose).where(password.id == id_).tuples().execute(db))
    return rows[0] if rows else None


def draw(db: peewee.Database, id_: str, digest: Digest, now: dt.datetime) -> bool:
    """Assign a password to a request; return False, so that no text is sent, if it has one, has expired or is gone."""
    asked = asked_for(db, id_)
    if asked is None:
        return False
    password = OneTimePassword
    to_do = (password.id == id_) & password.drawn_at.is_null() & (password.asked_at > now - LIFETIME)
    return bool(password.update(digest=digest(db, *asked), drawn_at=now).where(to_do).execute(db))


def take_back(db: peewee.Database, id_: str) -> None:
    """Remove a request's password, because its text was rejected and may be retried."""
    OneTimePassword.update(digest=None, drawn_at=None).where(OneTimePassword.id == id_).execute(db)


def forget(db: peewee.Database, id_: str) -> None:
    """Delete a request for which nothing was sent, so that it does not count towards the limits."""
    password = OneTimePassword
    peewee.ModelDelete(password).where((password.id == id_) & password.drawn_at.is_null()).execute(db)


def opt_out(db: peewee.Database, id_: str) -> None:
    """Record that the number's owner has opted out of texts."""
    OneTimePassword.update(is_opted_out=True).where(OneTimePassword.id == id_).execute(db)


def spend(db: peewee.Database, number: str, purpose: str, digest: Digest, now: dt.datetime) -> str | None:
    """Use up the newest password of a number and purpose, if it is correct, and record what it confirms.

    Every attempt is counted, in the same statement that checks the limit, before the password is compared; so
    concurrent attempts cannot exceed the limit.

    Returns:
        The id of the request, or None if the password is wrong or no longer valid.
    """
    password = OneTimePassword
    given = digest(db, number, purpose)
    of_purpose = (password.number == number) & (password.purpose == purpose) & password.drawn_at.is_null(False)
    columns = (password.id, password.digest)
    newest = password.select(*columns).where(of_purpose).order_by(password.drawn_at.desc()).limit(1)
    for id_, right in newest.tuples().execute(db):
        is_valid = password.used_at.is_null() & (password.drawn_at > now - LIFETIME) & (password.tries < TRIES)
        counted = password.update(tries=password.tries + 1).where((password.id == id_) & is_valid).execute(db)
        if counted and hmac.compare_digest(right, given):
            password.update(used_at=now).where(password.id == id_).execute(db)
            _want(db, number, is_wanted=purpose == "subscribe")
            return str(id_)
    return None


def local_secret(db: peewee.Database, fresh: str) -> str:
    """Return this database's own secret, storing `fresh` if it has none."""
    LocalSecret.insert(id=1, secret=fresh).on_conflict_ignore().execute(db)
    ((secret,),) = LocalSecret.select(LocalSecret.secret).tuples().execute(db)
    return str(secret)


def subscription(db: peewee.Database, number: str) -> Settled | None:
    """Return a number's subscription, including one that is still to be ended on the topic, or None."""
    row = Subscription
    rows = row.select(row.is_wanted, row.is_settled, row.arn).where(row.number == number).tuples().execute(db)
    return next((Settled(*found) for found in rows), None)


def settle(db: peewee.Database, number: str, arn: str | None) -> bool:
    """Record the state of the topic; return whether that is still what the owner wants.

    Args:
        db: The database, in a transaction.
        number: The number.
        arn: The ARN of its subscription; None if the topic has none.
    """
    mine = Subscription.number == number
    if arn is None:
        return bool(peewee.ModelDelete(Subscription).where(mine & ~Subscription.is_wanted).execute(db))
    return bool(Subscription.update(arn=arn, is_settled=True).where(mine & Subscription.is_wanted).execute(db))


def unsettled(db: peewee.Database, at_most: int) -> list[str]:
    """Return numbers for which the topic may not reflect their owners' wishes yet."""
    rows = Subscription.select(Subscription.number).where(~Subscription.is_settled).limit(at_most)
    return [number for (number,) in rows.tuples().execute(db)]


def claim(db: peewee.Database, day: dt.date, token: str, now: dt.datetime, lasts: dt.timedelta) -> Claim:
    """Claim publishing a day's text, unless it is done or another claim is younger than `lasts`."""
    row = Publication
    row.insert(day=day).on_conflict_ignore().execute(db)
    is_free = row.claimed_at.is_null() | (row.claimed_at <= now - lasts)
    to_do = (row.day == day) & row.done_at.is_null()
    if row.update(claim=token, claimed_at=now).where(to_do & is_free).execute(db):
        return Claim.OURS
    return Claim.ANOTHERS if row.select().where(to_do).exists(db) else Claim.DONE


def is_published(db: peewee.Database, day: dt.date) -> bool:
    """Return whether a day's text has been published."""
    row = Publication
    return bool(row.select().where((row.day == day) & row.done_at.is_null(False)).exists(db))


def give_back(db: peewee.Database, day: dt.date, token: str) -> None:
    """Release a claim, because SNS did not accept the text."""
    row = Publication
    row.update(claim=None, claimed_at=None).where((row.day == day) & (row.claim == token)).execute(db)


def publish(db: peewee.Database, day: dt.date, now: dt.datetime) -> None:
    """Record that a day's text was published, even if the claim has expired and is another's."""
    row = Publication
    row.update(done_at=now).where((row.day == day) & row.done_at.is_null()).execute(db)


def remove_old(db: peewee.Database, now: dt.datetime) -> int:
    """Delete expired rows; return their number."""
    old = OneTimePassword.asked_at <= now - max(WINDOW_OF_A_NUMBER, WINDOW_OF_ALL, LIFETIME)
    removed = peewee.ModelDelete(OneTimePassword).where(old).execute(db)
    removed += peewee.ModelDelete(Publication).where(Publication.day < (now - PUBLICATIONS_KEPT).date()).execute(db)
    return int(removed)


def _want(db: peewee.Database, number: str, *, is_wanted: bool) -> None:
    # Two statements, because the SQLite of Lambda's older runtimes does not support upsert.
    wanted = {"is_wanted": is_wanted, "is_settled": False}
    Subscription.insert(number=number, **wanted).on_conflict_ignore().execute(db)
    Subscription.update(wanted).where(Subscription.number == number).execute(db)


def _newest_first(rows: peewee.Query, number: int, db: peewee.Database) -> list[tuple[dt.datetime, bool]]:
    return list(rows.order_by(OneTimePassword.asked_at.desc()).limit(number).tuples().execute(db))


def _take_turn(db: peewee.Database) -> None:
    """Serialize requests until this change is committed, so that concurrent ones cannot exceed the limits.

    SQLite has a single writer and CockroachDB is serializable; only PostgreSQL needs an explicit lock.
    """
    if not isinstance(db, peewee.PostgresqlDatabase):
        return
    from playhouse.cockroachdb import CockroachDatabase

    if not isinstance(db, CockroachDatabase):
        db.execute_sql("SELECT pg_advisory_xact_lock(%s)", (_TURN,))
