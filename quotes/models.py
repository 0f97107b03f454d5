"""The tables of the state, and the questions asked of them.

Each function takes the open database that `Database.read` or `Database.write` hands out.
"""

import datetime as dt

import peewee

from quotes.database import Database
from quotes.errors import StateUnavailable
from quotes.quote import Quote


class DailyQuote(peewee.Model):
    """Keep the quote of one day as it was served; a row is never changed."""

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
    """Return the quote on record for a day, None where there is none."""
    columns = (DailyQuote.quote, DailyQuote.author, DailyQuote.category, DailyQuote.source, DailyQuote.quote_id)
    rows = list(DailyQuote.select(*columns).where(DailyQuote.day == day).tuples().execute(db))
    return Quote(*rows[0]) if rows else None


def latest_quotes(db: peewee.Database, last: dt.date, count: int) -> list[tuple[dt.date, Quote]]:
    """Return the quotes on record for the days up to one, the newest first.

    Args:
        db: The database.
        last: The newest day.
        count: How many days at most; days without a quote are passed over.
    """
    columns = (DailyQuote.day, DailyQuote.quote, DailyQuote.author, DailyQuote.category, DailyQuote.source)
    asked = DailyQuote.select(*columns, DailyQuote.quote_id).where(DailyQuote.day <= last)
    rows = asked.order_by(DailyQuote.day.desc()).limit(count).tuples().execute(db)
    return [(day, Quote(*quote)) for day, *quote in rows]


def store_quote(db: peewee.Database, day: dt.date, quote: Quote, now: dt.datetime) -> Quote:
    """Put a quote on record for a day unless one is there; return the one that is there now.

    First writer wins: the day is the primary key, and the insert is ignored where it is taken.

    Args:
        db: The database, in a transaction.
        day: The day.
        quote: What to store.
        now: The time of storing, aware; kept in UTC.
    """
    DailyQuote.insert(
        day=day,
        quote=quote.quote,
        author=quote.author,
        category=quote.category,
        source=quote.source,
        quote_id=quote.id,
        stored_at=now.astimezone(dt.UTC).replace(tzinfo=None),
    ).on_conflict_ignore().execute(db)
    stored = stored_quote(db, day)
    assert stored is not None
    return stored


def copy_state(source: Database, target: Database) -> tuple[int, int]:
    """Copy every row to another database, in one transaction; rows that are there already stay as they are.

    Args:
        source: Where the rows are.
        target: Where they shall be as well.

    Returns:
        How many rows there are, and how many of them the target lacked.

    Raises:
        StateUnavailable: One of the two cannot be used; the target is then as it was.
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
