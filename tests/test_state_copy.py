"""`python -m quotes state copy FROM TO` between every two kinds of state."""

import datetime as dt
import itertools
from pathlib import Path
from typing import Any

import peewee
import pytest

from quotes import models
from quotes.__main__ import main
from quotes.database import open_database
from quotes.quote import Quote
from tests.s3 import S3, error

pytest_plugins = ("tests.postgres", "tests.s3")

KINDS = ("sqlite", "s3", "postgresql")
FIRST_DAY = dt.date(2020, 1, 1)
STORED_AT = dt.datetime(2026, 11, 21, 12, 30, 15, 123456, tzinfo=dt.UTC)
SOURCED = Quote("Ça ira — “mañana”.\n", "O'Neil; DROP", "Life", "A Work, 1901", "an-id")
PLAIN = Quote("words", "author", "category")


@pytest.fixture
def urls(tmp_path: Path, s3: S3, postgres_url: str) -> dict[str, str]:
    """Return the URL of an empty database of each kind."""
    return {"sqlite": f"sqlite:///{tmp_path}/quotes.db", "s3": s3.url, "postgresql": postgres_url}


def fill(url: str, *quotes: Quote) -> None:
    """Store a quote a day."""

    def change(db: peewee.Database) -> None:
        for n, quote in enumerate(quotes):
            models.store_quote(db, FIRST_DAY + dt.timedelta(days=n), quote, STORED_AT)

    open_database(url).write(change)


def rows(url: str) -> list[tuple[Any, ...]]:
    table = models.DailyQuote
    return open_database(url).read(lambda db: list(table.select().order_by(table.day).tuples().execute(db)))


def row(n: int, quote: Quote) -> tuple[Any, ...]:
    return (FIRST_DAY + dt.timedelta(days=n), *quote, STORED_AT.replace(tzinfo=None))


@pytest.mark.parametrize(("source", "target"), list(itertools.permutations(KINDS, 2)))
def test_every_row_is_copied_once(
    urls: dict[str, str], capsys: pytest.CaptureFixture[str], source: str, target: str
) -> None:
    fill(urls[source], SOURCED, PLAIN)
    copy = ["state", "copy", urls[source], urls[target]]

    assert [main(copy), main(copy)] == [0, 0]

    first = "2 rows read, 2 of them new in the target; 0 were there already and stay as they were.\n"
    again = "2 rows read, 0 of them new in the target; 2 were there already and stay as they were.\n"
    assert capsys.readouterr() == (first + again, "")
    assert rows(urls[target]) == rows(urls[source]) == [row(0, SOURCED), row(1, PLAIN)]


@pytest.mark.parametrize(("source", "target"), [("sqlite", "s3"), ("s3", "postgresql"), ("postgresql", "sqlite")])
def test_a_day_that_the_target_has_stays_as_it_was(
    urls: dict[str, str], capsys: pytest.CaptureFixture[str], source: str, target: str
) -> None:
    fill(urls[target], SOURCED)
    fill(urls[source], PLAIN, PLAIN)

    assert main(["state", "copy", urls[source], urls[target]]) == 0

    told = "2 rows read, 1 of them new in the target; 1 were there already and stay as they were.\n"
    assert capsys.readouterr() == (told, "")
    assert rows(urls[target]) == [row(0, SOURCED), row(1, PLAIN)]


def test_three_years_are_one_upload(urls: dict[str, str], s3: S3) -> None:
    fill(urls["sqlite"], *[PLAIN] * 1100)

    assert main(["state", "copy", urls["sqlite"], urls["s3"]]) == 0

    assert [request.method for request in s3.requests] == ["GET", "PUT"]
    assert rows(urls["s3"]) == [row(n, PLAIN) for n in range(1100)]


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("mysql://me:s3cret@127.0.0.1/quotes", "starts with none of sqlite://, s3://, postgresql://, cockroachdb://"),
        ("s3://bucket", "needs a bucket and a key: s3://bucket/quotes.db"),
        ("quotes.db", "starts with none of sqlite://, s3://, postgresql://, cockroachdb://"),
    ],
)
@pytest.mark.parametrize("place", ["FROM", "TO"])
def test_a_bad_url_is_named_and_nothing_is_touched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], place: str, url: str, told: str
) -> None:
    good = f"sqlite:///{tmp_path}/quotes.db"

    assert main(["state", "copy", *((url, good) if place == "FROM" else (good, url))]) == 1

    assert capsys.readouterr() == ("", f"quotes: {place}: {told}\n")
    assert list(tmp_path.iterdir()) == []


def test_a_target_that_cannot_be_written_is_told(
    urls: dict[str, str], s3: S3, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(urls["sqlite"], PLAIN)
    s3.faults["PUT"] = iter([error(403, "InvalidAccessKeyId")])

    assert main(["state", "copy", urls["sqlite"], urls["s3"]]) == 1

    assert capsys.readouterr() == ("", "quotes: S3 refuses: InvalidAccessKeyId\n")
    assert s3.body is None


@pytest.mark.parametrize("source", ["sqlite", "s3"])
def test_a_source_that_is_not_there_is_told_and_not_made(
    urls: dict[str, str], capsys: pytest.CaptureFixture[str], tmp_path: Path, s3: S3, source: str
) -> None:
    assert main(["state", "copy", urls[source], urls["postgresql"]]) == 1

    assert capsys.readouterr() == ("", "quotes: There is nothing at FROM; is the URL right?\n")
    assert not (tmp_path / "quotes.db").exists()
    assert s3.body is None
