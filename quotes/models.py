"""The tables of the state, and the questions asked of them.

Each function takes the open database that `Database.read` or `Database.write` hands out.
"""

import datetime as dt

import peewee

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


def stored_quote(db: peewee.Database, day: dt.date) -> Quote | None:
    """Return the quote on record for a day, None where there is none."""
    columns = (DailyQuote.quote, DailyQuote.author, DailyQuote.category, DailyQuote.source, DailyQuote.quote_id)
    rows = list(DailyQuote.select(*columns).where(DailyQuote.day == day).tuples().execute(db))
    return Quote(*rows[0]) if rows else None


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
