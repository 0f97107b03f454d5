"""The page at `/`: who gets it, what it shows, how long it may be kept; what it does is in tests/browser/."""

import datetime as dt
import html
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from falcon import testing

from quotes.corpus import Corpus
from quotes.database import Database, open_database
from quotes.models import store_quote
from quotes.page import POLICY
from quotes.quote import Quote
from quotes.resources import create_api
from quotes.service import Service
from quotes.settings import Settings
from quotes.static_files import MEDIA_TYPES
from tests.conftest import NOON, Clock

BROWSERS = {
    "Chromium": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8",
    "Firefox": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Firefox 128": "text/html,application/xhtml+xml,application/xml;q=0.9,image/png,image/svg+xml,*/*;q=0.8",
    "HTML alone": "text/html",
}
HTML = {"Accept": BROWSERS["Chromium"]}
ATTACK = Quote("</blockquote><script>alert(1)</script>\"'&", '"><img src=x onerror=alert(2)>', "x", "'><b>", None)
LARGEST = 50_000  # bytes, with everything that the page loads from us but the card


class Links(HTMLParser):
    """Collect what a page leads to and loads."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        names = ("href", "src", "action", "formaction")
        self.addresses += [value for name, value in attributes if name in names and value and value[0] != "#"]


def shown(answer: testing.Result) -> tuple[str, ...]:
    """Return what stands on top: kind, date, quote, author."""
    patterns = ('id="kind">(.*?)</span>', 'id="date".*?>(.*?)</time>', "<blockquote.*?>(.*?)</b", 'author".*?>(.*?)</')
    return tuple(match[1] for pattern in patterns if (match := re.search(pattern, answer.text, re.DOTALL)))


@pytest.mark.parametrize("accept", BROWSERS.values(), ids=BROWSERS)
def test_a_browser_gets_the_page(client: testing.TestClient, corpus: Corpus, accept: str):
    answer = client.simulate_get("/", headers={"Accept": accept})

    today = corpus.of_day(NOON.date())
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert answer.headers["Vary"] == "Accept"
    assert answer.headers["Content-Security-Policy"] == POLICY
    assert shown(answer) == ("Quote of the day", "Saturday, 21 November 2026", today.quote, today.author)


@pytest.mark.parametrize(
    "accept", ["*/*", "application/json", "application/json, text/html", "text/*", "text/html;q=0.5, */*", ""]
)
def test_who_does_not_prefer_html_gets_a_quote(client: testing.TestClient, accept: str):
    answer = client.simulate_get("/", headers={"Accept": accept})

    assert answer.headers["Content-Type"] in ("application/json", "text/plain; charset=utf-8")
    assert (answer.headers["Vary"], answer.headers["Cache-Control"]) == ("Accept", "no-store")


def test_format_wins_over_the_page(client: testing.TestClient):
    answer = client.simulate_get("/?format=json", headers=HTML)

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")


def test_head_is_answered_as_get(client: testing.TestClient):
    got, head = (client.simulate_request(method, "/", headers=HTML) for method in ("GET", "HEAD"))

    assert dict(head.headers) == dict(got.headers)
    assert head.content == b""


def test_it_may_be_kept_for_ten_minutes_and_no_longer_than_the_day(client: testing.TestClient, clock: Clock):
    noon = client.simulate_get("/", headers=HTML)
    clock.move(hours=11, minutes=55)
    late = client.simulate_get("/", headers=HTML)
    clock.move(minutes=5)
    tomorrow = client.simulate_get("/", headers=HTML)

    assert noon.headers["Cache-Control"] == "public, max-age=600"
    assert late.headers["Cache-Control"] == "public, max-age=300"
    assert noon.headers["ETag"] == late.headers["ETag"] != tomorrow.headers["ETag"]
    assert shown(tomorrow)[1] == "Sunday, 22 November 2026"


def test_it_is_not_sent_again_to_who_has_it(client: testing.TestClient):
    etag = client.simulate_get("/", headers=HTML).headers["ETag"]
    answer = client.simulate_get("/", headers=HTML | {"If-None-Match": etag})

    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["Cache-Control"] == "public, max-age=600"
    assert answer.headers["Vary"] == "Accept"


