"""A deployed stage answers through the gateway as the service answers anywhere, with our handler and with Zappa's."""

import datetime as dt
import re
from urllib.parse import urlsplit

import pytest

from quotes.corpus import Corpus
from quotes.daily import Daily
from quotes.page import POLICY
from quotes.representations import JSON, TEXT, Form, atom, represent
from quotes.static_files import FOLDER, MEDIA_TYPES, addresses
from tests.aws.stages import Stage, problem

pytest_plugins = ("tests.aws.stages",)

EVERY_ANSWER = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "ETag, Retry-After",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "strict-transport-security": "max-age=31536000",
    "x-content-type-options": "nosniff",
}


def sent(headers: dict[str, str], *names: str) -> dict[str, str | None]:
    return {name: headers.get(name) for name in names}


def test_the_quote_of_the_day(stage: Stage, corpus: Corpus):
    answer = stage.curl("/quote?type=daily")

    today = dt.date.fromisoformat(answer.json["date"])
    assert answer.status == 200
    assert answer.body == represent(JSON, corpus.of_day(today), date=today.isoformat())
    assert answer.headers.items() >= (EVERY_ANSWER | {"content-type": "application/json", "vary": "Accept"}).items()
    assert answer.headers["cache-control"].startswith("public, max-age=")
    assert abs(dt.datetime.now(dt.UTC).date() - today) <= dt.timedelta(days=1)
    assert stage.curl("/daily").body == stage.curl("/quote").body == answer.body


def test_the_quote_of_the_day_as_text(stage: Stage, corpus: Corpus):
    answer = stage.curl("/daily", "--header", "Accept: text/plain")

    day = dt.date.fromisoformat(stage.curl("/daily").json["date"])
    assert (answer.status, answer.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    assert answer.body == represent(TEXT, corpus.of_day(day))
    assert "\N{EM DASH}".encode() in answer.body


def test_a_card(stage: Stage, corpus: Corpus):
    answer = stage.curl("/daily?format=svg&theme=dark&width=480")

    day = dt.date.fromisoformat(stage.curl("/daily").json["date"])
    assert (answer.status, answer.headers["content-type"]) == (200, "image/svg+xml")
    assert answer.body == represent(Form("svg", "dark", 480), corpus.of_day(day))
    assert answer.headers["content-security-policy"] == "default-src 'none'"


def test_the_feed(stage: Stage, corpus: Corpus):
    answer = stage.curl("/feed.atom")

    published = re.findall(r"<published>(.*?)</published>", answer.body.decode())
    begun = [dt.datetime.fromisoformat(moment) for moment in published]
    days = [(moment, Daily(moment.date(), corpus.of_day(moment.date()), on_record=True)) for moment in begun]
    assert (answer.status, answer.headers["content-type"]) == (200, "application/atom+xml")
    assert answer.body == atom.write(days, stage.url)
    assert answer.headers["cache-control"].startswith("public, max-age=")


def test_a_version_that_the_client_has_is_not_sent_again(stage: Stage):
    etag = stage.curl("/daily").headers["etag"]

    answer = stage.curl("/daily", "--header", f"If-None-Match: {etag}")

    assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", etag)
    assert answer.headers["cache-control"].startswith("public, max-age=")


def test_the_page_and_its_files_byte_for_byte(stage: Stage):
    page = stage.curl("/", "--header", "Accept: text/html")

    root = urlsplit(stage.url).path
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert page.headers["content-security-policy"] == POLICY
    assert page.body == stage.curl("", "--header", "Accept: text/html").body  # the stage without a slash
    for name, address in addresses().items():
        assert f'"{root}/static/{address}"'.encode() in page.body
        file = stage.curl(f"/static/{address}")
        assert (file.status, file.headers["content-type"]) == (200, MEDIA_TYPES[name])
        assert file.body == (FOLDER / name).read_bytes()


def test_a_random_quote(stage: Stage, corpus: Corpus):
    answer = stage.curl("/quote?type=random&author=JOHN%20keats&max_length=120&count=2")

    everything = {quote.id: quote for quote in corpus.random(corpus.size)}
    assert (answer.status, len(answer.json)) == (200, 2)
    for quote in answer.json:
        assert quote == everything[quote["id"]]._asdict()
        assert quote["author"] == "John Keats"
        assert len(quote["quote"]) <= 120
    assert answer.headers["cache-control"] == "no-store"


def test_another_random_quote_each_time(stage: Stage):
    assert len({stage.curl("/").body for _ in range(8)}) > 4


def test_characters_of_any_script_arrive(stage: Stage, corpus: Corpus):
    author = next(quote.author for quote in corpus.random(corpus.size) if not quote.author.isascii())

    answer = stage.curl("/quote?type=random", "--get", "--data-urlencode", f"author={author}")

    assert (answer.status, answer.json["author"]) == (200, author)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (
            "/quote?type=weekly",
            problem(
                400,
                "Supported types are 'daily' or 'random'.",
                "Invalid Quote type",
                "urn:problem-type:invalid-quote-type",
            ),
        ),
        (
            "/quote?type=random&count=0",
            problem(
                400,
                "The parameter 'count' is not a whole number from 1 to 50.",
                "Invalid parameter",
                "urn:problem-type:invalid-parameter",
            ),
        ),
        (
            "/quote?type=daily&type=random",
            problem(
                400,
                "The parameter 'type' is given twice.",
                "Invalid parameter",
                "urn:problem-type:invalid-parameter",
            ),
        ),
        ("/daily?date=2020-02-29", problem(404, "No quote is on record for 2020-02-29.")),
        ("/no/such/path", problem(404, "There is nothing at this path.")),
        ("/caf%C3%A9%20%F0%9F%98%80", problem(404, "There is nothing at this path.")),
    ],
)
def test_errors_are_problems(stage: Stage, path: str, expected: dict):
    answer = stage.curl(path)

    assert (answer.status, answer.json) == (expected["status"], expected)
    wanted = EVERY_ANSWER | {"content-type": "application/problem+json", "cache-control": "no-store"}
    assert answer.headers.items() >= wanted.items()


def test_a_method_that_is_not_known_is_told_the_others(stage: Stage):
    answer = stage.curl("/daily", "--request", "DELETE")

    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    assert answer.json["status"] == 405


def test_head_is_get_without_the_body(stage: Stage):
    head, get = stage.curl("/daily", "--head"), stage.curl("/daily")

    names = ("etag", "content-type", "vary", "access-control-allow-origin")
    assert (head.status, head.body) == (200, b"")
    assert sent(head.headers, *names) == sent(get.headers, *names)


def test_a_page_of_another_origin_may_ask(stage: Stage):
    answer = stage.curl(
        "/quote", "--request", "OPTIONS", "--header", "Origin: https://a.example", "--header",
        "Access-Control-Request-Method: GET",
    )  # fmt: skip

    assert answer.status == 200
    assert sent(answer.headers, "access-control-allow-origin", "access-control-allow-methods") == {
        "access-control-allow-origin": "*",
        "access-control-allow-methods": "GET, HEAD",
    }


def test_health_says_that_all_instances_share_the_state(new_stage: Stage):
    before = new_stage.curl("/health").json
    new_stage.curl("/daily")
    after = new_stage.curl("/health").json

    assert before == after | {"today": False}
    assert after["today"] is True
    assert (after["status"], after["upstream"]) == ("ok", {"status": "off"})
    assert (after["database"]["kind"], after["database"]["shared"]) == ("s3", True)
