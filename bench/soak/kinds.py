"""The kinds of request that the soak sends, each with a function that sends one and says if the answer was right."""

import json
import os
import random
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import quote as encoded

from bench.soak.client import Answer, Client

FORM, JSON = "application/x-www-form-urlencoded", "application/json"
AUTHORS = ("Jane Austen", "john keats", "MARCUS AURELIUS")


class Day(NamedTuple):
    """The day's quote as it was first answered."""

    json: bytes
    text: bytes
    etag: str


def _is_quote(found: Any) -> bool:
    return list(found) == ["quote", "author", "category", "source", "id"] and bool(found["quote"] and found["author"])


def _daily(client: Client, day: Day) -> bool:
    path = random.choice(("/daily", "/quote", "/quote?type=daily", "/quote?type=daily&format=json"))
    answer = client.ask("GET", path)
    return (answer.status, answer.body, answer.headers["etag"]) == (200, day.json, day.etag)


def _daily_text(client: Client, day: Day) -> bool:
    answer = client.ask("GET", "/daily", Accept="text/plain")
    return (answer.status, answer.body) == (200, day.text)


def _not_modified(client: Client, day: Day) -> bool:
    answer = client.ask("GET", "/daily", If_None_Match=day.etag)
    return (answer.status, answer.body, answer.headers["etag"]) == (304, b"", day.etag)


def _head(client: Client, day: Day) -> bool:
    answer = client.ask("HEAD", "/daily")
    return (answer.status, answer.headers["content-length"]) == (200, str(len(day.json)))


def _random(client: Client, day: Day) -> bool:
    answer = client.ask("GET", random.choice(("/", "/quote?type=random")))
    return answer.status == 200 and _is_quote(json.loads(answer.body))


def _text(client: Client, day: Day) -> bool:
    answer = client.ask("GET", "/quote?type=random&format=text")
    return answer.status == 200 and answer.body.decode().split("\n")[-2].startswith("\N{EM DASH} ")


def _filtered(client: Client, day: Day) -> bool:
    author, longest = random.choice(AUTHORS), random.randint(150, 400)
    answer = client.ask("GET", f"/quote?type=random&author={encoded(author)}&max_length={longest}")
    found = json.loads(answer.body)
    return answer.status == 200 and found["author"].lower() == author.lower() and len(found["quote"]) <= longest


def _many(client: Client, day: Day) -> bool:
    count = random.randint(1, 50)
    answer = client.ask("GET", f"/quote?type=random&count={count}")
    found = json.loads(answer.body)
    return answer.status == 200 and all(map(_is_quote, found)) and len({one["quote"] for one in found}) == count


def _card(client: Client, day: Day) -> bool:
    theme, width = random.choice(("light", "dark")), random.randint(240, 1200)
    answer = client.ask("GET", f"/daily?format=svg&theme={theme}&width={width}")
    return (answer.status, answer.headers["content-type"]) == (200, "image/svg+xml") and b"</svg>" in answer.body


def _page(client: Client, day: Day) -> bool:
    path, accept, start = random.choice(
        (
            ("/", "text/html", b"<!doctype html>"),
            ("/docs", "*/*", b"<!doctype html>"),
            ("/feed.atom", "*/*", b"<?xml"),
            ("/openapi.json", "*/*", b"{"),
        )
    )
    answer = client.ask("GET", path, Accept=accept)
    return answer.status == 200 and answer.body.lower().startswith(start)


def _library(client: Client, day: Day) -> bool:
    word, limit = random.choice(("hope", "love", "time", "death")), random.randint(1, 100)
    answer = client.ask("GET", f"/quotes?q={word}&limit={limit}")
    found = json.loads(answer.body)
    return answer.status == 200 and len(found["results"]) == min(limit, found["total"]) > 0


def _error(client: Client, day: Day) -> bool:
    method, path, status = random.choice(
        (
            ("GET", f"/nowhere/{random.random()}", 404),
            ("GET", f"/quote?type={random.randint(0, 10**9)}", 400),
            ("GET", f"/quote?type=random&author={random.randint(0, 10**9)}", 404),
            ("GET", "/daily?date=2001-02-03", 404),
            ("GET", "/daily?date=9999-12-31", 400),
            ("GET", f"/quote?type=random&count={random.randint(51, 10**8)}", 400),
            ("DELETE", "/daily", 405),
            ("GET", "/daily?format=xml", 400),
            ("GET", "/?" + "x" * 9000, 414),
        )
    )
    return _is_problem(client.ask(method, path), status)


def _not_acceptable(client: Client, day: Day) -> bool:
    return _is_problem(client.ask("GET", "/daily", Accept=f"image/{random.randint(0, 10**6)}"), 406)


def _body(client: Client, day: Day) -> bool:
    path, number = random.choice(("/subscribe", "/unsubscribe")), random.randint(0, 99_999)
    body, kind, status = random.choice(
        (
            (f"mobile=9190281{number:05}&otp=000000".encode(), FORM, 400),  # no code was sent to it
            (json.dumps({"mobile": f"+91 90281 {number:05}", "otp": "12345"}).encode(), JSON, 400),
            (b"mobile=" + b"9" * random.randint(20, 9000), FORM, 400),
            (b"[" * 9000, JSON, 400),
            (os.urandom(100), FORM, 400),
            (b"mobile=1", "text/plain", 415),
            (b"x" * random.randint(10_001, 12_000), FORM, 413),
        )
    )
    return _is_problem(client.ask("POST", path, body, Content_Type=kind), status)


def _health(client: Client, day: Day) -> bool:
    answer = client.ask("GET", "/health")
    found = json.loads(answer.body)
    return answer.status == 200 and found["status"] == "ok" and found["today"] is True


def _is_problem(answer: Answer, status: int) -> bool:
    problem = json.loads(answer.body)
    of_ours = list(problem) == ["type", "title", "status", "detail"]
    return (answer.status, problem["status"], of_ours) == (status, status, True)


KINDS: dict[str, tuple[int, Callable[[Client, Day], bool]]] = {
    "the day's": (20, _daily),
    "the day's, text": (8, _daily_text),
    "the day's, 304": (10, _not_modified),
    "the day's, HEAD": (7, _head),
    "random": (20, _random),
    "random, text": (5, _text),
    "random, filters": (10, _filtered),
    "random, many": (4, _many),
    "cards": (4, _card),
    "pages, the feed": (3, _page),
    "the library": (4, _library),
    "errors": (7, _error),
    "406": (2, _not_acceptable),
    "bodies": (5, _body),
    "health": (2, _health),
}
