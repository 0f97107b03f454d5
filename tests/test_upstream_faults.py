"""The service as it is run, with an upstream that fails in every way there is: a client sees a quote, in time."""

import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, Self

import psutil
import pytest
import requests

import quotes
from quotes import server as settings
from tests.stub_upstream import (
    RUBBISH,
    Upstream,
    body,
    break_off,
    drip_body,
    drip_headers,
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

IN_TIME = 3.5  # seconds: what the contract grants an answer
AT_ONCE = 0.05  # seconds: the same for the median, once the upstream is left alone
WELL_AGAIN = 90.0  # seconds: the same for its recovery
MEMORY = 128 * 1024 * 1024  # bytes; a worker that has served takes half of it
KEY = "the-key-that-nobody-may-see"
CLIENTS = 16
RANDOM, DAILY = "/quote?type=random", "/daily"

FAULTS = {
    "slow": slow(60),
    "silent": silent,
    "dripping headers": drip_headers,
    "dripping body": drip_body,
    "huge body": body(b" " * 50_000_000),
    "endless body": flood(),
    "endless body of a redirect": flood("302 Found\r\nLocation: /"),
    "hangs up": break_off(),
    "hangs up amid the headers": break_off(b"HTTP/1.1 200 OK\r\nContent-Ty"),
    "hangs up after the headers": break_off(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"),
    "wrong length": break_off(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{}"),
    "sends the key back": reflect,
    "redirects to itself": redirect("/andruxnet/quotes"),
    "refuses connections": refuse,
    "gzip": body(bytes.fromhex("1f8b08000000000000038b8e050029bb4c0d02000000"), content_encoding="gzip"),
    **{line: status(line) for line in ("401 Unauthorized", "403 Forbidden", "404 Not Found", "500 Server Error")},
    **{line: status(line, Retry_After="60") for line in ("429 Too Many Requests", "503 Service Unavailable")},
    **{name: body(content) for name, content in RUBBISH.items()},
}


class Answer(NamedTuple):
    """Hold what a client got, and how long it waited in seconds."""

    path: str
    status: int
    body: bytes
    waited: float


class Server:
    """Run `python -m quotes serve` on a free port, with a database of its own."""

    def __init__(self, upstream: Upstream, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self._url = f"http://127.0.0.1:{port}"
        self._log = folder / "log"
        settings = {
            "DATABASE_URL": f"sqlite:///{folder}/quotes.db",
            "LOG_LEVEL": "DEBUG",
            "Mashape_API_Endpoint": upstream.url,
            "PORT": str(port),
            "X_Mashape_Key": KEY,
        }
        paths = {"HOME": str(folder), "PATH": os.environ["PATH"], "PYTHONPATH": str(Path(quotes.__file__).parents[1])}
        with self._log.open("wb") as log:
            serve = [sys.executable, "-m", "quotes", "serve"]
            self._process = psutil.Popen(serve, cwd=folder, env=paths | settings, stdout=log, stderr=subprocess.STDOUT)

    def __enter__(self) -> Self:
        """Wait until every worker has started and the service answers."""
        if not until(lambda: len(self.workers()) == settings.workers and self._answers(), seconds=30):
            self._process.kill()
            pytest.fail(self.log())
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it at once."""
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(30)

    def _answers(self) -> bool:
        try:
            return self.get("/nothing").status == 404
        except requests.ConnectionError:
            return False

    def workers(self) -> list[psutil.Process]:
        return self._process.children()

    def log(self) -> str:
        return self._log.read_text()

    def get(self, path: str) -> Answer:
        begun = time.monotonic()
        answer = requests.get(self._url + path, timeout=20)
        return Answer(path, answer.status_code, answer.content, time.monotonic() - begun)

    def get_at_once(self, paths: list[str]) -> list[Answer]:
        with ThreadPoolExecutor(CLIENTS) as clients:
            return list(clients.map(self.get, paths))

    def memory(self) -> int:
        return max(worker.memory_info().rss for worker in self.workers())

    def until_left_alone(self, upstream: Upstream) -> Iterator[list[Answer]]:
        """Let 16 clients ask at once, again and again, until a round brings the upstream no request."""
        for _ in range(10):
            asked = len(upstream.requests)
            yield self.get_at_once([RANDOM, DAILY] * (CLIENTS // 2))
            if len(upstream.requests) == asked:
                return
        pytest.fail("The upstream is not left alone.")


class Watched(NamedTuple):
    """Hold what was seen of a service whose upstream fails."""

    answers: list[Answer]
    left_alone: list[Answer]
    memory: int
    threads: int
    connections: int
    log: str


def until(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return met


@pytest.fixture(scope="module", autouse=True)
def recovering(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, float]]:
    """Give a service whose upstream failed, and is well since the time given; the other tests run meanwhile."""
    with Upstream(status("500 Server Error")) as upstream, Server(upstream, tmp_path_factory.mktemp("it")) as server:
        list(server.until_left_alone(upstream))
        upstream.does = good
        yield server, time.monotonic()


@pytest.fixture(scope="module", params=FAULTS)
def watched(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Watched:
    """Watch the service through one fault, from its first request until the upstream is left alone."""
    with Upstream(FAULTS[request.param]) as upstream, Server(upstream, tmp_path_factory.mktemp("it")) as server:
        answers, memory = [], 0
        for answered in server.until_left_alone(upstream):
            answers += answered
            memory = max(memory, server.memory())
        left_alone = [server.get(RANDOM) for _ in range(30)]
        until(lambda: len(upstream.open) <= settings.workers, seconds=2)
        threads = max(worker.num_threads() for worker in server.workers())
        return Watched(answers, left_alone, memory, threads, len(upstream.open), server.log())


def test_each_request_is_answered_with_a_quote_of_the_corpus(watched: Watched) -> None:
    keys = {RANDOM: ["quote", "author", "category", "source", "id"]}
    keys[DAILY] = [*keys[RANDOM], "date"]
    for answer in watched.answers + watched.left_alone:
        assert answer.status == 200
        quote = json.loads(answer.body)
        assert list(quote) == keys[answer.path]
        assert quote["id"] is not None


def test_each_request_is_answered_in_time(watched: Watched) -> None:
    waits = [(answer.waited, answer.path) for answer in watched.answers + watched.left_alone]
    assert [wait for wait in waits if wait[0] >= IN_TIME] == []


def test_the_day_has_one_quote(watched: Watched) -> None:
    assert len({answer.body for answer in watched.answers if answer.path == DAILY}) == 1


def test_an_upstream_that_is_left_alone_costs_no_time(watched: Watched) -> None:
    assert statistics.median(answer.waited for answer in watched.left_alone) < AT_ONCE


def test_memory_is_bounded(watched: Watched) -> None:
    assert watched.memory < MEMORY


def test_no_connection_is_left_behind_with_a_thread_that_reads_it(watched: Watched) -> None:
    assert watched.connections <= settings.workers  # each may keep one for its next request


def test_the_number_of_threads_is_bounded(watched: Watched) -> None:
    assert watched.threads <= settings.threads + 1  # those that answer, and the main one


def test_the_log_tells_the_failure_and_never_the_key(watched: Watched) -> None:
    assert "The upstream failed" in watched.log
    assert KEY not in watched.log


def test_memory_does_not_grow_with_the_requests(tmp_path: Path) -> None:
    with Upstream(single) as upstream, Server(upstream, tmp_path) as server:
        server.get_at_once([RANDOM] * 200)
        before = server.memory()
        server.get_at_once([RANDOM] * 1000)
        assert server.memory() - before < 8 * 1024 * 1024


def test_an_upstream_that_is_well_again_is_heard_again(recovering: tuple[Server, float]) -> None:
    server, well_since = recovering
    left = well_since + WELL_AGAIN - time.monotonic()
    assert until(lambda: json.loads(server.get(RANDOM).body)["id"] is None, seconds=left)
