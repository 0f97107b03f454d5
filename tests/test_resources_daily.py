"""The quote of the day over HTTP: which day, how long it may be kept, and what was served on earlier ones."""

import datetime as dt
import re
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from falcon import testing

from quotes import models
from quotes.corpus import Corpus
from quotes.database import Database, open_database
from quotes.quote import Quote
from quotes.service import Service
from tests.conftest import Clock
from tests.test_resources import EVERY_ANSWER, client_of

TODAY = dt.date(2026, 11, 21)  # the frozen clock's
YESTERDAY = Quote("What was said yesterday.", "Émilie du Châtelet", "Truth")
A_YEAR = "public, max-age=31536000, immutable"


@pytest.fixture
def yesterday(database: Database) -> Quote:
    """Put a quote of the upstream's on record for yesterday."""
    now = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)
    return database.write(lambda db: models.store_quote(db, now.date(), YESTERDAY, now))


def headers_of_a_day(answer: testing.Result, content_type: str, caching: str) -> dict[str, str]:
    etag = answer.headers["ETag"]
    assert re.fullmatch(r'"[!#-~]+"', etag), "a strong entity tag (RFC 9110, section 8.8.3)"
    return EVERY_ANSWER | {
        "content-type": content_type,
        "content-length": str(len(answer.content)),
        "cache-control": caching,
        "etag": etag,
        "vary": "Accept",
    }


@pytest.mark.parametrize(
    "url", ["/quote", "/quote?type=daily", "/daily", "/quote?type=daily&date=2026-11-21", "/daily?date=2026-11-21"]
)
def test_the_quote_of_today(client: testing.TestClient, corpus: Corpus, url: str):
    answer = client.simulate_get(url)

    assert answer.status_code == 200
    assert dict(answer.headers) == headers_of_a_day(answer, "application/json", "public, max-age=43200")
    assert answer.json == corpus.of_day(TODAY)._asdict() | {"date": "2026-11-21"}
    assert list(answer.json) == ["quote", "author", "category", "source", "id", "date"]


def test_the_quote_of_today_as_text(client: testing.TestClient, corpus: Corpus):
    answer = client.simulate_get("/daily?format=text")

    assert answer.status_code == 200
    assert dict(answer.headers) == headers_of_a_day(answer, "text/plain; charset=utf-8", "public, max-age=43200")
    quote = corpus.of_day(TODAY)
    assert answer.content.decode() == f"{quote.quote}\n— {quote.author}\n"


def test_an_earlier_day_is_answered_as_it_was_served_and_may_be_kept_for_good(
    client: testing.TestClient, yesterday: Quote
):
    answer = client.simulate_get("/quote?type=daily&date=2026-11-20")

    assert answer.status_code == 200
    assert dict(answer.headers) == headers_of_a_day(answer, "application/json", A_YEAR)
    assert answer.json == yesterday._asdict() | {"source": None, "id": None, "date": "2026-11-20"}


def test_a_day_that_is_not_on_record_is_404_each_time_it_is_asked_for(client: testing.TestClient):
    for _ in range(2):
        answer = client.simulate_get("/daily?date=2026-11-20")
        assert answer.status_code == 404
        assert answer.json["detail"] == "No quote is on record for 2026-11-20."


@pytest.mark.parametrize(
    "date",
    [
        *("2026-02-30", "2026-13-01", "0000-01-01", "2026-1-1", "20261120", "2026-W47-5", "20.11.2026", "yesterday"),
        *("2026-11-20T00:00:00", "2026-11-200", "-2026-11-20", "2026\u201111\u201120", "2026-11-2\u0660"),
    ],
)
def test_a_malformed_date_is_400(client: testing.TestClient, yesterday: Quote, date: str):
    answer = client.simulate_get("/daily", params={"date": date})

    assert answer.status_code == 400
    assert answer.json["detail"] == "The parameter 'date' is not a calendar day written as YYYY-MM-DD."


@pytest.mark.parametrize("date", ["2026-11-22", "9999-12-31"])
def test_a_future_date_is_400(client: testing.TestClient, date: str):
    answer = client.simulate_get("/daily", params={"date": date})

    assert answer.status_code == 400
    assert answer.json["detail"] == "The parameter 'date' lies in the future; today is 2026-11-21."


