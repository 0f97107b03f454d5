"""The state: which database a URL names, and how it is opened, read and written.

Whatever the URL, there is one way to read, `read(question)`, and one to write, `write(change)`; each takes a function
that is called with the open database. A change runs in a transaction and may be retried, so it must have no effects
outside the database.
"""

import abc
import contextlib
import datetime as dt
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

from quotes.errors import StateUnavailable

if TYPE_CHECKING:
    import peewee

Answer = TypeVar("Answer")

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_TIMEOUT = 5.0  # seconds that a writer waits for another writer's lock
UNSHARED = "each instance has a file of its own, so the day's quote is the corpus's; set DATABASE_URL=s3://…"
TRIES = 5  # of a change that conflicts with concurrent ones

# PostgreSQL, appendix A: serialization_failure, deadlock_detected. CockroachDB requests a retry with the former.
_LOST_AGAINST_ANOTHER = ("40001", "40P01")

log = logging.getLogger(__name__)


def never(_: object) -> bool:
    """Return False: no answer is final."""
    return False


class Database(abc.ABC):
    """Read and write the state; safe to share between threads, opened on first use.

    Attributes:
        kind: `sqlite`, `s3`, `postgresql` or `cockroachdb`.
        shared: Whether every instance of the service sees this database.
        meaning: A phrase that explains `kind` and `shared` to the operator.
    """

    kind: str
    shared: bool
    meaning: str

    @abc.abstractmethod
    def read(
        self, question: "Callable[[peewee.Database], Answer]", is_final: Callable[[Answer], bool] = never
    ) -> Answer:
        """Return the result of `question`, called with the open database; it sees every write before this call.

        Args:
            question: Reads from the database, without side effects.
            is_final: Returns whether an answer can never change, such as a row that is never updated; it may then come
                from an outdated copy. Only the state on S3 has copies. By default, no answer is final.

        Raises:
            StateUnavailable: The database cannot be reached or read.
        """

    @abc.abstractmethod
    def write(self, change: "Callable[[peewee.Database], Answer]") -> Answer:
        """Run `change` in a transaction and return its result once it is committed.

        Raises:
            StateUnavailable: The database cannot be reached or written.
        """

    @abc.abstractmethod
    def is_there(self) -> bool:
        """Return whether the file, object or server exists, without creating it as the first use would.

        Raises:
            StateUnavailable: This cannot be determined.
        """


class PeeweeDatabase(Database):
    """Read and write a database that peewee connects to directly, migrating its schema on first use.

    Args:
        url: The database's URL.
        shared: As in `Database`.
        meaning: As in `Database`.
    """

    def __init__(self, url: str, *, shared: bool, meaning: str) -> None:
        self.kind = urlsplit(url).scheme
        self.shared = shared
        self.meaning = meaning
        self._url = url
        self._preparing = threading.Lock()
        self._prepared = False

    def read(
        self, question: "Callable[[peewee.Database], Answer]", is_final: Callable[[Answer], bool] = never
    ) -> Answer:
        """Read; without copies, every answer is current."""
        with self._open() as db:
            return question(db)

    def write(self, change: "Callable[[peewee.Database], Answer]") -> Answer:
        """Write, retrying a change that conflicts with a concurrent one."""
        with self._open() as db:
            return in_transaction(db, change)

    @contextlib.contextmanager
    def _open(self) -> "Iterator[peewee.Database]":
        import peewee

        try:
            with self._connection() as db:
                self._prepare(db)
                yield db
        except (peewee.PeeweeException, OSError) as error:
            self._prepared = False  # the file may have been deleted; the next use then recreates it
            raise StateUnavailable(f"The {self.kind} database is not usable: {first_line(error)}") from error

    @abc.abstractmethod
    def _connection(self) -> "contextlib.AbstractContextManager[peewee.Database]":
        """Connect, and disconnect afterwards."""

    def _prepare(self, db: "peewee.Database") -> None:
        """Migrate the schema once per process; threads and processes that start at the same time do not collide."""
        import peewee

        if self._prepared:
            return
        with self._preparing:
            while not (self._prepared or is_migrated(db)):
                try:
                    in_transaction(db, migrate)
                except (peewee.IntegrityError, peewee.ProgrammingError):
                    if not is_migrated(db):  # the cause is not a concurrent migration
                        raise
            self._prepared = True


