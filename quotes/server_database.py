"""State on a server: PostgreSQL, or CockroachDB, which speaks its protocol.

The pool asks each connection for a sign of life before it is used, so a restart of the server in between is not
noticed; while the server is coming back, the first use waits a little.
"""

import contextlib
import functools
import importlib.util
import time
import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from quotes.database import PeeweeDatabase
from quotes.errors import SettingError, StateUnavailable

if TYPE_CHECKING:
    import peewee

CONNECT_TIMEOUT = 2  # seconds
CONNECT_BUDGET = 3.0  # seconds, for all tries together
STATEMENT_TIMEOUT = 3000  # milliseconds
POOL_SIZE = 16  # connections of a process: as many as `serve` has threads
IDLE_TIMEOUT = 300  # seconds, after which a connection is replaced


class ServerDatabase(PeeweeDatabase):
    """Be a database on a server, with a pool of connections.

    Args:
        url: `postgresql://…` or `cockroachdb://…`; its query (`sslmode`, `sslrootcert`, …) goes to the driver.
        pool_size: Most connections of this process.

    Raises:
        SettingError: The driver is not installed.
    """

    def __init__(self, url: str, pool_size: int = POOL_SIZE) -> None:
        if importlib.util.find_spec("psycopg") is None:
            hint = "this kind of database needs psycopg: `pipenv install --categories postgres`"
            raise SettingError("DATABASE_URL", hint)
        super().__init__(url, shared=True, meaning="a server; every instance shares it")
        self._pool_size = pool_size

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
        weakref.finalize(self, pool.close_idle)
        return pool