@pytest.mark.parametrize(
    ("zone", "now", "date", "seconds"),
    [
        pytest.param("UTC", "2026-11-21T00:00:00", "2026-11-21", 86400, id="a day begins"),
        pytest.param("UTC", "2026-11-21T23:59:59.9", "2026-11-21", 0, id="a day is nearly over"),
        pytest.param("Asia/Kolkata", "2026-11-21T12:00:00", "2026-11-21", 23400, id="half an hour apart"),
        pytest.param("Pacific/Kiritimati", "2026-11-21T12:00:00", "2026-11-22", 79200, id="tomorrow already"),
        pytest.param("Pacific/Pago_Pago", "2026-11-21T10:59:59", "2026-11-20", 1, id="yesterday still"),
        pytest.param("America/New_York", "2026-03-08T05:00:00", "2026-03-08", 82800, id="a day of 23 hours"),
        pytest.param("America/New_York", "2026-11-01T04:00:00", "2026-11-01", 90000, id="a day of 25 hours"),
        pytest.param("Asia/Beirut", "2026-03-28T10:00:00", "2026-03-28", 43200, id="the next day has no midnight"),
        pytest.param("Asia/Beirut", "2026-03-28T22:00:00", "2026-03-29", 82800, id="a day that begins at one"),
    ],
)
def test_a_day_lasts_until_midnight_in_its_time_zone(
    make_service: Callable[..., Service], clock: Clock, zone: str, now: str, date: str, seconds: int
):
    clock.now = dt.datetime.fromisoformat(f"{now}+00:00")

    answer = client_of(make_service(timezone=ZoneInfo(zone))).simulate_get("/daily")

    assert answer.json["date"] == date
    assert answer.headers["Cache-Control"] == f"public, max-age={seconds}"


def test_what_is_future_depends_on_the_time_zone(make_service: Callable[..., Service]):
    client = client_of(make_service(timezone=ZoneInfo("Pacific/Kiritimati")))

    assert client.simulate_get("/daily?date=2026-11-22").json["date"] == "2026-11-22"


def test_at_midnight_the_next_quote_is_served_and_the_last_one_is_kept_for_good(
    client: testing.TestClient, corpus: Corpus, clock: Clock
):
    clock.move(hours=11, minutes=59, seconds=59)
    last = client.simulate_get("/daily")
    clock.move(seconds=1)

    following, archived = client.simulate_get("/daily"), client.simulate_get("/daily?date=2026-11-21")

    assert following.json == corpus.of_day(dt.date(2026, 11, 22))._asdict() | {"date": "2026-11-22"}
    assert following.headers["Cache-Control"] == "public, max-age=86400"
    assert (archived.content, archived.headers["ETag"]) == (last.content, last.headers["ETag"])
    assert archived.headers["Cache-Control"] == A_YEAR


@pytest.mark.parametrize("url", ["/daily", "/daily?format=text", "/daily?date=2026-11-20"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("tags", ["{}", "W/{}", '"other", {}', '"a,b" , W/"c",{}', "*"])
def test_who_has_the_answer_is_told_so(client: testing.TestClient, yesterday: Quote, url: str, method: str, tags: str):
    known = client.simulate_get(url)
    has = {"If-None-Match": tags.format(known.headers["ETag"])}

    answer = client.simulate_request(method, url, headers=has)

    assert (answer.status_code, answer.content) == (304, b"")
    validators = {name: known.headers[name] for name in ("etag", "cache-control", "vary")}
    assert dict(answer.headers) == EVERY_ANSWER | validators


@pytest.mark.parametrize("tags", ['"other"', 'W/"other", "another"', "", ",", '"', "W/", "é"])
def test_who_has_another_answer_gets_this_one(client: testing.TestClient, tags: str):
    assert client.simulate_get("/daily", headers={"If-None-Match": tags}).status_code == 200


def test_each_representation_of_each_day_has_an_etag_of_its_own(client: testing.TestClient, yesterday: Quote):
    urls = [f"/daily?format={form}&date={date}" for form in ("json", "text") for date in ("2026-11-20", "2026-11-21")]

    assert len({client.simulate_get(url).headers["ETag"] for url in urls}) == 4


def test_an_etag_of_one_representation_does_not_stand_for_another(client: testing.TestClient):
    etag = client.simulate_get("/daily").headers["ETag"]

    answer = client.simulate_get("/daily", headers={"Accept": "text/plain", "If-None-Match": etag})

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/plain; charset=utf-8")


def test_every_instance_gives_the_same_answer_as_the_first(make_service: Callable[..., Service]):
    first, second = (client_of(make_service()).simulate_get("/daily") for _ in range(2))

    assert (first.content, first.headers) == (second.content, second.headers)


def test_a_stored_day_is_answered_without_the_database(client: testing.TestClient, tmp_path: Path):
    before = client.simulate_get("/daily")
    (tmp_path / "quotes.db").unlink()
    (tmp_path / "quotes.db").mkdir()

    after, text = client.simulate_get("/daily"), client.simulate_get("/daily?format=text")

    assert (after.status_code, after.content) == (200, before.content)
    assert (text.status_code, text.headers["Cache-Control"]) == (200, "public, max-age=43200")


def test_while_the_database_is_unusable_today_has_a_quote_that_nobody_may_keep(
    make_service: Callable[..., Service], corpus: Corpus, tmp_path: Path
):
    service = make_service(database=open_database(f"sqlite:///{tmp_path}/no/such/folder/quotes.db"))

    answer = client_of(service).simulate_get("/daily")

    assert answer.status_code == 200
    assert dict(answer.headers) == EVERY_ANSWER | {
        "content-type": "application/json",
        "content-length": str(len(answer.content)),
        "cache-control": "no-store",
        "vary": "Accept",
    }
    assert answer.json == corpus.of_day(TODAY)._asdict() | {"date": "2026-11-21"}