class FileDatabase(PeeweeDatabase):
    """Read and write a SQLite file."""

    def is_there(self) -> bool:
        """Look for the file."""
        return _path(self._url).is_file()

    @contextlib.contextmanager
    def _connection(self) -> "Iterator[peewee.Database]":
        import peewee

        db, deadline = self._database, time.monotonic() + BUSY_TIMEOUT
        while True:
            try:
                db.connect()
                break
            except peewee.OperationalError as error:
                # When several switch a new file to write-ahead logging at once, all but one fail without waiting.
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(random.uniform(0.0, 0.02))  # noqa: S311
        try:
            yield db
        finally:
            db.close()

    @functools.cached_property
    def _database(self) -> "peewee.Database":
        import peewee

        # Write-ahead logging does not block readers; `full` makes commits survive a power cut (sqlite.org/wal.html).
        pragmas = {"journal_mode": "wal", "synchronous": "full", "foreign_keys": 1}
        path = _path(self._url)
        if not self.shared:
            _copy_packaged(path)
        return peewee.SqliteDatabase(str(path), timeout=BUSY_TIMEOUT, pragmas=pragmas)


def open_database(url: str, *, on_lambda: bool = False) -> Database:
    """Return the database that a URL names, without connecting to it yet.

    Args:
        url: A URL that `settings.py` has validated.
        on_lambda: True on AWS Lambda, where each instance has its own SQLite file and handles one request at a time.
    """
    scheme = urlsplit(url).scheme
    if scheme == "s3":
        from quotes.s3_database import S3Database
        from quotes.settings import Role

        return S3Database(url, Role.of_function())
    if scheme != "sqlite":
        from quotes.server_database import POOL_SIZE, ServerDatabase

        return ServerDatabase(url, pool_size=1 if on_lambda else POOL_SIZE)
    if on_lambda:
        return FileDatabase(url, shared=False, meaning=UNSHARED)
    return FileDatabase(url, shared=True, meaning="a file here; the service's processes on this machine share it")


def in_transaction(db: "peewee.Database", change: "Callable[[peewee.Database], Answer]") -> Answer:
    """Run `change` in a transaction, retrying it if the server reports a conflict with a concurrent one."""
    import peewee

    for attempt in range(1, TRIES + 1):
        try:
            # SQLite has to take the write lock at the start: a transaction that has read cannot wait for it later.
            with db.atomic(**({"lock_type": "immediate"} if isinstance(db, peewee.SqliteDatabase) else {})):
                return change(db)
        except peewee.OperationalError as error:
            state = getattr(getattr(error, "orig", None), "sqlstate", None)
            if state not in _LOST_AGAINST_ANOTHER or attempt == TRIES:
                raise
            log.info("Running a change again (SQLSTATE %s).", state)
            time.sleep(random.uniform(0.0, 0.02 * 2**attempt))  # noqa: S311
    raise AssertionError("unreachable")


def is_migrated(db: "peewee.Database") -> bool:
    """Return whether the newest migration has been applied."""
    if not db.table_exists("schema_migration"):
        return False
    newest = max(path.stem for path in MIGRATIONS.glob("[0-9]*.py"))
    sql = f"SELECT 1 FROM schema_migration WHERE name = {db.param}"  # noqa: S608
    return db.execute_sql(sql, (newest,)).fetchone() is not None


def migrate(db: "peewee.Database") -> None:
    """Apply the missing migrations, within the caller's transaction."""
    from playhouse import migrations

    migrations.run(db, str(MIGRATIONS))


def as_stored(time: dt.datetime) -> dt.datetime:
    """Return an aware datetime as the tables store it: in UTC, but naive."""
    return time.astimezone(dt.UTC).replace(tzinfo=None)


def first_line(error: BaseException) -> str:
    """Return the first line of an error message; the others repeat the statement or give hints."""
    return str(error).strip().partition("\n")[0]


def _path(url: str) -> Path:
    return Path(unquote(urlsplit(url).path.removeprefix("/")))


def _copy_packaged(target: Path) -> None:
    """Start with the packaged database, if there is one and this instance has none yet."""
    packaged = Path(target.name)
    if packaged.is_file() and not target.exists():
        unfinished = target.with_suffix(f".{os.getpid()}")
        shutil.copyfile(packaged, unfinished)
        unfinished.replace(target)
