"""The parts put together, and random quotes from the upstream and the corpus."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import responses

from quotes.corpus import Corpus, Filters
from quotes.corpus_builder import built_file
from quotes.errors import CorpusError
from quotes.mashape import Mashape
from quotes.quote import Quote
from quotes.service import Service, built_corpus
from quotes.settings import Settings

ENDPOINT = "http://127.0.0.1:1/quotes"
SENT = Quote("Sent from above.", "Upstream", "Love")
OTHER = Quote("Sent as well.", "Upstream", "Hope")
KEPT = Quote("Kept here.", "Jane Austen", "Love", None, "k1")


def write_corpus(path: Path, quotes: Iterable[Quote]) -> Path:
    path.write_text("".join(json.dumps(quote._asdict()) + "\n" for quote in quotes), encoding="utf-8")
    return path


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return Corpus(lambda: built_file(write_corpus(tmp_path / "corpus.jsonl", [KEPT])))


@pytest.fixture
def upstream() -> Mashape:
    return Mashape(ENDPOINT, "key")


def sends(*quotes: Quote) -> responses.RequestsMock:
    mock = responses.RequestsMock()
    mock.get(ENDPOINT, json=[dict(zip(("quote", "author", "category"), quote[:3], strict=True)) for quote in quotes])
    return mock


def test_random_quotes_come_from_the_upstream(make_service: Callable[..., Service], upstream: Mashape):
    with sends(SENT):
        assert make_service(upstream=upstream).random() == [SENT]


def test_the_corpus_adds_what_the_upstream_cannot_give(make_service: Callable[..., Service], upstream: Mashape):
    with sends(SENT, OTHER):
        assert make_service(upstream=upstream).random(count=3) == [SENT, OTHER, KEPT]


def test_quotes_with_a_filter_are_the_corpus_s(make_service: Callable[..., Service], upstream: Mashape):
    with sends(SENT) as mock:
        mock.assert_all_requests_are_fired = False
        assert make_service(upstream=upstream).random(filters=Filters(category="love")) == [KEPT]


def test_the_corpus_answers_when_the_upstream_fails(make_service: Callable[..., Service], upstream: Mashape):
    with responses.RequestsMock() as mock:
        mock.get(ENDPOINT, status=500)
        assert make_service(upstream=upstream).random() == [KEPT]


def test_the_corpus_answers_when_there_is_no_upstream(make_service: Callable[..., Service]):
    assert make_service().random() == [KEPT]


def test_words_that_both_the_upstream_and_the_corpus_know_are_answered_once(
    make_service: Callable[..., Service], upstream: Mashape
):
    same_words = KEPT._replace(source=None, id=None)
    with sends(same_words):
        assert make_service(upstream=upstream).random(count=2) == [same_words]


def test_putting_the_parts_together_opens_and_writes_nothing(tmp_path: Path):
    text = write_corpus(tmp_path / "corpus.jsonl", [KEPT])

    Service.of(Settings(corpus=text, database_url=f"sqlite:///{tmp_path}/quotes.db", upstream_endpoint=ENDPOINT))

    assert list(tmp_path.iterdir()) == [text]


def test_the_parts_are_those_that_the_settings_name(tmp_path: Path):
    settings = Settings(
        corpus=write_corpus(tmp_path / "corpus.jsonl", [KEPT]),
        database_url=f"sqlite:///{tmp_path}/quotes.db",
        timezone=ZoneInfo("Pacific/Kiritimati"),
        upstream_endpoint=ENDPOINT,
        upstream_key="key",
    )

    service = Service.of(settings)

    with responses.RequestsMock() as mock:
        mock.get(ENDPOINT, json=SENT._asdict(), match=[responses.matchers.header_matcher({"X-Mashape-Key": "key"})])
        daily = service.daily.quote_of_today()
    assert daily.quote == SENT
    assert service.corpus.random() == [KEPT]
    assert service.daily.end_of(daily.day) % 86400 == 10 * 3600  # midnight there is 10:00 UTC
    assert (tmp_path / "quotes.db").is_file()


def test_without_an_endpoint_there_is_no_upstream():
    assert Service.of(Settings()).upstream is None


@pytest.mark.parametrize(("on_lambda", "shared"), [(False, True), (True, False)], ids=["at home", "on Lambda"])
def test_a_sqlite_file_on_lambda_is_one_instance_s_own(tmp_path: Path, on_lambda: bool, shared: bool):
    settings = Settings(database_url=f"sqlite:///{tmp_path}/quotes.db", on_lambda=on_lambda)

    assert Service.of(settings).database.shared is shared


def test_a_missing_corpus_file_is_built_where_that_is_allowed(tmp_path: Path):
    text = write_corpus(tmp_path / "corpus.jsonl", [KEPT])

    assert built_corpus(Settings(corpus=text)) == tmp_path / "corpus.sqlite3"
    assert (tmp_path / "corpus.sqlite3").is_file()


def test_a_missing_corpus_file_is_never_built_on_lambda(tmp_path: Path):
    text = write_corpus(tmp_path / "corpus.jsonl", [KEPT])

    with pytest.raises(CorpusError, match=r"^corpus\.sqlite3 is missing from the package"):
        built_corpus(Settings(corpus=text, on_lambda=True))
    assert list(tmp_path.iterdir()) == [text]
