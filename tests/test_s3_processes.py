"""Eight processes, each with a /tmp of its own, and one object: nothing is lost, doubled, or decided twice."""

import datetime as dt
import json
import multiprocessing
import random
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from pathlib import Path

import peewee
import pytest
from falcon import testing

from quotes import models
from quotes.database import open_database
from quotes.errors import StateUnavailable
from quotes.quote import Quote
from quotes.resources import create_api
from quotes.schedulers import set_quote_of_the_day
from quotes.settings import Settings
from tests.s3 import (
    ERROR_500,
    S3,
    SLOW_DOWN,
    at_random,
    cut,
    drop,
    drop_answer,
    is_whole,
    late,
    opened,
    silent,
)
from tests.scale import scaled
from tests.stub_upstream import Call, Upstream, good

pytest_plugins = ("tests.s3",)

SPAWN = multiprocessing.get_context("spawn")
PROCESSES = 8
FIRST_DAY = dt.date(2000, 1, 1)
NOON = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
SEED = 20261121


def store(day: dt.date, attempt: str) -> Callable[[peewee.Database], None]:
    """Return a change that stores a day, and what no constraint keeps from being stored twice: that it was applied."""

    def change(db: peewee.Database) -> None:
        db.execute_sql("CREATE TABLE IF NOT EXISTS applied (attempt TEXT)")
        db.execute_sql("INSERT INTO applied VALUES (?)", (attempt,))
        models.store_quote(db, day, Quote(f"of {day}", "author", "category"), NOON)

    return change


def write_days(url: str, first: int, number: int, confirmed: Path) -> None:
    """Be one process: store days until each is confirmed, from the first on that was not when it was killed."""
    database = open_database(url)
    with confirmed.open("a", buffering=1) as journal:
        for n in range(first + len(confirmed.read_text().splitlines()), first + number):
            is_confirmed = False
            while not is_confirmed:
                attempt = uuid.uuid4().hex
                with suppress(StateUnavailable):
                    database.write(store(FIRST_DAY + dt.timedelta(days=n), attempt))
                    is_confirmed = True
            journal.write(f"{attempt}\n")


class Writers:
    """Run the processes, which can be killed and started again."""

    def __init__(self, url: str, number: int, folder: Path, environ: pytest.MonkeyPatch) -> None:
        self._url, self._number, self._folder, self._environ = url, number, folder, environ
        self._running = {n: self._start(n) for n in range(PROCESSES)}

    def _start(self, n: int) -> BaseProcess:
        tmp = self._folder / f"tmp of {n}"
        tmp.mkdir(exist_ok=True)
        self._environ.setenv("TMPDIR", str(tmp))
        arguments = (self._url, n * self._number, self._number, self._folder / f"{n}.txt")
        process = SPAWN.Process(target=write_days, args=arguments)
        process.start()
        return process

    def confirmed(self) -> list[str]:
        return [attempt for path in self._folder.glob("*.txt") for attempt in path.read_text().splitlines()]

    def kill_one(self, draw: random.Random) -> None:
        n = draw.choice(list(self._running))
        self._running[n].kill()
        self._running[n].join()
        self._running[n] = self._start(n)

    def are_running(self) -> bool:
        """Wait for a moment; tell whether a process has not ended yet."""
        wait([process.sentinel for process in self._running.values()], timeout=0.02)
        for n, process in list(self._running.items()):
            if process.exitcode is not None:
                assert process.exitcode == 0
                del self._running[n]
        return bool(self._running)

    def stop(self) -> None:
        for process in self._running.values():
            process.kill()
            process.join()


@pytest.fixture
def start(s3: S3, tmp_path: Path, aws: pytest.MonkeyPatch) -> Iterator[Callable[[int], Writers]]:
    """Return what starts the processes, each to write so many days; none outlives the test."""
    started = []

    def start(number: int) -> Writers:
        started.append(Writers(s3.url, number, tmp_path, aws))
        return started[-1]

    yield start
    for writers in started:
        writers.stop()


@contextmanager
def sampling(s3: S3) -> Iterator[None]:
    """Get the object all the while, and look whether it is whole."""
    over = threading.Event()

    def sample() -> int:
        samples = 0
        while not over.wait(0.02):
            body = s3.body
            if body is not None:
                assert is_whole(body)
                samples += 1
        return samples

    with ThreadPoolExecutor(1) as pool:
        sampler = pool.submit(sample)
        try:
            yield
        finally:
            over.set()
    assert sampler.result() > 10


