"""The tables of the daily text, and the changes made to them.

Each function takes the open database that `Database.read` or `Database.write` hands out. A change may run more than
once, so whatever it must not invent twice (an id, a password, the time) comes in as an argument. None raises: what is
raised in a change takes back what was counted. Times are UTC without zone, as the columns have them.
"""

import datetime as dt
import hmac
import logging
from collections.abc import Callable
from enum import Enum, auto
from typing import NamedTuple

import peewee

logging.getLogger("peewee").addFilter(lambda record: record.levelno > logging.DEBUG)  # those tell what rows hold

LIFETIME = dt.timedelta(minutes=10)  # of a one-time password
TRIES = 5  # to guess one
PAUSE = dt.timedelta(minutes=1)  # between two of one number and purpose
OF_A_NUMBER = 5  # within WINDOW_OF_A_NUMBER
WINDOW_OF_A_NUMBER = dt.timedelta(days=1)
OF_ALL = 100  # within WINDOW_OF_ALL: what pumping can cost at most, and more than a small service ever needs
WINDOW_OF_ALL = dt.timedelta(hours=1)
PUBLICATIONS_KEPT = dt.timedelta(days=60)  # longer than any event is late
_TURN = 5_150_607  # names our lock among all of a PostgreSQL database; any number does


class OneTimePassword(peewee.Model):
    """Keep that a number asked for a password, and its keyed hash once it is drawn.

    The id says nothing of the number: it is what a task is given.
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
    """Keep what the owner of a number confirmed last, and whether the topic says the same by now."""

    number = peewee.TextField(primary_key=True)
    is_wanted = peewee.BooleanField()
    is_settled = peewee.BooleanField(index=True)
    arn = peewee.TextField(null=True)

    class Meta:
        """Name the table."""

        table_name = "subscription"


class Publication(peewee.Model):
    """Keep who is about to publish a day's text, and when it was done."""

    day = peewee.DateField(primary_key=True)
    claim = peewee.TextField(null=True)
    claimed_at = peewee.DateTimeField(null=True)
    done_at = peewee.DateTimeField(null=True)

    class Meta:
        """Name the table."""

        table_name = "publication"


class LocalSecret(peewee.Model):
    """Keep the key of the passwords' hashes where the operator set none: on a laptop."""

    id = peewee.IntegerField(primary_key=True)
    secret = peewee.TextField()

    class Meta:
        """Name the table."""

        table_name = "local_secret"


TABLES: tuple[type[peewee.Model], ...] = (OneTimePassword, Subscription, Publication, LocalSecret)

Digest = Callable[[peewee.Database, str, str], str]  # of the password at hand, for a number and a purpose


class Asked(Enum):
    """Say what became of a request for a password."""

    NEW = auto()
    REPEATED = auto()
    OPTED_OUT = auto()
    NUMBER_HAD_ENOUGH = auto()
    ALL_HAD_ENOUGH = auto()


class Claim(Enum):
    """Say whether a day's text is to be published."""

    OURS = auto()
    ANOTHERS = auto()
    DONE = auto()


class Settled(NamedTuple):
    """Hold a subscription as it stands."""

    is_wanted: bool
    is_settled: bool
    arn: str | None


def ask(db: peewee.Database, id_: str, number: str, purpose: str, now: dt.datetime) -> tuple[Asked, dt.datetime]:
    """Put a request for a password on record, unless that would be one too many.

    Returns:
        What became of it, and when it is worth to ask again.
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
    """Return the number and the purpose of a request, None where it is not on record any more."""
    password = OneTimePassword
    rows = list(password.select(password.number, password.purpose).where(password.id == id_).tuples().execute(db))
    return rows[0] if rows else None


def draw(db: peewee.Database, id_: str, digest: Digest, now: dt.datetime) -> bool:
    """Give a request its password; tell whether it had none, for only then the text may go out."""
    asked = asked_for(db, id_)
    if asked is None:
        return False
    password = OneTimePassword
    to_do = (password.id == id_) & password.drawn_at.is_null() & (password.asked_at > now - LIFETIME)
    return bool(password.update(digest=digest(db, *asked), drawn_at=now).where(to_do).execute(db))


def take_back(db: peewee.Database, id_: str) -> None:
    """Leave a request without a password again: its text was refused, and may be tried once more."""
    OneTimePassword.update(digest=None, drawn_at=None).where(OneTimePassword.id == id_).execute(db)


def forget(db: peewee.Database, id_: str) -> None:
    """Remove a request that nothing was sent for, so that it does not count."""
    password = OneTimePassword
    peewee.ModelDelete(password).where((password.id == id_) & password.drawn_at.is_null()).execute(db)


def opt_out(db: peewee.Database, id_: str) -> None:
    """Put on record that the owner of the number forbade texts."""
    OneTimePassword.update(is_opted_out=True).where(OneTimePassword.id == id_).execute(db)


def spend(db: peewee.Database, number: str, purpose: str, digest: Digest, now: dt.datetime) -> str | None:
    """Use the newest password of a number and purpose up, if it is the right one, and put on record what it confirms.

    Every try counts before it is looked at, in one statement with the limit, so that tries at once cannot share one.

    Returns:
        The id of the request, None where the password is not right or not valid.
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
    """Return this database's own secret, which is `fresh` where it had none."""
    LocalSecret.insert(id=1, secret=fresh).on_conflict_ignore().execute(db)
    ((secret,),) = LocalSecret.select(LocalSecret.secret).tuples().execute(db)
    return str(secret)


