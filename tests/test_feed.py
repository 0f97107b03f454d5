"""The feed of the last daily quotes over HTTP: valid, the same wherever it is read, kept until the day ends."""

import datetime as dt
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

import feedparser
import pytest
from falcon import testing

from quotes import __version__, models
from quotes.corpus import Corpus
from quotes.database import Database, open_database
from quotes.quote import Quote
from quotes.resources import create_api
from quotes.service import Service
from quotes.settings import Settings
from tests.conftest import Clock
from tests.test_resources import EVERY_ANSWER, client_of

ATOM, XHTML = "{http://www.w3.org/2005/Atom}", "{http://www.w3.org/1999/xhtml}"
TODAY = dt.date(2026, 11, 21)  # the frozen clock's
EVIL = "</p><script>alert('1')</script> & ]]> \x07\ufffe<!--"
DATE_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)"  # RFC 3339, as RFC 4287, section 3.3, wants it
URI = r"[A-Za-z][A-Za-z0-9+.-]*:[\w\-.~:/?#\[\]@!$&'()*+,;=%]+"
TAG = r"tag:[a-z0-9.-]+,\d{4}(-\d\d(-\d\d)?)?:[\w\-.~!$&'()*+,;=:@/?%]*"  # RFC 4151, section 2.1
BASE = "http://falconframework.org"  # the test client's


def store(database: Database, day: dt.date, quote: Quote) -> None:
    now = dt.datetime(2026, 11, 21, tzinfo=dt.UTC)
    database.write(lambda db: models.store_quote(db, day, quote, now))


def store_days(database: Database, count: int) -> list[Quote]:
    """Put a quote on record for each day before today; return them, the newest first."""
    quotes = [Quote(f"Quote {n}.", f"Author {n}", "Number", f"Work {n}", f"id{n}") for n in range(1, count + 1)]
    for n, quote in enumerate(quotes, 1):
        store(database, TODAY - dt.timedelta(days=n), quote)
    return quotes


def one(element: ET.Element, name: str) -> str:
    """Return the text of an element that there is exactly one of."""
    (found,) = element.findall(f"{ATOM}{name}")
    return found.text or ""


def links(element: ET.Element) -> list[tuple[str, str, str]]:
    return [(a["rel"], a["type"], a["href"]) for a in (link.attrib for link in element.findall(f"{ATOM}link"))]


def assert_is_valid(body: bytes) -> ET.Element:
    """Assert what RFC 4287 says a feed MUST be, sections 4.1.1 and 4.1.2 first; return the feed."""
    feed = ET.fromstring(body)
    assert feed.tag == f"{ATOM}feed"
    entries = feed.findall(f"{ATOM}entry")
    for element in (feed, *entries):
        assert one(element, "title")
        assert re.fullmatch(URI, one(element, "id"))
        assert re.fullmatch(DATE_TIME, one(element, "updated"))
        alternates = [(rel, kind) for rel, kind, href in links(element) if rel == "alternate"]
        assert len(set(alternates)) == len(alternates)  # of one type and language there is one
        assert all(re.fullmatch(URI, href) for _, _, href in links(element))
    assert len([link for link in links(feed) if link[0] == "self"]) == 1
    for entry in entries:
        (author,) = entry.findall(f"{ATOM}author")
        assert one(author, "name")
        assert re.fullmatch(DATE_TIME, one(entry, "published"))
        assert all(category.attrib["term"] for category in entry.findall(f"{ATOM}category"))
        (content,) = entry.findall(f"{ATOM}content")
        assert content.attrib == {"type": "xhtml"}
        assert [child.tag for child in content] == [f"{XHTML}div"]  # section 3.1.1.3
    assert len({one(entry, "id") for entry in entries}) == len(entries)
    assert one(feed, "updated") == max(one(entry, "updated") for entry in entries)
    read = feedparser.parse(body)
    assert (read.bozo, read.version, len(read.entries)) == (False, "atom10", len(entries))
    return feed


