"""Random quotes over HTTP: how many, which ones, and kept by nobody."""

from collections.abc import Callable
from pathlib import Path

import pytest
from falcon import testing

from quotes.corpus import Corpus
from quotes.corpus_builder import built_file
from quotes.quote import Quote
from quotes.service import Service
from tests.test_resources import EVERY_ANSWER, client_of
from tests.test_service import write_corpus

LIBRARY = {
    quote.id: quote
    for quote in (
        Quote("Breathe.", "Charlotte Brontë", "Courage", None, "breathe"),
        Quote("I am no bird.", "Charlotte Brontë", "Freedom", None, "bird"),
        Quote("Überall grünt die Straße.", "Karl Maß", "Nature", None, "straße"),  # 25 characters, 29 bytes
        Quote("Indulge your imagination in every flight.", "Jane Austen", "Courage", None, "flight"),
    )
}


@pytest.fixture
def client(make_service: Callable[..., Service], tmp_path: Path) -> testing.TestClient:
    library = Corpus(lambda: built_file(write_corpus(tmp_path / "corpus.jsonl", LIBRARY.values())))
    return client_of(make_service(corpus=library))


def headers_of_chance(answer: testing.Result, content_type: str = "application/json") -> dict[str, str]:
    return EVERY_ANSWER | {
        "content-type": content_type,
        "content-length": str(len(answer.content)),
        "cache-control": "no-store",
        "vary": "Accept",
    }


@pytest.mark.parametrize("url", ["/", "/quote?type=random"])
def test_a_random_quote(client: testing.TestClient, url: str):
    answer = client.simulate_get(url)

    assert answer.status_code == 200
    assert dict(answer.headers) == headers_of_chance(answer)
    assert answer.json == LIBRARY[answer.json["id"]]._asdict()
    assert list(answer.json) == ["quote", "author", "category", "source", "id"]


@pytest.mark.parametrize("url", ["/", "/quote?type=random"])
def test_another_request_may_get_another_quote(client: testing.TestClient, url: str):
    assert {client.simulate_get(url).json["id"] for _ in range(200)} == set(LIBRARY)


def test_a_random_quote_as_text(client: testing.TestClient):
    answer = client.simulate_get("/quote?type=random&author=Karl%20Ma%C3%9F&format=text")

    assert answer.status_code == 200
    assert dict(answer.headers) == headers_of_chance(answer, "text/plain; charset=utf-8")
    assert answer.content.decode() == "Überall grünt die Straße.\n— Karl Maß\n"


@pytest.mark.parametrize(("count", "answered"), [("1", 1), ("3", 3), ("4", 4), ("50", 4), ("003", 3)])
def test_a_count_makes_the_answer_an_array_of_different_quotes(client: testing.TestClient, count: str, answered: int):
    answer = client.simulate_get("/quote", params={"type": "random", "count": count})

    assert answer.status_code == 200
    assert dict(answer.headers) == headers_of_chance(answer)
    assert len({quote["id"] for quote in answer.json}) == len(answer.json) == answered
    assert all(quote == LIBRARY[quote["id"]]._asdict() for quote in answer.json)


def test_several_quotes_as_text_stand_apart(client: testing.TestClient):
    answer = client.simulate_get("/quote?type=random&count=2&author=charlotte%20bront%C3%AB&format=text")

    first, second = "Breathe.\n— Charlotte Brontë\n", "I am no bird.\n— Charlotte Brontë\n"
    assert answer.content.decode() in (f"{first}\n{second}", f"{second}\n{first}")


@pytest.mark.parametrize("path", ["/", "/quote"])
@pytest.mark.parametrize(
    ("filters", "matching"),
    [
        ({"author": "Charlotte Brontë"}, {"breathe", "bird"}),
        ({"author": "CHARLOTTE BRONTË"}, {"breathe", "bird"}),
        ({"author": "charlotte brontë"}, {"breathe", "bird"}),
        ({"author": "Charlotte Bronte\N{COMBINING DIAERESIS}"}, {"breathe", "bird"}),
        ({"author": "KARL MASS"}, {"straße"}),
        ({"author": "  jane austen "}, {"flight"}),
        ({"category": "COURAGE"}, {"breathe", "flight"}),
        ({"category": "courage", "author": "JANE austen"}, {"flight"}),
        ({"min_length": "13"}, {"bird", "straße", "flight"}),
        ({"min_length": "14"}, {"straße", "flight"}),
        ({"max_length": "13"}, {"breathe", "bird"}),
        ({"max_length": "12"}, {"breathe"}),
        ({"min_length": "25", "max_length": "25"}, {"straße"}),
        ({"min_length": "0", "max_length": "999999999"}, set(LIBRARY)),
        ({"min_length": "9", "author": "Charlotte Brontë"}, {"bird"}),
        ({"max_length": "9", "category": "Courage", "author": "Charlotte Brontë"}, {"breathe"}),
    ],
    ids=lambda value: str(sorted(value) if isinstance(value, set) else value),  # a set's order differs by process
)
def test_filters_leave_exactly_what_matches(
    client: testing.TestClient, path: str, filters: dict[str, str], matching: set[str]
):
    answer = client.simulate_get(path, params={"type": "random", "count": "50", **filters})

    assert answer.status_code == 200
    assert {quote["id"] for quote in answer.json} == matching


@pytest.mark.parametrize("more", [{}, {"count": "5"}, {"format": "text"}], ids=["one", "several", "text"])
@pytest.mark.parametrize(
    ("filters", "asked"),
    [
        ({"author": "Charlotte"}, "author 'Charlotte'"),
        ({"author": "Charlotte Bronte"}, "author 'Charlotte Bronte'"),
        ({"category": "Größe"}, "category 'Größe'"),
        ({"author": "Jane Austen", "category": "Nature"}, "author 'Jane Austen' and category 'Nature'"),
        ({"max_length": "7"}, "max_length '7'"),
        ({"min_length": "42"}, "min_length '42'"),
        ({"min_length": "20", "max_length": "10"}, "min_length '20' and max_length '10'"),
        ({"author": "' OR 1=1 --"}, "author '' OR 1=1 --'"),
        ({"author": "%"}, "author '%'"),
    ],
    ids=str,
)
def test_no_match_is_404(client: testing.TestClient, filters: dict[str, str], asked: str, more: dict[str, str]):
    answer = client.simulate_get("/quote", params={"type": "random", **filters, **more})

    assert answer.status_code == 404
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json["detail"] == f"No quote matches {asked}."


def test_a_validator_does_not_make_chance_repeat_itself(client: testing.TestClient):
    answer = client.simulate_get("/quote?type=random", headers={"If-None-Match": "*"})

    assert (answer.status_code, answer.json["id"] in LIBRARY) == (200, True)


def test_the_author_of_the_embedded_library_is_found_in_any_case(make_service: Callable[..., Service]):
    answer = client_of(make_service()).simulate_get("/quote?type=random&author=CHARLOTTE+BRONT%C3%8B&count=50")

    assert answer.status_code == 200
    assert {quote["author"] for quote in answer.json} == {"Charlotte Brontë"}
    assert len(answer.json) > 1
