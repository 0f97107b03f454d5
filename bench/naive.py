"""The obvious design, case (c): query the database for each daily quote, and the upstream for each random one.

The upstream is a stub here that answers at once; a real one would only make (c) slower.
"""

import datetime as dt
import itertools
import json
import os
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

import falcon
import peewee
import requests

QUOTE = json.loads(os.environ["BENCH_BODY"])
UPSTREAM = os.environ.get("BENCH_UPSTREAM", "")

database = peewee.SqliteDatabase(None)


class Daily(peewee.Model):
    day = peewee.DateField(unique=True)
    quote = peewee.TextField()
    author = peewee.TextField()
    category = peewee.TextField()

    class Meta:
        database = database


class Quote:
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        if req.get_param("type") == "random":
            answer = requests.get(UPSTREAM, headers={"X-Mashape-Key": "key"}, timeout=3)
            resp.media = answer.json()[0]
            return
        with database.connection_context():
            row = Daily.get(Daily.day == dt.datetime.now(dt.UTC).date())
        resp.media = {"quote": row.quote, "author": row.author, "category": row.category, "date": row.day.isoformat()}


def create_api() -> "falcon.App[Any, Any]":
    """Create the application, and store the quotes of today and tomorrow in the working directory."""
    database.init("naive.db")
    today = dt.datetime.now(dt.UTC).date()
    with database.connection_context():
        Daily.create_table(safe=True)
        for day in (today, today + dt.timedelta(days=1)):
            Daily.insert(
                day=day, quote=QUOTE["quote"], author=QUOTE["author"], category=QUOTE["category"]
            ).on_conflict_ignore().execute()
    app = falcon.App()
    app.add_route("/quote", Quote())
    return app


_numbers = itertools.count()


def upstream(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer as Mashape does: a list of one quote, or of `count` different ones."""
    count = int(parse_qs(environ["QUERY_STRING"]).get("count", ["1"])[0])
    entries = [
        {"quote": f"{QUOTE['quote']} {next(_numbers)}", "author": QUOTE["author"], "category": QUOTE["category"]}
        for _ in range(count)
    ]
    body = json.dumps(entries).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


api = create_api()
