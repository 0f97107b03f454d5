"""State on a server: PostgreSQL, or CockroachDB, which speaks the same protocol.

The pool checks each connection before use, so a restart of the server goes unnoticed; while the server is coming back,
the first use waits briefly.
"""

import contextlib
import functools
import importlib.util
import time
import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from quotes.database import PeeweeDatabase
from quotes.errors import SettingError, StateUnavailable

if TYPE_CHECKING:
    import peewee

CONNECT_TIMEOUT = 2  # seconds
CONNECT_BUDGET = 3.0  # seconds, for all attempts together
STATEMENT_TIMEOUT = 3000  # milliseconds; enforced by the server
ANSWERS_WITHIN = 4.0  # seconds; enforced here, in case the server hangs
POOL_SIZE = 16  # connections per process: as many as `serve` has threads
IDLE_TIMEOUT = 300  # seconds, after which a connection is replaced


class ServerDatabase(PeeweeDatabase):
    """Read and write a database on a server, through a connection pool.

    Args:
        url: `postgresql://…` or `cockroachdb://…`; its query (`sslmode`, `sslrootcert`, …) is passed to the driver.
        pool_size: The maximum number of connections of this process.
        answers_within: The maximum time to wait for a response, in seconds.

    Raises:
        SettingError: The driver is not installed.
    """

    def __init__(self, url: str, pool_size: int = POOL_SIZE, *, answers_within: float = ANSWERS_WITHIN) -> None:
        if importlib.util.find_spec("psycopg") is None:
            hint = "this kind of database needs psycopg: `pipenv install --categories postgres`"
            raise SettingError("DATABASE_URL", hint)
        super().__init__(url, shared=True, meaning="a server; every instance shares it")
        self._pool_size = pool_size
        self._answers_within = answers_within

    def is_there(self) -> bool:
        """Connect, which fails unless the server has the database."""
        with self._open():
            return True

    @contextlib.contextmanager
    def _connection(self) -> "Iterator[peewee.Database]":
        import peewee
        from playhouse.pool import MaxConnectionsExceeded

        pool, deadline = self._database, time.monotonic() + CONNECT_BUDGET
        while True:
            try:
                pool.connect()
                break
            except MaxConnectionsExceeded as error:
                raise StateUnavailable(f"All {self._pool_size} connections to the database are in use.") from error
            except (peewee.OperationalError, peewee.InterfaceError):
                if time.monotonic() >= deadline:
                    raise
                time.sleep(0.1)
        try:
            yield pool
        finally:
            pool.close()

    @functools.cached_property
    def _database(self) -> Any:  # one of peewee's pools
        from playhouse import db_url

        scheme, rest = self._url.split("://", 1)
        try:
            given = db_url.parse(self._url)
        except ValueError:
            raise StateUnavailable("DATABASE_URL: is not a URL") from None
        # The last of two options of the same name wins, so a timeout in the URL overrides ours.
        options = f"-c statement_timeout={STATEMENT_TIMEOUT} {given.get('options', '')}".strip()
        pool = db_url.connect(
            f"{scheme}+pool://{rest}",
            unquote_password=True,
            unquote_user=True,
            max_connections=self._pool_size,
            stale_timeout=IDLE_TIMEOUT,
            timeout=CONNECT_BUDGET,
            connect_timeout=given.get("connect_timeout", CONNECT_TIMEOUT),
            options=options,
        )
        pool._adapter.connect = functools.partial(_connected, pool._adapter.connect, self._answers_within)  # noqa: SLF001
        weakref.finalize(self, pool.close_idle)
        return pool


def _connected(connect: Callable[..., Any], within: float, pool: Any, **parameters: Any) -> Any:
    """Return a new connection that gives up on a server that has stopped responding."""
    import psycopg
    from psycopg.pq import TransactionStatus

    connection = connect(pool, **parameters)
    # Weak: connections that nobody uses any more are closed at once, not when cycles are collected.
    itself, its_pool = weakref.ref(connection), weakref.ref(pool)
    wait = type(connection).wait

    def wait_in_time(answer: Any, **others: Any) -> Any:
        waiting = itself()
        assert waiting is not None  # it is its method
        try:
            return wait(waiting, answer, timeout=within, **others)
        except psycopg.OperationalError:
            if waiting.pgconn.transaction_status != TransactionStatus.ACTIVE:
                raise
            waiting.close()
            if (idle := its_pool()) is not None:
                idle.close_idle()  # each of them would time out in turn when it is checked
            raise psycopg.OperationalError(f"no answer within {within:g} s") from None

    connection.wait = wait_in_time
    return connection