def subscription(db: peewee.Database, number: str) -> Settled | None:
    """Return a number's subscription, None where it has none and had none that has yet to be ended."""
    row = Subscription
    rows = row.select(row.is_wanted, row.is_settled, row.arn).where(row.number == number).tuples().execute(db)
    return next((Settled(*found) for found in rows), None)


def settle(db: peewee.Database, number: str, arn: str | None) -> bool:
    """Put on record what the topic says by now; tell whether that is still what the owner wants.

    Args:
        db: The database, in a transaction.
        number: The number.
        arn: Its subscription's ARN, None where the topic has none.
    """
    mine = Subscription.number == number
    if arn is None:
        return bool(peewee.ModelDelete(Subscription).where(mine & ~Subscription.is_wanted).execute(db))
    return bool(Subscription.update(arn=arn, is_settled=True).where(mine & Subscription.is_wanted).execute(db))


def unsettled(db: peewee.Database, at_most: int) -> list[str]:
    """Return numbers of which the topic may not say what their owners want."""
    rows = Subscription.select(Subscription.number).where(~Subscription.is_settled).limit(at_most)
    return [number for (number,) in rows.tuples().execute(db)]


def claim(db: peewee.Database, day: dt.date, token: str, now: dt.datetime, lasts: dt.timedelta) -> Claim:
    """Claim the publishing of a day's text, unless it is done, or claimed by another not longer than `lasts` ago."""
    row = Publication
    row.insert(day=day).on_conflict_ignore().execute(db)
    is_free = row.claimed_at.is_null() | (row.claimed_at <= now - lasts)
    to_do = (row.day == day) & row.done_at.is_null()
    if row.update(claim=token, claimed_at=now).where(to_do & is_free).execute(db):
        return Claim.OURS
    return Claim.ANOTHERS if row.select().where(to_do).exists(db) else Claim.DONE


def is_published(db: peewee.Database, day: dt.date) -> bool:
    """Tell whether a day's text was published."""
    row = Publication
    return bool(row.select().where((row.day == day) & row.done_at.is_null(False)).exists(db))


def give_back(db: peewee.Database, day: dt.date, token: str) -> None:
    """Give a claim back: SNS did not take the text."""
    row = Publication
    row.update(claim=None, claimed_at=None).where((row.day == day) & (row.claim == token)).execute(db)


def publish(db: peewee.Database, day: dt.date, now: dt.datetime) -> None:
    """Put on record that a day's text was published, whoever has the claim by now."""
    row = Publication
    row.update(done_at=now).where((row.day == day) & row.done_at.is_null()).execute(db)


def remove_old(db: peewee.Database, now: dt.datetime) -> int:
    """Remove what nobody asks for any more; return how many rows that were."""
    old = OneTimePassword.asked_at <= now - max(WINDOW_OF_A_NUMBER, WINDOW_OF_ALL, LIFETIME)
    removed = peewee.ModelDelete(OneTimePassword).where(old).execute(db)
    removed += peewee.ModelDelete(Publication).where(Publication.day < (now - PUBLICATIONS_KEPT).date()).execute(db)
    return int(removed)


def _want(db: peewee.Database, number: str, *, is_wanted: bool) -> None:
    # Two statements, for the SQLite of Lambda's older runtimes knows no upsert.
    wanted = {"is_wanted": is_wanted, "is_settled": False}
    Subscription.insert(number=number, **wanted).on_conflict_ignore().execute(db)
    Subscription.update(wanted).where(Subscription.number == number).execute(db)


def _newest_first(rows: peewee.Query, number: int, db: peewee.Database) -> list[tuple[dt.datetime, bool]]:
    return list(rows.order_by(OneTimePassword.asked_at.desc()).limit(number).tuples().execute(db))


def _take_turn(db: peewee.Database) -> None:
    """Let nobody else ask until this change is committed, or the limits would be counted by several at once.

    SQLite has one writer, CockroachDB is serializable; PostgreSQL lets a transaction wait for a lock of its own.
    """
    if not isinstance(db, peewee.PostgresqlDatabase):
        return
    from playhouse.cockroachdb import CockroachDatabase

    if not isinstance(db, CockroachDatabase):
        db.execute_sql("SELECT pg_advisory_xact_lock(%s)", (_TURN,))