def test_a_random_quote_without_javascript(client: testing.TestClient):
    answers = [client.simulate_get("/?show=random", headers=HTML) for _ in range(8)]

    assert len({shown(answer) for answer in answers}) > 4
    assert {answer.headers["Cache-Control"] for answer in answers} == {"no-store"}
    assert {shown(answer)[:2] for answer in answers} == {("A random quote", "")}


def on_record(database: Database, corpus: Corpus, days: int) -> list[dt.date]:
    """Put the days before today on record; return them, latest first."""
    earlier = [NOON.date() - dt.timedelta(days=n) for n in range(1, days + 1)]

    def store(db) -> None:
        for day in earlier:
            store_quote(db, day, corpus.of_day(day), NOON)

    database.write(store)
    return earlier


def test_it_lists_the_last_thirty_days_that_are_on_record(
    client: testing.TestClient, database: Database, corpus: Corpus
):
    days = on_record(database, corpus, 40)

    page = client.simulate_get("/", headers=HTML).text

    assert re.findall(r'href="/\?date=([0-9-]+)"', page) == [day.isoformat() for day in days[:30]]
    assert re.findall(r'class="author">(.*?)<', page)[1:] == [corpus.of_day(day).author for day in days[:30]]


def test_the_first_day_has_none_before_it(client: testing.TestClient):
    page = client.simulate_get("/", headers=HTML).text

    assert "The record begins today." in page
    assert 'class="when"' not in page


def test_an_earlier_day(client: testing.TestClient, database: Database, corpus: Corpus):
    on_record(database, corpus, 2)

    answer = client.simulate_get("/?date=2026-11-19", headers=HTML)

    quote = corpus.of_day(dt.date(2026, 11, 19))
    assert shown(answer) == ("Quote of the day", "Thursday, 19 November 2026", quote.quote, quote.author)
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("query", "status", "detail"),
    [
        ("date=2020-02-29", 404, "No quote is on record for 2020-02-29."),
        ("date=2026-11-22", 400, "The parameter 'date' lies in the future; today is 2026-11-21."),
        ("date=today", 400, "The parameter 'date' is not a calendar day written as YYYY-MM-DD."),
        ("show=all", 400, "The parameter 'show' is not 'random'."),
        ("quote=none", 404, "No quote in the library has this id."),
        ("q=", 400, "The parameter 'q' is empty."),
        ("q=love&cursor=x", 400, "The parameter 'cursor' was not issued by this service."),
        ("show=random&show=random", 400, "The parameter 'show' is given twice."),
    ],
)
def test_what_cannot_be_shown(client: testing.TestClient, query: str, status: int, detail: str):
    answer = client.simulate_get("/", query_string=query, headers=HTML)

    assert (answer.status_code, answer.json["detail"]) == (status, detail)


def test_a_quote_of_the_library(client: testing.TestClient, corpus: Corpus):
    quote = corpus.numbered(7)

    answer = client.simulate_get(f"/?quote={quote.id}", headers=HTML)

    assert shown(answer) == ("A quote", "", quote.quote, quote.author)
    assert f'data-link="http://falconframework.org/?quote={quote.id}"' in answer.text


def results(page: str) -> list[str]:
    """Return the ids of the quotes that a search found."""
    return re.findall(r'class="whole" href="/\?quote=(.*?)"', page)


def test_a_search_without_javascript(client: testing.TestClient):
    found = client.simulate_get("/quotes", params={"q": "keats beauty", "limit": "100"}).json

    answer = client.simulate_get("/", params={"q": "keats beauty"}, headers=HTML)

    assert results(answer.text) == [quote["id"] for quote in found["results"]] != []
    assert '<p id="found" role="status">One quote.</p>' in answer.text
    assert "A thing of <mark>beauty</mark> is a joy for ever" in answer.text
    assert "John <mark>Keats</mark>" in answer.text
    assert 'value="keats beauty"' in answer.text
    assert answer.headers["Cache-Control"] == "no-store"


