"""What every test may use: a frozen clock, a service on files of its own, and no network but this machine's."""

import datetime as dt
import os
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from falcon import testing
from pytest_socket import socket_allow_hosts
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from quotes.corpus import Corpus
from quotes.corpus_builder import built_file
from quotes.daily import DailyQuotes
from quotes.database import Database, open_database
from quotes.mashape import Mashape
from quotes.publishing import Publishing
from quotes.resources import create_api
from quotes.service import Service
from quotes.settings import Settings
from quotes.subscriptions import Subscriptions
from quotes.texts import Console
from tests.secrets import secrets_in

NOON = dt.datetime(2026, 11, 21, 12, 0, tzinfo=dt.UTC)
SHARE_STAGES = {  # those whose tests use the fixture `deployed`
    f"tests/aws/test_{name}.py" for name in ("failures", "one_quote", "requests", "role", "texts", "texts_many")
}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test whose logs or output have what looks like a secret."""
    report = yield
    for name, text in report.sections if report.when == "teardown" else ():  # it has those of the test as well
        for kind, _ in secrets_in(text):
            report.outcome, report.longrepr = "failed", f"{name} has what looks like a secret: {kind}"
    return report


class Clock:
    """Tell a time that only the test moves."""

    def __init__(self, now: dt.datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> dt.datetime:
        return self.now

    def move(self, **by: float) -> None:
        self.now += dt.timedelta(**by)


class Seconds:
    """Tell seconds that only the test lets pass."""

    def __init__(self) -> None:
        self.passed = 0.0

    def __call__(self) -> float:
        return self.passed


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Use half as many processes again as there are cores: a third of the time the tests wait for a clock."""
    return (os.cpu_count() or 1) * 3 // 2


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the file that waits most, so that nobody has to wait for it at the end."""
    items.sort(key=lambda item: item.path.name != "test_upstream_faults.py")


class _Scheduling(LoadFileScheduling):
    """Keep each file in one process, and in one too the files that share deployed stages: deploying takes long."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return "stages" if file in SHARE_STAGES else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> _Scheduling:
    return _Scheduling(config, log)


@pytest.fixture(autouse=True)
def _only_this_machine() -> None:
    socket_allow_hosts(["127.0.0.1", "::1"], allow_unix_socket=True)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def seconds() -> Seconds:
    """Return the clock for waiting."""
    return Seconds()


@pytest.fixture(scope="session")
def corpus() -> Corpus:
    """Return the embedded corpus."""
    return Corpus(built_file)


@pytest.fixture
def database(tmp_path: Path) -> Database:
    """Return a database of the test's own."""
    return open_database(f"sqlite:///{tmp_path}/quotes.db")


@pytest.fixture
def make_service(corpus: Corpus, database: Database, clock: Clock) -> Callable[..., Service]:
    """Return a maker of services on the test's database and clock; parts of it can be given."""

    def make(
        upstream: Mashape | None = None,
        database: Database = database,
        corpus: Corpus = corpus,
        timezone: dt.tzinfo = dt.UTC,
    ) -> Service:
        daily = DailyQuotes(corpus, upstream, database, timezone, now=clock)
        subscriptions = Subscriptions(database, Console(), now=clock)
        publishing = Publishing(daily, database, Console(), now=clock)
        return Service(corpus, upstream, database, daily, subscriptions, publishing)

    return make


@pytest.fixture
def client(make_service: Callable[..., Service]) -> testing.TestClient:
    """Return a client of the WSGI application, without upstream."""
    return testing.TestClient(create_api(Settings(), make_service()))