def test_the_feed_of_a_first_day_byte_for_byte(make_service: Callable[..., Service], database: Database):
    store(database, TODAY, Quote("I am no bird.", "Charlotte Brontë", "Freedom", "Jane Eyre (1847)", "j1"))

    answer = client_of(make_service()).simulate_get("/feed.atom")

    assert answer.status_code == 200
    assert dict(answer.headers) == EVERY_ANSWER | {
        "content-type": "application/atom+xml",
        "content-length": str(len(answer.content)),
        "cache-control": "public, max-age=43200",
        "etag": answer.headers["ETag"],
    }
    assert re.fullmatch(r'"[0-9a-f]{32}"', answer.headers["ETag"])
    assert answer.content.decode() == (
        "<?xml version='1.0' encoding='utf-8'?>\n"
        '<feed xmlns="http://www.w3.org/2005/Atom">'
        "<id>tag:quotes.invalid,2026:daily</id>"
        "<title>Quote of the day</title>"
        "<subtitle>One quote a day, the same for everybody all day.</subtitle>"
        "<updated>2026-11-21T00:00:00+00:00</updated>"
        f'<link rel="self" type="application/atom+xml" href="{BASE}/feed.atom" />'
        f'<link rel="alternate" type="text/html" href="{BASE}/" />'
        f'<generator version="{__version__}">Quotes</generator>'
        "<entry>"
        "<id>tag:quotes.invalid,2026:daily/2026-11-21/372318f5255fcda6</id>"
        "<title>I am no bird.</title>"
        "<published>2026-11-21T00:00:00+00:00</published>"
        "<updated>2026-11-21T00:00:00+00:00</updated>"
        "<author><name>Charlotte Brontë</name></author>"
        '<category term="Freedom" />'
        f'<link rel="alternate" type="text/html" href="{BASE}/?date=2026-11-21" />'
        f'<link rel="alternate" type="image/svg+xml" href="{BASE}/daily?date=2026-11-21&amp;format=svg" />'
        f'<link rel="alternate" type="application/json" href="{BASE}/daily?date=2026-11-21&amp;format=json" />'
        '<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">'
        "<blockquote><p>I am no bird.</p></blockquote><p>— Charlotte Brontë, <cite>Jane Eyre (1847)</cite></p>"
        "</div></content>"
        "</entry>"
        "</feed>\n"
    )
    assert_is_valid(answer.content)


def test_it_has_the_last_thirty_days_the_newest_first(client: testing.TestClient, corpus: Corpus, database: Database):
    quotes = [corpus.of_day(TODAY), *store_days(database, 40)][:30]

    feed = assert_is_valid(client.simulate_get("/feed.atom").content)

    entries = feed.findall(f"{ATOM}entry")
    assert [one(entry, "title") for entry in entries][1:] == [quote.quote for quote in quotes[1:]]
    days = [(TODAY - dt.timedelta(days=n)).isoformat() for n in range(30)]
    assert [one(entry, "published") for entry in entries] == [f"{day}T00:00:00+00:00" for day in days]
    assert [links(entry)[2] for entry in entries] == [
        ("alternate", "application/json", f"{BASE}/daily?date={day}&format=json") for day in days
    ]
    for entry, quote in zip(entries, quotes, strict=True):
        div = entry.find(f"{ATOM}content/{XHTML}div")
        assert div is not None
        assert "".join(div.itertext()) == f"{quote.quote}— {quote.author}, {quote.source}"
        assert one(entry.find(f"{ATOM}author") or entry, "name") == quote.author


def test_each_link_leads_to_what_it_promises(client: testing.TestClient, database: Database):
    store_days(database, 2)
    feed = ET.fromstring(client.simulate_get("/feed.atom").content)

    for rel, media_type, href in [link for entry in feed.findall(f"{ATOM}entry") for link in links(entry)]:
        answer = client.simulate_get(href.removeprefix(BASE), headers={"Accept": media_type})
        assert (rel, answer.status_code) == ("alternate", 200)
        assert answer.headers["Content-Type"].partition(";")[0] == media_type


def test_asking_for_it_decides_todays_quote(client: testing.TestClient, database: Database, corpus: Corpus):
    client.simulate_get("/feed.atom")

    assert database.read(lambda db: models.stored_quote(db, TODAY)) == corpus.of_day(TODAY)


def test_days_without_a_quote_are_passed_over(client: testing.TestClient, database: Database):
    store(database, TODAY - dt.timedelta(days=100), Quote("Long ago.", "Anon", "Time"))

    feed = assert_is_valid(client.simulate_get("/feed.atom").content)

    days = [one(entry, "updated")[:10] for entry in feed.findall(f"{ATOM}entry")]
    assert days == ["2026-11-21", "2026-08-13"]


@pytest.mark.parametrize(
    ("zone", "days"),
    [
        ("Asia/Kolkata", ["2026-11-21T00:00:00+05:30", "2026-11-20T00:00:00+05:30"]),
        ("America/New_York", ["2026-11-21T00:00:00-05:00", "2026-11-20T00:00:00-05:00"]),
        ("Pacific/Kiritimati", ["2026-11-22T00:00:00+14:00", "2026-11-20T00:00:00+14:00"]),
    ],
)
def test_a_day_begins_at_its_own_midnight(
    make_service: Callable[..., Service], database: Database, zone: str, days: list[str]
):
    store_days(database, 1)

    feed = assert_is_valid(client_of(make_service(timezone=ZoneInfo(zone))).simulate_get("/feed.atom").content)

    assert [one(entry, "published") for entry in feed.findall(f"{ATOM}entry")] == days


def test_where_clocks_skip_midnight_the_day_begins_later(
    make_service: Callable[..., Service], database: Database, clock: Clock
):
    clock.now = dt.datetime(2026, 9, 6, 12, tzinfo=dt.UTC)  # Chile's summer time began that night

    feed = assert_is_valid(
        client_of(make_service(timezone=ZoneInfo("America/Santiago"))).simulate_get("/feed.atom").content
    )

    assert one(feed, "updated") == "2026-09-06T01:00:00-03:00"


