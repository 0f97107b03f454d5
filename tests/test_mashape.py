"""A client of the upstream that keeps, shares, gives up, comes back, and asks as it should."""

import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import responses

from quotes.mashape import FRESH_FOR, Mashape
from quotes.quote import Quote
from tests.stub_upstream import (
    Behaviour,
    Call,
    Upstream,
    body,
    break_off,
    entry,
    flood,
    good,
    redirect,
    reflect,
    refuse,
    silent,
    single,
    slow,
    status,
)

KEY = "the-key-that-nobody-may-see"
BROKEN = status("500 Internal Server Error")
MASHAPE = {"X-Mashape-Key": KEY}


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


def until(condition: Callable[[], object], seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while not (met := bool(condition())) and time.monotonic() < deadline:
        time.sleep(0.01)
    return met


def at_once(count: int, ask: Callable[[], list[Quote]]) -> list[list[Quote]]:
    """Call from so many threads, all at the same moment."""
    barrier = threading.Barrier(count)

    def call(_: int) -> list[Quote]:
        barrier.wait()
        return ask()

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(call, range(count)))


def of(number: int) -> Quote:
    return Quote(**entry(number))


def test_ten_requests_ask_the_upstream_once(upstream: Upstream) -> None:
    mashape = Mashape(upstream.url, KEY)
    assert [mashape.random() for _ in range(10)] == [[of(100 + n)] for n in range(10)]
    assert len(upstream.requests) == 1


def test_the_eleventh_asks_again(upstream: Upstream) -> None:
    mashape = Mashape(upstream.url, KEY)
    mashape.random(10)
    assert mashape.random() == [of(200)]


def test_several_are_taken_from_what_waits_before_the_upstream_is_asked(upstream: Upstream) -> None:
    mashape = Mashape(upstream.url, KEY)
    mashape.random(8)
    assert mashape.random(4) == [of(108), of(109), of(200), of(201)]


def test_a_request_asks_once_and_takes_what_there_is(upstream: Upstream) -> None:
    assert Mashape(upstream.url, KEY).random(50) == [of(100 + n) for n in range(10)]
    assert len(upstream.requests) == 1


def test_a_quote_that_comes_twice_is_given_once(upstream: Upstream) -> None:
    upstream.does = body(json.dumps([entry(1), entry(1), entry(2)]).encode())
    assert Mashape(upstream.url, KEY).random(3) == [of(1), of(2)]


def test_no_more_than_fifty_wait(upstream: Upstream) -> None:
    upstream.does = body(json.dumps([entry(n) for n in range(1000)]).encode())
    assert len(Mashape(upstream.url, KEY).random(1000)) == 50


def test_an_upstream_that_gives_one_at_a_time_is_asked_each_time(upstream: Upstream) -> None:
    upstream.does = single
    mashape = Mashape(upstream.url, KEY)
    assert [mashape.random() for _ in range(3)] == [[of(1)], [of(2)], [of(3)]]


@pytest.mark.parametrize(("age", "number"), [(FRESH_FOR - 1, 101), (FRESH_FOR, 200)], ids=["fresh", "stale"])
def test_a_quote_waits_for_five_minutes_at_most(upstream: Upstream, age: float, number: int) -> None:
    now = [1000.0]
    mashape = Mashape(upstream.url, KEY, monotonic=lambda: now[0])
    mashape.random()
    now[0] += age
    assert mashape.random() == [of(number)]


def test_threads_that_ask_at_once_ask_the_upstream_once_and_each_gets_its_own(upstream: Upstream) -> None:
    upstream.does = slow(0.5)
    answers = at_once(8, Mashape(upstream.url, KEY).random)
    assert sorted(itertools.chain(*answers)) == [of(100 + n) for n in range(8)]
    assert len(upstream.requests) == 1


def test_threads_that_ask_at_once_give_up_together(upstream: Upstream) -> None:
    upstream.does = silent
    begun = time.monotonic()
    assert at_once(8, Mashape(upstream.url, KEY, budget=0.5).random) == [[]] * 8
    assert time.monotonic() - begun < 1.0


@pytest.mark.parametrize("fault", [BROKEN, body(b"<html>"), flood()], ids=["status", "rubbish", "too large"])
def test_after_three_failures_it_is_not_asked(upstream: Upstream, fault: Behaviour) -> None:
    upstream.does = fault
    mashape = Mashape(upstream.url, KEY)
    assert [mashape.random() for _ in range(10)] == [[]] * 10
    assert len(upstream.requests) == 3


def test_a_success_in_between_forgives(upstream: Upstream) -> None:
    mashape = Mashape(upstream.url, KEY)
    for behaviour in (BROKEN, BROKEN, single, BROKEN, BROKEN):
        upstream.does = behaviour
        mashape.random()
    assert mashape.status == "failing"


def test_after_the_rest_a_success_brings_it_back(upstream: Upstream) -> None:
    mashape = failed_three_times(upstream, left_alone_for=0.1)
    upstream.does = good
    assert until(mashape.random)
    assert (mashape.status, mashape.error) == ("ok", None)


