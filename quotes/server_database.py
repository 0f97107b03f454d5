"""State on a server: PostgreSQL, or CockroachDB, which speaks its protocol.

The pool asks each connection for a sign of life before it is used, so a restart of the server in between is not
noticed; while the server is coming back, the first use waits a little.
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
CONNECT_BUDGET = 3.0  # seconds, for all tries together
STATEMENT_TIMEOUT = 3000  # milliseconds
ANSWERS_WITHIN = 4.0  # seconds; a server that hangs ends no statement itself
POOL_SIZE = 16  # connections of a process: as many as `serve` has threads
IDLE_TIMEOUT = 300  # seconds, after which a connection is replaced


class ServerDatabase(PeeweeDatabase):
    """Be a database on a server, with a pool of connections.

    Args:
        url: `postgresql://…` or `cockroachdb://…`; its query (`sslmode`, `sslrootcert`, …) goes to the driver.
        pool_size: Most connections of this process.
        answers_within: Seconds that an answer may take.

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
        """Connect."""
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
        # The last of two settings of the same name counts, so the URL's own time-out goes before ours.
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
    """Return a new connection that does not wait for ever for a server that has stopped to answer."""
    import psycopg
    from psycopg.pq import TransactionStatus

    connection = connect(pool, **parameters)
    wait = connection.wait

    def wait_in_time(answer: Any, **others: Any) -> Any:
        try:
            return wait(answer, timeout=within, **others)
        except psycopg.OperationalError:
            if connection.pgconn.transaction_status != TransactionStatus.ACTIVE:
                raise
            connection.close()
            pool.close_idle()  # they would be asked for a sign of life one after the other
            raise psycopg.OperationalError(f"no answer within {within:g} s") from None

    connection.wait = wait_in_time
    return connection