def test_ids_depend_on_neither_host_nor_stage_and_links_do(make_service: Callable[..., Service], database: Database):
    store_days(database, 3)
    client = client_of(make_service())
    here = ET.fromstring(client.simulate_get("/feed.atom").content)
    there = ET.fromstring(
        client.simulate_get(
            "/feed.atom", headers={"Host": "api.example.org"}, root_path="/dev", protocol="https"
        ).content
    )
    public = Settings.from_environ({"QUOTES_PUBLIC_URL": "https://quotes.example.org/v1"})
    known = ET.fromstring(testing.TestClient(create_api(public, make_service())).simulate_get("/feed.atom").content)

    ids = [[element.text for element in feed.iter(f"{ATOM}id")] for feed in (here, there, known)]
    assert ids[0] == ids[1] == ids[2]
    assert all(re.fullmatch(TAG, name or "") for name in ids[0])
    for feed, base in ((here, BASE), (there, "https://api.example.org/dev"), (known, "https://quotes.example.org/v1")):
        assert links(feed) == [
            ("self", "application/atom+xml", f"{base}/feed.atom"),
            ("alternate", "text/html", f"{base}/"),
        ]
        assert all(link.attrib["href"].startswith(f"{base}/") for link in feed.iter(f"{ATOM}link"))


def test_what_a_quote_says_is_never_markup(make_service: Callable[..., Service], database: Database):
    store(database, TODAY, Quote(f"{EVIL}\nmore {EVIL}", EVIL, EVIL, EVIL))
    seen = "</p><script>alert('1')</script> & ]]> <!--"

    body = client_of(make_service()).simulate_get("/feed.atom").content
    feed = assert_is_valid(body)

    assert b"<script" not in body
    (entry,) = feed.findall(f"{ATOM}entry")
    div = entry.find(f"{ATOM}content/{XHTML}div")
    assert div is not None
    assert [element.tag.removeprefix(XHTML) for element in div.iter()] == ["div", "blockquote", "p", "br", "p", "cite"]
    assert "".join(div.itertext()) == f"{seen}more {seen}— {seen}, {seen}"


def test_a_long_quote_has_a_title_that_ends_at_a_word(make_service: Callable[..., Service], database: Database):
    store(database, TODAY, Quote("No word is lost. " * 30, "Anon", "Words"))
    store(database, TODAY - dt.timedelta(days=1), Quote("學而時習之" * 30, "孔子", "Words"))

    feed = assert_is_valid(client_of(make_service()).simulate_get("/feed.atom").content)

    assert [one(entry, "title") for entry in feed.findall(f"{ATOM}entry")] == [
        "No word is lost. " * 5 + "No…",
        "學而時習之" * 18 + "…",
    ]


def test_it_changes_with_the_day_and_is_kept_until_then(client: testing.TestClient, clock: Clock):
    first = client.simulate_get("/feed.atom")
    clock.move(hours=11, minutes=59)
    later = client.simulate_get("/feed.atom", headers={"If-None-Match": first.headers["ETag"]})
    clock.move(minutes=2)
    tomorrow = client.simulate_get("/feed.atom", headers={"If-None-Match": first.headers["ETag"]})

    assert (later.status_code, later.content) == (304, b"")
    assert (later.headers["ETag"], later.headers["Cache-Control"]) == (first.headers["ETag"], "public, max-age=60")
    assert (tomorrow.status_code, tomorrow.headers["Cache-Control"]) == (200, "public, max-age=86340")
    ids = [
        [element.text for element in ET.fromstring(answer.content).iter(f"{ATOM}id")] for answer in (first, tomorrow)
    ]
    assert len(ids[1]) == len(ids[0]) + 1
    assert set(ids[0]) < set(ids[1])


def test_head_tells_what_get_would(client: testing.TestClient):
    got, told = client.simulate_get("/feed.atom"), client.simulate_head("/feed.atom")

    assert (told.status_code, told.headers, told.content) == (200, got.headers, b"")


def test_it_is_503_while_the_state_cannot_be_reached(make_service: Callable[..., Service], tmp_path: Path):
    service = make_service(database=open_database(f"sqlite:///{tmp_path}/no/such/folder/quotes.db"))

    answer = client_of(service).simulate_get("/feed.atom")

    assert answer.status_code == 503
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert (answer.headers["Cache-Control"], answer.headers["Retry-After"]) == ("no-store", "5")
    assert answer.json["detail"] == "The data for this cannot be read right now; try again in a few seconds."


def test_many_hosts_are_each_told_their_own(client: testing.TestClient):
    for n in (*range(40), 0):
        feed = ET.fromstring(client.simulate_get("/feed.atom", headers={"Host": f"h{n}.example"}).content)
        assert links(feed)[0][2] == f"http://h{n}.example/feed.atom"
