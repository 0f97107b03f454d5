"""The table of daily quotes and its queries; the tables of subscriptions are in `subscription_models.py`.

Each function takes the open database that `Database.read` or `Database.write` passes to its argument.
"""

import datetime as dt

import peewee

from quotes.database import Database, as_stored
from quotes.errors import StateUnavailable
from quotes.quote import Quote


class DailyQuote(peewee.Model):
    """Store the quote of one day as it was served; rows are never updated."""

    day = peewee.DateField(primary_key=True)
    quote = peewee.TextField()
    author = peewee.TextField()
    category = peewee.TextField()
    source = peewee.TextField(null=True)
    quote_id = peewee.TextField(null=True)
    stored_at = peewee.DateTimeField()

    class Meta:
        """Name the table."""

        table_name = "daily_quote"


ROWS_AT_ONCE = 500


def stored_quote(db: peewee.Database, day: dt.date) -> Quote | None:
    """Return the quote on record for a day, or None."""
    columns = (DailyQuote.quote, DailyQuote.author, DailyQuote.category, DailyQuote.source, DailyQuote.quote_id)
    rows = list(DailyQuote.select(*columns).where(DailyQuote.day == day).tuples().execute(db))
    return Quote(*rows[0]) if rows else None


def latest_quotes(db: peewee.Database, last: dt.date, count: int) -> list[tuple[dt.date, Quote]]:
    """Return the latest quotes on record, newest first.

    Args:
        db: The database.
        last: The latest day to include.
        count: The maximum number of quotes; days without a quote are skipped.
    """
    columns = (DailyQuote.day, DailyQuote.quote, DailyQuote.author, DailyQuote.category, DailyQuote.source)
    asked = DailyQuote.select(*columns, DailyQuote.quote_id).where(DailyQuote.day <= last)
    rows = asked.order_by(DailyQuote.day.desc()).limit(count).tuples().execute(db)
    return [(day, Quote(*quote)) for day, *quote in rows]


def store_quote(db: peewee.Database, day: dt.date, quote: Quote, now: dt.datetime) -> Quote:
    """Store a quote for a day unless it has one, and return the one on record.

    The first writer wins: the day is the primary key, and an insert that conflicts is ignored.

    Args:
        db: The database, in a transaction.
        day: The day.
        quote: The quote to store.
        now: The current time, as an aware datetime; stored in UTC.
    """
    DailyQuote.insert(
        day=day,
        quote=quote.quote,
        author=quote.author,
        category=quote.category,
        source=quote.source,
        quote_id=quote.id,
        stored_at=as_stored(now),
    ).on_conflict_ignore().execute(db)
    stored = stored_quote(db, day)
    assert stored is not None
    return stored


def copy_state(source: Database, target: Database) -> tuple[int, int]:
    """Copy every row to another database in one transaction, leaving existing rows unchanged.

    Args:
        source: The database to copy from.
        target: The database to copy to.

    Returns:
        The number of rows in the source, and how many of them are new in the target.

    Raises:
        StateUnavailable: One of the databases is unusable; the target is then unchanged.
    """
    if not source.is_there():
        raise StateUnavailable("There is nothing at FROM; is the URL right?")
    from quotes import subscription_models

    tables: tuple[type[peewee.Model], ...] = (DailyQuote, *subscription_models.TABLES)
    copied = source.read(lambda db: [list(table.select().dicts().execute(db)) for table in tables])

    def count(db: peewee.Database) -> int:
        return sum(table.select().count(db) for table in tables)

    def insert(db: peewee.Database) -> int:
        before = count(db)
        for table, rows in zip(tables, copied, strict=True):
            for some in peewee.chunked(rows, ROWS_AT_ONCE):
                table.insert_many(some).on_conflict_ignore().execute(db)
        return count(db) - before

    return sum(map(len, copied)), target.write(insert)
