"""Quotes as cards over HTTP: which card is answered, and how long it may be kept."""

import pytest
from falcon import testing

from quotes.corpus import Corpus, Filters
from quotes.representations import Form, represent
from tests.conftest import NOON
from tests.test_resources import EVERY_ANSWER
from tests.test_resources_daily import headers_of_a_day

POLICY = {"content-security-policy": "default-src 'none'"}


def card(corpus: Corpus, theme: str = "light", width: int = 600) -> bytes:
    return represent(Form("svg", theme, width), corpus.of_day(NOON.date()))


@pytest.mark.parametrize(
    "url", ["/daily?format=svg", "/quote?type=daily&format=svg", "/quote?format=svg&date=2026-11-21"]
)
def test_the_quote_of_today_as_a_card(client: testing.TestClient, corpus: Corpus, url: str):
    answer = client.simulate_get(url)

    assert answer.status_code == 200
    assert dict(answer.headers) == headers_of_a_day(answer, "image/svg+xml", "public, max-age=43200") | POLICY
    assert answer.content == card(corpus)


@pytest.mark.parametrize(("theme", "width"), [("light", 240), ("dark", 600), ("dark", 1200)])
def test_a_card_is_of_the_theme_and_width_that_are_asked_for(
    client: testing.TestClient, corpus: Corpus, theme: str, width: int
):
    answer = client.simulate_get(f"/daily?format=svg&theme={theme}&width={width}")

    assert (answer.status_code, answer.content) == (200, card(corpus, theme, width))


def test_each_card_has_a_validator_of_its_own(client: testing.TestClient):
    urls = [f"/daily?format={form}" for form in ("json", "text", "svg", "svg&theme=dark", "svg&width=601")]
    etags = [client.simulate_get(url).headers["ETag"] for url in urls]

    assert len(set(etags)) == len(urls)
    for url, etag in zip(urls, etags, strict=True):
        again = client.simulate_get(url, headers={"If-None-Match": etag})
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", etag)


def test_theme_and_width_change_nothing_but_cards(client: testing.TestClient):
    for form in ("json", "text"):
        plain, other = (client.simulate_get(f"/daily?format={form}{more}") for more in ("", "&theme=dark&width=300"))
        assert (plain.content, plain.headers) == (other.content, other.headers)


@pytest.mark.parametrize("form", ["svg", "json", "text"])
@pytest.mark.parametrize("path", ["/", "/quote", "/daily"])
@pytest.mark.parametrize(
    ("parameter", "detail"),
    [
        *((f"width={width}", "is not a whole number from 240 to 1200") for width in ("239", "1201", "600.0", "-600")),
        ("width=%D9%A6%D9%A0%D9%A0", "is not a whole number from 240 to 1200"),
        *((f"theme={theme}", "is none of light, dark") for theme in ("Dark", "sepia", "%22/%3E")),
    ],
)
def test_another_theme_or_width_is_400_whatever_the_form(
    client: testing.TestClient, path: str, form: str, parameter: str, detail: str
):
    answer = client.simulate_get(f"{path}?format={form}&{parameter}")

    assert answer.status_code == 400
    assert answer.json["detail"] == f"The parameter '{parameter.partition('=')[0]}' {detail}."


def test_a_random_card(client: testing.TestClient, corpus: Corpus):
    answer = client.simulate_get("/quote?type=random&author=Epictetus&format=svg&theme=dark&width=480")

    assert answer.status_code == 200
    headers = {"content-type": "image/svg+xml", "cache-control": "no-store", "vary": "Accept"}
    length = {"content-length": str(len(answer.content))}
    assert dict(answer.headers) == EVERY_ANSWER | headers | POLICY | length
    quotes = corpus.random(50, Filters(author="Epictetus"))
    assert answer.content in [represent(Form("svg", "dark", 480), quote) for quote in quotes]


def test_a_card_shows_one_quote(client: testing.TestClient):
    assert client.simulate_get("/?format=svg&count=1").status_code == 200
    answer = client.simulate_get("/?format=svg&count=2")

    assert answer.status_code == 400
    assert answer.json["detail"] == "The parameter 'count' is more than 1, and a card shows one quote."


def test_head_tells_what_get_would(client: testing.TestClient):
    got, told = client.simulate_get("/daily?format=svg"), client.simulate_head("/daily?format=svg")

    assert (told.status_code, told.headers, told.content) == (200, got.headers, b"")


def test_every_width_is_answered_as_if_it_were_the_first(client: testing.TestClient, corpus: Corpus):
    for width in (*range(240, 400), 240):
        assert client.simulate_get(f"/daily?format=svg&width={width}").content == card(corpus, width=width)