def content(s3: S3) -> tuple[list[tuple[str, str]], list[str]]:
    """Return the days and the attempts that are in the object."""
    with opened(s3.body) as db:
        days = db.execute("SELECT day, quote FROM daily_quote ORDER BY day").fetchall()
        return days, [attempt for (attempt,) in db.execute("SELECT attempt FROM applied")]


def expected_days(number: int) -> list[tuple[str, str]]:
    days = [FIRST_DAY + dt.timedelta(days=n) for n in range(number)]
    return [(f"{day}", f"of {day}") for day in days]


@pytest.mark.timeout(scaled(900, 300))
def test_eight_processes_write_at_once(s3: S3, start: Callable[[int], Writers]) -> None:
    number = scaled(200, 20)
    with sampling(s3):
        writers = start(number)
        while writers.are_running():
            pass

    days, applied = content(s3)
    assert days == expected_days(PROCESSES * number)
    assert sorted(applied) == sorted(writers.confirmed())


@pytest.mark.timeout(scaled(900, 300))
def test_processes_are_killed_at_random_and_s3_fails_at_random(s3: S3, start: Callable[[int], Writers]) -> None:
    number, kills = scaled(200, 20), scaled(40, 5)
    draw = random.Random(SEED)
    kill_after = sorted(draw.sample(range(PROCESSES * number * 3 // 4), kills))
    anything = {ERROR_500: 0.03, SLOW_DOWN: 0.03, drop: 0.02, drop_answer: 0.04, silent: 0.005}
    s3.faults["GET"] = at_random(SEED, anything | {cut: 0.02})
    s3.faults["PUT"] = at_random(SEED, anything | {late: 0.01})

    with sampling(s3):
        writers = start(number)
        while writers.are_running():
            if kill_after and len(writers.confirmed()) > kill_after[0]:
                kill_after.pop(0)
                writers.kill_one(draw)

    days, applied = content(s3)
    assert kill_after == []
    assert days == expected_days(PROCESSES * number)
    assert len(applied) == len(set(applied))
    assert set(writers.confirmed()) <= set(applied)


def be_instance(is_warm: bool, together: Barrier, answers: "SimpleQueue[tuple[int, str, bytes]]") -> None:
    """Be one instance, at midnight: its scheduler and three requests ask for the day at once."""
    import boto3  # noqa: F401  # eight processes that import at once take longer than S3 is waited for
    import requests  # noqa: F401

    client = testing.TestClient(create_api(Settings.from_environ()))
    if is_warm:
        health = client.simulate_get("/health").json
        assert (health["database"]["kind"], health["today"]) == ("s3", False)
    with ThreadPoolExecutor(4) as pool:
        together.wait()
        scheduled = pool.submit(set_quote_of_the_day, {}, None)
        for request in [pool.submit(client.simulate_get, "/daily") for _ in range(3)]:
            answer = request.result()
            answers.put((answer.status_code, answer.headers.get("etag", ""), answer.content))
        scheduled.result()


@pytest.mark.timeout(120)
@pytest.mark.parametrize("is_warm", [False, True], ids=["cold", "warm"])
def test_eight_instances_have_one_quote_a_day(
    s3: S3, aws: pytest.MonkeyPatch, tmp_path: Path, *, is_warm: bool
) -> None:
    together, answers = SPAWN.Barrier(PROCESSES), SPAWN.SimpleQueue()
    all_have_asked = threading.Barrier(2 * PROCESSES)  # each scheduler and each application

    def give_each_another_quote(call: Call) -> None:
        with suppress(threading.BrokenBarrierError):
            all_have_asked.wait(2)  # less than a request spends on the upstream
        good(call)

    with Upstream(give_each_another_quote) as upstream:
        aws.setenv("DATABASE_URL", s3.url)
        aws.setenv("Mashape_API_Endpoint", upstream.url)
        instances = []
        for n in range(PROCESSES):
            aws.setenv("TMPDIR", str(tmp_path / f"{n}"))
            (tmp_path / f"{n}").mkdir()
            instances.append(SPAWN.Process(target=be_instance, args=(is_warm, together, answers), daemon=True))
            instances[-1].start()
        given = {answers.get() for _ in range(3 * PROCESSES)}
        for instance in instances:
            instance.join()

    [(status, etag, body)] = given
    answer = json.loads(body)
    assert len(upstream.requests) > 1  # so there was something to agree on
    assert status == 200
    assert etag  # it is on record
    with opened(s3.body) as db:
        assert db.execute("SELECT quote, day FROM daily_quote").fetchall() == [(answer["quote"], answer["date"])]
    assert answer["quote"].startswith("Upstream quote number ")
