"""Create the table of daily quotes."""

from typing import Any

from peewee import DateField, DateTimeField, Model, TextField


def up(migrator: Any, db: Any) -> None:
    """Apply the migration."""

    class DailyQuote(Model):
        day = DateField(primary_key=True)
        quote = TextField()
        author = TextField()
        category = TextField()
        source = TextField(null=True)
        quote_id = TextField(null=True)
        stored_at = DateTimeField()

        class Meta:
            database = db
            table_name = "daily_quote"

    db.create_tables([DailyQuote])