def test_after_the_rest_one_failure_is_enough_for_another(upstream: Upstream) -> None:
    mashape = failed_three_times(upstream, left_alone_for=1.0)
    assert until(lambda: mashape.random() or len(upstream.requests) > 3)
    assert [mashape.random() for _ in range(5)] == [[]] * 5
    assert len(upstream.requests) == 4


def test_nobody_waits_for_the_trial_but_the_one_who_makes_it(upstream: Upstream) -> None:
    released = threading.Event()

    def held(call: Call) -> None:
        released.wait(10)
        good(call)

    mashape = failed_three_times(upstream, left_alone_for=0.1)
    upstream.does = held
    with ThreadPoolExecutor() as threads:
        trial = threads.submit(until, mashape.random)
        assert until(lambda: len(upstream.requests) > 3)
        assert mashape.random() == []
        released.set()
        assert trial.result()
    assert len(upstream.requests) == 4  # so the trial was still under way when the other one had its answer


def test_the_status_tells_how_it_is(upstream: Upstream) -> None:
    mashape = Mashape(upstream.url, KEY)
    told = [mashape.status]
    for behaviour in (single, BROKEN, BROKEN, BROKEN):
        upstream.does = behaviour
        mashape.random()
        told.append(mashape.status)
    assert told == ["unknown", "ok", "failing", "failing", "resting"]


def test_the_log_tells_each_failure_the_rest_and_the_return(
    upstream: Upstream, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "quotes")
    mashape = failed_three_times(upstream, left_alone_for=1.0)
    upstream.does = good
    assert until(mashape.random)
    failed = "The upstream failed: it answered HTTP 500"
    rests = f"{failed}; left alone for 1 s."
    assert caplog.messages == [f"{failed}.", f"{failed}.", rests, "The upstream is back."]


def failed_three_times(upstream: Upstream, left_alone_for: float) -> Mashape:
    upstream.does = BROKEN
    mashape = Mashape(upstream.url, KEY, left_alone_for=left_alone_for)
    for _ in range(3):
        mashape.random()
    return mashape


@pytest.mark.parametrize(
    ("host", "keys"),
    [
        ("andruxnet.p.mashape.com", MASHAPE),
        ("famous.p.rapidapi.com", MASHAPE | {"X-RapidAPI-Key": KEY, "X-RapidAPI-Host": "famous.p.rapidapi.com"}),
        ("Famous.P.RapidAPI.com", MASHAPE | {"X-RapidAPI-Key": KEY, "X-RapidAPI-Host": "famous.p.rapidapi.com"}),
        ("rapidapi.com:8443", MASHAPE | {"X-RapidAPI-Key": KEY, "X-RapidAPI-Host": "rapidapi.com"}),
        ("notrapidapi.com", MASHAPE),
        ("rapidapi.com.example.org", MASHAPE),
    ],
)
def test_the_key_goes_in_the_headers_that_the_host_reads(host: str, keys: dict[str, str]) -> None:
    with responses.RequestsMock() as wire:
        wire.get(f"https://{host}/quotes", json=entry(1))
        assert Mashape(f"https://{host}/quotes", KEY).random() == [of(1)]
        sent = wire.calls[0].request.headers
    assert {name: value for name, value in sent.items() if name.startswith("X-")} == keys


@pytest.mark.parametrize(
    "fault",
    [BROKEN, reflect, break_off(f"X-Mashape-Key: {KEY}\r\n\r\n".encode()), redirect(f"/?key={KEY}"), refuse],
    ids=["status", "malformed headers with the key", "status line with the key", "redirect with the key", "refuses"],
)
def test_the_key_is_in_no_log_line(upstream: Upstream, caplog: pytest.LogCaptureFixture, fault: Behaviour) -> None:
    caplog.set_level("DEBUG")
    upstream.does = fault
    Mashape(upstream.url, KEY).random()
    assert "The upstream failed" in caplog.text
    assert KEY not in caplog.text


def test_json_is_asked_for_uncompressed(upstream: Upstream) -> None:
    Mashape(upstream.url, KEY).random()
    sent = upstream.requests[0].headers
    assert (sent["accept"], sent["accept-encoding"]) == ("application/json", "identity")


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ("", [("count", "10")]),
        ("?cat=famous", [("cat", "famous"), ("count", "10")]),
        ("?count=3", [("count", "3")]),
        ("?cat=movies&count=3", [("cat", "movies"), ("count", "3")]),
    ],
    ids=["bare", "other parameters", "a count of its own", "both"],
)
def test_ten_are_asked_for_unless_the_endpoint_says_how_many(
    upstream: Upstream, query: str, asked: list[tuple[str, str]]
) -> None:
    Mashape(upstream.url + query, KEY).random()
    assert [(request.path, request.query) for request in upstream.requests] == [("/andruxnet/quotes", asked)]
