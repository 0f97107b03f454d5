"""The library over HTTP: pages that link to the next, a quote by its id, names with counts."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from urllib.parse import quote as encoded

import pytest
from falcon import testing

from quotes.corpus import Corpus
from quotes.corpus_builder import build, built_file
from quotes.errors import SearchUnavailable
from quotes.quote import Quote
from quotes.resources import create_api
from quotes.service import Service
from quotes.settings import Settings
from tests.test_corpus import QUOTES
from tests.test_service import write_corpus

MARRIED = Quote("Reader, I married him.", "Charlotte Brontë", "Love", "Jane Eyre, Chapter XXXVIII (1847)", "5123f758")
HOURS, DAY = "public, max-age=3600", "public, max-age=86400"
ROUTES = ["/quotes", "/quotes?q=love", "/quotes/5123f758", "/authors", "/categories"]


def test_a_page_has_results_their_number_and_the_next_page(client: testing.TestClient):
    answer = client.simulate_get("/quotes", params={"author": "CHARLOTTE BRONTË", "limit": "1"})

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == HOURS
    assert list(answer.json) == ["results", "total", "next"]
    assert answer.json["results"] == [MARRIED._asdict()]
    assert list(answer.json["results"][0]) == ["quote", "author", "category", "source", "id"]
    assert answer.json["total"] == sum(quote.author == "Charlotte Brontë" for quote in QUOTES)
    following = urlsplit(answer.json["next"])
    assert (following.scheme, following.netloc, following.path) == ("http", "falconframework.org", "/quotes")
    assert parse_qs(following.query)["author"] == ["CHARLOTTE BRONTË"]
    assert parse_qs(following.query)["limit"] == ["1"]


@pytest.mark.parametrize(
    ("public_url", "root", "begin"),
    [
        (None, "/dev", "http://falconframework.org/dev/quotes?q="),
        ("https://quotes.example.com/api", "/dev", "https://quotes.example.com/api/quotes?q="),
    ],
)
def test_the_links_lead_through_every_match_below_any_prefix(
    make_service: Callable[..., Service], public_url: str | None, root: str, begin: str
):
    client = testing.TestClient(create_api(Settings(public_url=public_url), make_service()))
    found, url = [], "/quotes?q=%22of%20the%22&category=wisdom&limit=3&highlight=1"
    while url:
        answer = client.simulate_get(url, root_path=root).json
        found += [result["id"] for result in answer["results"]]
        assert all("<mark>of the</mark>" in str(result["marked"]).lower() for result in answer["results"])
        following = answer["next"]
        assert following is None or following.startswith(begin)
        url = following and f"/quotes?{urlsplit(following).query}"

    assert len(found) == len(set(found)) == answer["total"] > 3


def test_a_page_of_nothing_is_empty_and_200(client: testing.TestClient):
    for query in ("q=zzzz", "q=%22", "q=*&author=oscar%20wilde", "author=nobody", "q=love&category=nothing"):
        answer = client.simulate_get("/quotes", query_string=query)

        assert (answer.status_code, answer.json) == (200, {"results": [], "total": 0, "next": None})


def test_what_was_found_is_marked_on_request(client: testing.TestClient):
    plain = client.simulate_get("/quotes", query_string="q=married%20r&highlight=0")
    answer = client.simulate_get("/quotes", query_string="q=married%20r&highlight=1")

    assert plain.json["results"][0] == MARRIED._asdict()
    assert answer.json["results"][0] == {
        **MARRIED._asdict(),
        "marked": {
            "quote": "<mark>Reader</mark>, I <mark>married</mark> him.",
            "author": "Charlotte Brontë",
            "source": "Jane Eyre, Chapter XXXVIII (1847)",
        },
    }


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("limit=0", "The parameter 'limit' is not a whole number from 1 to 100."),
        ("limit=101", "The parameter 'limit' is not a whole number from 1 to 100."),
        ("limit=%D9%A3", "The parameter 'limit' is not a whole number from 1 to 100."),
        ("highlight=yes", "The parameter 'highlight' is none of 0, 1."),
        ("cursor=20", "The parameter 'cursor' was not issued by this service."),
        ("author=nobody&cursor=20", "The parameter 'cursor' was not issued by this service."),
    ],
)
def test_what_cannot_be_understood_is_400(client: testing.TestClient, query: str, detail: str):
    answer = client.simulate_get("/quotes", query_string=query)

    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert (answer.json["title"], answer.json["detail"]) == ("Invalid parameter", detail)


@pytest.mark.parametrize(
    ("accept", "content_type", "body"),
    [
        ("*/*", "application/json", json.dumps(MARRIED._asdict(), ensure_ascii=False) + "\n"),
        ("text/plain", "text/plain; charset=utf-8", "Reader, I married him.\n— Charlotte Brontë\n"),
    ],
)
def test_a_quote_has_an_address(client: testing.TestClient, accept: str, content_type: str, body: str):
    answer = client.simulate_get("/quotes/5123f758", headers={"Accept": accept})

    assert (answer.status_code, answer.text) == (200, body)
    assert answer.headers["Content-Type"] == content_type
    assert answer.headers["Cache-Control"] == DAY
    assert answer.headers["Vary"] == "Accept"
    again = client.simulate_get("/quotes/5123f758", headers={"Accept": accept, "If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_a_quote_can_be_had_as_a_card(client: testing.TestClient):
    answer = client.simulate_get("/quotes/5123f758", query_string="format=svg&theme=dark&width=400")

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/svg+xml")
    assert "married" in answer.text


@pytest.mark.parametrize(
    "path", ["/quotes/", "/quotes/none", "/quotes/5123F758", "/quotes/%00", "/quotes/%FF", "/quotes/a/b"]
)
def test_an_id_that_no_quote_has_is_404(client: testing.TestClient, path: str):
    answer = client.simulate_get(path)

    assert answer.status_code == 404
    assert answer.json["detail"] == "No quote in the library has this id."


def test_an_id_may_be_any_text(make_service: Callable[..., Service], tmp_path: Path):
    ids = ["a/b", "/a", "a//b", "a/", "ü 100%", "?x=1", "#1", "%2F", "a+b", "..x", "知", "x" * 500]
    quotes = [Quote(f"Words {n}.", "Anon", "Love", None, one) for n, one in enumerate(ids)]
    corpus = Corpus(lambda: built_file(write_corpus(tmp_path / "text.jsonl", quotes)))
    client = testing.TestClient(create_api(Settings(), make_service(corpus=corpus)))

    found = [client.simulate_get(f"/quotes/{encoded(one, safe='')}").json.get("id") for one in ids]

    assert found == ids


def test_names_come_with_counts_most_first(client: testing.TestClient):
    authors, categories = client.simulate_get("/authors"), client.simulate_get("/categories")

    for answer in (authors, categories):
        names = answer.json["results"]
        assert (answer.status_code, list(answer.json)) == (200, ["results"])
        assert answer.headers["Cache-Control"] == HOURS
        assert [name["count"] for name in names] == sorted((name["count"] for name in names), reverse=True)
        assert sum(name["count"] for name in names) == 603
    assert authors.json["results"][0] == {"name": "William Shakespeare", "count": 53}
    assert client.simulate_get("/authors?limit=3").json["results"] == authors.json["results"][:3]
    assert client.simulate_get("/authors?limit=1001").json["detail"] == (
        "The parameter 'limit' is not a whole number from 1 to 1000."
    )


@pytest.mark.parametrize("path", ROUTES)
def test_every_answer_of_the_library_can_be_kept(client: testing.TestClient, path: str):
    answer = client.simulate_get(path)
    again = client.simulate_get(path, headers={"If-None-Match": answer.headers["ETag"]})
    head = client.simulate_head(path)

    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["Cache-Control"] == answer.headers["Cache-Control"]
    assert (head.status_code, head.content, head.headers["ETag"]) == (200, b"", answer.headers["ETag"])
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("path", ROUTES)
def test_the_library_is_only_read(client: testing.TestClient, path: str):
    answer = client.simulate_delete(path)

    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD, OPTIONS")


def test_where_sqlite_has_no_fts5_a_search_is_503_and_the_rest_works(
    make_service: Callable[..., Service], tmp_path: Path
):
    built = tmp_path / "built.sqlite3"
    build(write_corpus(tmp_path / "text.jsonl", [MARRIED]), built)
    with closing(sqlite3.connect(built)) as db, db:  # a module that no SQLite has stands for one that this one lacks
        db.execute("PRAGMA writable_schema = ON")
        db.execute("UPDATE sqlite_master SET sql = replace(sql, 'fts5', 'fts99') WHERE name = 'found'")
    client = testing.TestClient(create_api(Settings(), make_service(corpus=Corpus(lambda: built))))

    answer = client.simulate_get("/quotes?q=married")

    assert answer.status_code == 503
    assert answer.json == {
        "type": "urn:problem-type:search-unavailable",
        "title": "Search Unavailable",
        "status": 503,
        "detail": str(SearchUnavailable()),
    }
    for path in ("/quotes", "/quotes?author=charlotte%20bront%C3%AB", "/quotes/5123f758", "/authors", "/daily"):
        assert client.simulate_get(path).status_code == 200
