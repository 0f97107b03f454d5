"""Create the tables of the daily text: one-time passwords, subscriptions, publications, and a laptop's secret."""

from typing import Any

from peewee import BooleanField, DateField, DateTimeField, IntegerField, Model, TextField


def up(migrator: Any, db: Any) -> None:
    """Apply the migration."""

    class OneTimePassword(Model):
        id = TextField(primary_key=True)
        number = TextField()
        purpose = TextField()
        asked_at = DateTimeField(index=True)
        is_opted_out = BooleanField()
        digest = TextField(null=True)
        drawn_at = DateTimeField(null=True)
        tries = IntegerField()
        used_at = DateTimeField(null=True)

        class Meta:
            database = db
            table_name = "one_time_password"
            indexes = ((("number", "asked_at"), False),)

    class Subscription(Model):
        number = TextField(primary_key=True)
        is_wanted = BooleanField()
        is_settled = BooleanField(index=True)
        arn = TextField(null=True)

        class Meta:
            database = db
            table_name = "subscription"

    class Publication(Model):
        day = DateField(primary_key=True)
        claim = TextField(null=True)
        claimed_at = DateTimeField(null=True)
        done_at = DateTimeField(null=True)

        class Meta:
            database = db
            table_name = "publication"

    class LocalSecret(Model):
        id = IntegerField(primary_key=True)
        secret = TextField()

        class Meta:
            database = db
            table_name = "local_secret"

    db.create_tables([OneTimePassword, Subscription, Publication, LocalSecret])
