"""Which database a URL means, how it is opened, and how it is read and written.

There is one way to read and one to write: a function that is given the open database, `read(question)` and
`write(change)`. A change runs in a transaction, perhaps more than once, so it does nothing but talk to the database.
No connection outlives its use: nothing goes stale, and a fork shares none.
"""

import contextlib
import functools
import logging
import os
import random
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import unquote, urlsplit

from quotes.errors import SettingError, StateUnavailable

if TYPE_CHECKING:
    import peewee

Answer = TypeVar("Answer")

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_TIMEOUT = 5.0  # seconds that a writer waits for another one's lock
CONNECT_TIMEOUT = 3  # seconds
TRIES = 5  # of a change that lost against another one

log = logging.getLogger(__name__)


class Database:
    """Read and write one database; safe to share between threads, opened on first use.

    Args:
        url: `sqlite:///path`, `postgresql://…` or `cockroachdb://…`.
        shared: Whether every instance of the service sees this database.
    """

    def __init__(self, url: str, *, shared: bool) -> None:
        self.kind = urlsplit(url).scheme
        self.shared = shared
        self._url = url
        self._preparing = threading.Lock()
        self._prepared = False

    def read(self, question: "Callable[[peewee.Database], Answer]") -> Answer:
        """Return what `question` answers when it is given the open database.

        Raises:
            StateUnavailable: The database cannot be reached or read.
        """
        with self._open() as db:
            return question(db)

    def write(self, change: "Callable[[peewee.Database], Answer]") -> Answer:
        """Run `change` in a transaction and return its result once it is committed.

        Raises:
            StateUnavailable: The database cannot be reached or written; nothing was changed.
        """
        with self._open() as db:
            return _in_transaction(db, change)

    @contextlib.contextmanager
    def _open(self) -> "Iterator[peewee.Database]":
        import peewee

        try:
            with self._database.connection_context():
                self._prepare(self._database)
                yield self._database
        except (peewee.PeeweeException, OSError) as error:
            raise StateUnavailable(f"The {self.kind} database is not usable: {_first_line(error)}") from error

    @functools.cached_property
    def _database(self) -> "peewee.Database":
        return _sqlite(self._url) if self.kind == "sqlite" else _server(self._url)

    def _prepare(self, db: "peewee.Database") -> None:
        """Bring the schema to this version's, once a process; concurrent starters wait or find it done."""
        if self._prepared:
            return
        with self._preparing:
            if not self._prepared:
                names = sorted(path.stem for path in MIGRATIONS.glob("[0-9]*.py"))
                if not _is_at(db, names[-1]):
                    _in_transaction(db, _migrate)
                self._prepared = True


def open_database(url: str, *, on_lambda: bool = False) -> Database:
    """Return the database that `DATABASE_URL` means; nothing is opened yet.

    Args:
        url: A URL that `settings.py` has checked.
        on_lambda: True on AWS Lambda, where a SQLite file belongs to one instance alone.
    """
    is_file = urlsplit(url).scheme == "sqlite"
    if is_file and on_lambda:
        _copy_packaged(_path(url))
    return Database(url, shared=not (is_file and on_lambda))


def _path(url: str) -> Path:
    return Path(unquote(urlsplit(url).path.removeprefix("/")))


def _copy_packaged(target: Path) -> None:
    """Start from the database that was packaged, where one was and this instance has none yet."""
    packaged = Path(target.name)
    if packaged.is_file() and not target.exists():
        unfinished = target.with_suffix(f".{os.getpid()}")
        shutil.copyfile(packaged, unfinished)
        unfinished.replace(target)


def _sqlite(url: str) -> "peewee.Database":
    import peewee

    # Write-ahead logging lets readers go on while one writes; a commit survives a power cut (sqlite.org/wal.html).
    pragmas = {"journal_mode": "wal", "synchronous": "full", "foreign_keys": 1}
    return peewee.SqliteDatabase(str(_path(url)), timeout=BUSY_TIMEOUT, pragmas=pragmas)


def _server(url: str) -> "peewee.Database":
    from playhouse.db_url import connect, parse

    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        install = "`pipenv install --categories postgres`"
        raise SettingError("DATABASE_URL", f"this kind of database needs psycopg: {install}") from error
    options = parse(url)
    timeout = {} if "connect_timeout" in options else {"connect_timeout": CONNECT_TIMEOUT}
    database: peewee.Database = connect(url, unquote_password=True, unquote_user=True, **timeout)
    return database


def _in_transaction(db: "peewee.Database", change: "Callable[[peewee.Database], Answer]") -> Answer:
    import peewee

    for attempt in range(TRIES):
        try:
            # SQLite takes the write lock at the start: a reader that becomes a writer could not wait for it.
            begin = {"lock_type": "immediate"} if isinstance(db, peewee.SqliteDatabase) else {}
            with db.atomic(**begin):
                return change(db)
        except (peewee.OperationalError, peewee.IntegrityError, peewee.ProgrammingError) as error:
            # A serialization failure, or somebody made the same table in the same moment: look again.
            if attempt + 1 == TRIES or db.is_closed():
                raise
            log.info("Running a change again: %s", _first_line(error))
            time.sleep(random.uniform(0.0, 0.05 * 2**attempt))  # noqa: S311
    raise AssertionError("unreachable")


def _is_at(db: "peewee.Database", version: str) -> bool:
    if not db.table_exists("schema_migration"):
        return False
    sql = f"SELECT 1 FROM schema_migration WHERE name = {db.param}"  # noqa: S608
    return db.execute_sql(sql, (version,)).fetchone() is not None  # type: ignore[no-untyped-call]


def _migrate(db: "peewee.Database") -> None:
    from playhouse import migrations

    for name in migrations.run(db, str(MIGRATIONS)):
        log.info("Schema moved to %s.", name)


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]
