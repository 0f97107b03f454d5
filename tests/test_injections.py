"""What quotes say is data wherever it is shown, whatever it looks like: the bones of every answer stay the same."""

import datetime as dt
import xml.etree.ElementTree as ET
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote as quoted

import pytest
from falcon import testing

from quotes.corpus import Corpus
from quotes.corpus_builder import built_file
from quotes.database import open_database
from quotes.models import store_quote
from quotes.representations.xml import one_line
from quotes.resources import create_api
from quotes.service import Service
from quotes.settings import Settings
from tests.conftest import NOON
from tests.injections import ATTACKS, write_library

ALL = {"q": "attack", "limit": "100", "highlight": "1"}
PAGE = {"Accept": "text/html"}


class Served(NamedTuple):
    """Hold a service and what its library has."""

    client: testing.TestClient
    quotes: list[dict[str, Any]]


class Bones(HTMLParser):
    """Collect the texts of a page, and all else: elements with their attributes' names, comments, declarations."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[object] = []
        self.texts: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, *(name for name, _ in attributes)))

    def handle_endtag(self, tag: str) -> None:
        self.found.append(f"/{tag}")

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def other(self, what: str) -> None:
        self.found.append(what)

    handle_comment = handle_decl = handle_pi = unknown_decl = other


@pytest.fixture
def serve(make_service: Callable[..., Service], tmp_path: Path) -> Callable[..., Served]:
    """Return what serves a library of given texts, each of which had its day."""

    def serve(name: str, texts: tuple[str, ...]) -> Served:
        folder = tmp_path / name
        folder.mkdir()
        write_library(folder, texts)
        corpus, database = (
            Corpus(lambda: built_file(folder / "library.jsonl")),
            open_database(f"sqlite:///{folder}/days.db"),
        )
        days = [(NOON.date() - dt.timedelta(days=n), corpus.numbered(n)) for n in range(corpus.size)]
        database.write(lambda db: [store_quote(db, day, quote, NOON) for day, quote in days])
        client = testing.TestClient(create_api(Settings(), make_service(corpus=corpus, database=database)))
        return Served(client, [quote._asdict() for _, quote in days])

    return serve


@pytest.fixture
def evil(serve: Callable[..., Served]) -> Served:
    """Return a service whose library attacks."""
    return serve("evil", ATTACKS)


@pytest.fixture
def good(serve: Callable[..., Served]) -> Served:
    """Return a service whose library is as large and means no harm."""
    return serve("good", ("An",) * len(ATTACKS))


def page(served: Served, **query: str) -> Bones:
    answer = served.client.simulate_get("/", params=query, headers=PAGE)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    return Bones(answer.text)


@pytest.mark.parametrize("query", [{}, {"q": "attack"}, {"date": "2026-11-20"}], ids=["today", "search", "day"])
def test_a_page_has_the_same_elements_whatever_its_quotes_say(evil: Served, good: Served, query: dict[str, str]):
    assert page(evil, **query).found == page(good, **query).found


def test_the_page_of_a_quote_has_the_same_elements_whatever_it_says(evil: Served, good: Served):
    expected = page(good, quote=good.quotes[0]["id"]).found

    for quote in evil.quotes:
        shown = page(evil, quote=quote["id"])
        assert shown.found == expected
        assert {quote[name] for name in ("quote", "author", "source")} <= set(shown.texts)


def test_json_says_what_the_library_says(evil: Served):
    found = evil.client.simulate_get("/quotes", params=ALL).json["results"]
    names = {name: evil.client.simulate_get(f"/{name}").json["results"] for name in ("authors", "categories")}

    marked = [quote.pop("marked") for quote in found]
    assert sorted(found, key=str) == sorted(evil.quotes, key=str)
    assert {each["name"] for each in names["authors"]} == {quote["author"] for quote in evil.quotes}
    assert {each["name"] for each in names["categories"]} == {quote["category"] for quote in evil.quotes}
    for quote, texts in zip(found, marked, strict=True):
        for name, text in texts.items():
            bones = Bones(text)
            assert ("".join(bones.texts), set(bones.found)) == (quote[name], {("mark",), "/mark"})


def test_cards_draw_what_quotes_say_and_nothing_else(evil: Served, good: Served):
    def card(served: Served, quote: dict[str, Any]) -> ET.Element:
        address = f"/quotes/{quoted(quote['id'], safe='')}"
        return ET.fromstring(served.client.simulate_get(address, params={"format": "svg"}).content)

    def kinds(card: ET.Element) -> set[tuple[str, ...]]:
        return {(element.tag, *element.attrib) for element in card.iter() if not element.tag.endswith("}text")}

    expected = kinds(card(good, good.quotes[0]))
    for quote in evil.quotes:
        drawn = card(evil, quote)
        assert kinds(drawn) == expected
        lines = ["".join(line.itertext()) for line in drawn.iter("{http://www.w3.org/2000/svg}text")]
        said = f"{quote['quote']}\N{EM DASH}{quote['author']}{quote['source']}"
        assert unspaced("".join(lines)) == unspaced(one_line(said))


def test_the_feed_has_the_same_elements_whatever_its_quotes_say(evil: Served, good: Served):
    feeds = [ET.fromstring(served.client.simulate_get("/feed.atom").content) for served in (evil, good)]

    kinds = [[(element.tag, *element.attrib) for element in feed.iter()] for feed in feeds]
    assert kinds[0] == kinds[1]
    assert {one_line(quote["quote"]) for quote in evil.quotes[:30]} <= set(feeds[0].itertext())


def test_the_documentation_does_not_depend_on_quotes(evil: Served, good: Served):
    for address in ("/docs", "/openapi.json"):
        assert evil.client.simulate_get(address).content == good.client.simulate_get(address).content


def unspaced(text: str) -> str:
    return "".join(text.split())