def test_walking_on_without_javascript_shows_every_match_once(client: testing.TestClient):
    total = client.simulate_get("/quotes", params={"q": "love"}).json["total"]
    address, walked = "/?q=love", []

    while address:
        page = client.simulate_get(address, headers=HTML).text
        walked += results(page)
        more = re.search(r'id="more" href="(.*?)#search">', page)
        address = html.unescape(more[1]) if more else ""

    assert len(walked) == len(set(walked)) == total > 20


def test_nobody_is_left_without_a_page_for_searching_without_a_word(client: testing.TestClient):
    answer = client.simulate_get("/", params={"q": "?!"}, headers=HTML)

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert '<p id="found" role="status">Nothing found.</p>' in answer.text
    assert 'value="?!"' in answer.text


def test_what_is_searched_for_is_data(client: testing.TestClient):
    answer = client.simulate_get("/", params={"q": '"><script>alert(1)</script>'}, headers=HTML)

    assert answer.status_code == 200
    assert len(re.findall(r"<script", answer.text)) == 1
    assert "Nothing found." in answer.text


def test_while_the_state_is_out_of_reach_it_shows_todays_quote_and_nobody_may_keep_it(
    make_service: Callable[..., Service], corpus: Corpus, tmp_path: Path
):
    service = make_service(database=open_database(f"sqlite:///{tmp_path}/none/quotes.db"))
    answer = testing.TestClient(create_api(Settings(), service)).simulate_get("/", headers=HTML)

    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert shown(answer)[2] == corpus.of_day(NOON.date()).quote
    assert "The record of earlier days cannot be read right now." in answer.text
    assert "ETag" not in answer.headers


@pytest.mark.parametrize(
    ("public_url", "app", "root"),
    [
        (None, "", ""),
        (None, "/dev", "/dev"),
        ("https://quotes.example.org", "/dev", ""),
        ("https://example.org/quotes", "", "/quotes"),
    ],
)
def test_every_address_on_it_is_below_where_the_service_is_mounted(
    make_service: Callable[..., Service], public_url: str | None, app: str, root: str
):
    client = testing.TestClient(create_api(Settings(public_url=public_url), make_service()))

    page = client.simulate_get("/", headers=HTML, root_path=app).text

    base = public_url or f"http://falconframework.org{app}"
    addresses = Links(page).addresses
    assert {address for address in addresses if not address.startswith(f"{root}/")} == set()
    assert {re.split("[?#]", address.removeprefix(root))[0] for address in addresses} == {
        "/",
        "/daily",
        "/docs",
        "/feed.atom",
        "/openapi.json",
        "/static/icon.svg",
        "/static/page.js",
        "/static/style.css",
        "/subscribe",
        "/unsubscribe",
    }
    assert f"curl '{base}/daily?format=text'" in page
    assert f"[![Quote of the day]({base}/daily?format=svg&amp;theme=light&amp;width=600)]({base}/)" in page


def test_what_a_client_calls_our_host_is_kept_for_few_names(client: testing.TestClient):
    for n in range(100):
        page = client.simulate_get("/", headers=HTML | {"Host": f"host{n}.example"}).text
        assert f"http://host{n}.example/daily" in page


def test_nothing_that_a_quote_says_becomes_markup(client: testing.TestClient, database: Database, corpus: Corpus):
    database.write(lambda db: store_quote(db, NOON.date(), ATTACK, NOON))
    database.write(lambda db: store_quote(db, NOON.date() - dt.timedelta(days=1), ATTACK, NOON))

    page = client.simulate_get("/", headers=HTML).text

    assert len(re.findall(r"<script", page)) == 1
    assert "<img src=x" not in page
    assert "<b>" not in page
    assert not re.search(r"\son\w+=|style=|javascript:", re.sub(r"onerror=alert\(2\)&gt;", "", page))


def test_it_is_small_with_all_that_it_loads(client: testing.TestClient, database: Database, corpus: Corpus):
    on_record(database, corpus, 30)

    page = client.simulate_get("/", headers=HTML)
    files = [client.simulate_get(f"/static/{name}") for name in MEDIA_TYPES]

    assert sum(len(answer.content) for answer in [page, *files]) < LARGEST
