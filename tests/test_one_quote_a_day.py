"""One day, one quote: however many ask first at once, and however often the server is killed."""

import contextlib
import datetime as dt
import json
import multiprocessing
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.synchronize import Barrier
from pathlib import Path

import requests
from falcon import testing

import quotes
from quotes import models
from quotes.database import open_database
from quotes.resources import create_api
from quotes.settings import Settings
from tests.scale import scaled

pytest_plugins = ("tests.postgres",)

PROCESSES, THREADS = 4, 16
KILLS = scaled(30, 10)
PROJECT = Path(quotes.__file__).parents[1]
SPAWN = multiprocessing.get_context("spawn")


class Upstream(ThreadingHTTPServer):
    """Give another quote each time, but no answer before as many have asked as are to come together."""

    daemon_threads = True

    def __init__(self, together: int = 1) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.url = f"http://127.0.0.1:{self.server_port}/"
        self.given: list[str] = []
        self.all_have_asked = threading.Barrier(together, timeout=2)  # less than a request spends on the upstream


class _Answer(BaseHTTPRequestHandler):
    server: Upstream

    def do_GET(self) -> None:
        with contextlib.suppress(threading.BrokenBarrierError):
            self.server.all_have_asked.wait()
        words = f"Quote {len(self.server.given)} {os.urandom(8).hex()}"
        self.server.given.append(words)
        body = json.dumps({"quote": words, "author": "Somebody", "category": "Life"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep quiet."""


@contextlib.contextmanager
def serving(upstream: Upstream) -> Iterator[Upstream]:
    thread = threading.Thread(target=upstream.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield upstream
    finally:
        upstream.shutdown()
        thread.join()
        upstream.server_close()


def _meet(barrier: Barrier) -> None:
    barrier.wait()


def _first_requests(database_url: str, upstream_url: str) -> set[tuple[str, bytes]]:
    """Be one process: return the answers to the first requests of all its threads."""
    client = testing.TestClient(create_api(Settings(database_url=database_url, upstream_endpoint=upstream_url)))
    start = threading.Barrier(THREADS)

    def ask() -> tuple[str, bytes]:
        start.wait()
        answer = client.simulate_get("/quote", params={"type": "daily"})
        return answer.status, answer.content

    with ThreadPoolExecutor(THREADS) as pool:
        return {future.result() for future in [pool.submit(ask) for _ in range(THREADS)]}


def test_first_requests_to_four_processes_at_once_get_one_answer(database_url: str) -> None:
    with (
        serving(Upstream(together=PROCESSES)) as upstream,
        ProcessPoolExecutor(PROCESSES, SPAWN, _meet, (SPAWN.Barrier(PROCESSES),)) as pool,
    ):
        answers = set.union(*pool.map(_first_requests, [database_url] * PROCESSES, [upstream.url] * PROCESSES))

    [(status, body)] = answers
    day = json.loads(body)["date"]
    winner = open_database(database_url).read(lambda db: models.stored_quote(db, dt.date.fromisoformat(day)))
    assert len(set(upstream.given)) == PROCESSES  # each process had chosen another quote
    assert status == "200 OK"
    assert winner is not None
    assert winner.quote in upstream.given
    assert json.loads(body) == winner._asdict() | {"date": day}


def _start_server(listener: socket.socket, database: Path, upstream: Upstream) -> "subprocess.Popen[bytes]":
    """Start a server on a listening socket that outlives it, so that requests wait for the next one."""
    bind = f"fd://{listener.fileno()}"
    command = [sys.executable, "-m", "gunicorn", "--bind", bind, "--workers=2", "--threads=8", "--no-control-socket"]
    environ = os.environ | {"DATABASE_URL": f"sqlite:///{database}", "Mashape_API_Endpoint": upstream.url}
    return subprocess.Popen(
        [*command, "quotes.resources:api"],
        cwd=PROJECT,
        env=environ,
        pass_fds=[listener.fileno()],
        start_new_session=True,  # so that its workers can be killed with it
    )


def _kill(server: "subprocess.Popen[bytes]") -> None:
    os.killpg(server.pid, signal.SIGKILL)
    server.wait()


def _ask(url: str) -> bytes | None:
    """Return the day's answer, None where the server was killed meanwhile."""
    try:
        answer = requests.get(url, timeout=10)
    except requests.RequestException:
        return None
    assert answer.status_code == 200
    return answer.content


def test_a_server_killed_many_times_gives_the_same_answer_and_its_database_stays_whole(tmp_path: Path) -> None:
    moments = random.Random(20261121)
    answers: dict[str, set[bytes]] = defaultdict(set)  # by day: the tests may run at midnight
    over = threading.Event()

    def ask() -> bool:
        body = _ask(url)
        if body:
            answers[json.loads(body)["date"]].add(body)
        return body is not None

    def keep_asking() -> None:
        while not over.is_set():
            ask()

    with (
        serving(Upstream()) as upstream,
        socket.create_server(("127.0.0.1", 0)) as listener,
        ThreadPoolExecutor(4) as pool,
        contextlib.ExitStack() as at_the_end,
    ):
        at_the_end.callback(over.set)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/quote?type=daily"
        clients = [pool.submit(keep_asking) for _ in range(4)]
        for _ in range(KILLS):
            server = _start_server(listener, tmp_path / "quotes.db", upstream)
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(moments.uniform(0.1, 1.0))
            _kill(server)
        server = _start_server(listener, tmp_path / "quotes.db", upstream)
        at_the_end.callback(_kill, server)
        assert ask()
        over.set()
        for client in clients:
            client.result()

    assert [bodies for bodies in answers.values() if len(bodies) != 1] == []
    with closing(sqlite3.connect(tmp_path / "quotes.db")) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        rows = db.execute("SELECT day, quote FROM daily_quote ORDER BY day").fetchall()
    assert rows == sorted((day, json.loads(body)["quote"]) for day, (body,) in answers.items())
