"""State in one S3 object: a SQLite file that instances copy to /tmp and write back by compare-and-swap.

Invariants
1. The object is always a complete SQLite database: a file is uploaded only after its transaction is committed and the
   file closed, and S3 replaces objects atomically.
2. No write is lost: an upload names the version it is based on, and S3 rejects it if another one came in between
   (`If-Match`; `If-None-Match: *` for the first). The change is then repeated on the new version.
3. No write is applied twice: every upload contains a unique token, in a table. If the response is lost, the next
   version shows whether the upload took effect. One still in flight either shows up later or is rejected by S3.
4. A write that is reported as successful is durable: S3 confirmed it, or its token was found in the object.
5. The copy is never modified: a change is made to a draft, which replaces the copy once S3 has accepted it. So readers
   see only complete versions that S3 had, never a draft or a partial download.
"""

import contextlib
import functools
import random
import shutil
import tempfile
import threading
import time
import uuid
import weakref
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from quotes.database import Answer, Database, in_transaction, is_migrated, migrate, never
from quotes.errors import StateUnavailable
from quotes.s3_object import SLOWEST_CALL, Refused, S3Object, Unclear
from quotes.settings import Role

if TYPE_CHECKING:
    import peewee

BUDGET = 5.0  # seconds, for all tries of a read or a write together
LONGEST_PAUSE = 0.1  # seconds, before a retry
TOKENS_KEPT = 1000  # more than all instances together upload within one BUDGET
READ_ONLY = "?mode=ro&immutable=1"  # a missing file is an error, rather than created
SQLITE_MAGIC = b"SQLite format 3\x00"


class _Copy(NamedTuple):
    file: Path | None = None
    etag: str | None = None
    has_schema: bool = False  # whether the schema is that of this version of the service


class S3Database(Database):
    """Read and write a database in the S3 object that `s3://bucket/key` names.

    Args:
        url: The object's URL.
        role: The Lambda function's role; None off Lambda.
        monotonic: The monotonic clock, in seconds.
    """

    kind = "s3"
    shared = True
    meaning = "an object on S3; every instance shares it"

    def __init__(self, url: str, role: Role | None = None, monotonic: Callable[[], float] = time.monotonic) -> None:
        parts = urlsplit(url)
        self._object = S3Object(parts.netloc, parts.path.lstrip("/"), role)
        self._monotonic = monotonic
        self._turn = threading.Lock()  # held during an exchange with S3, by one thread at a time
        self._swapping = threading.Lock()  # held while the copy is being replaced or opened
        self._copy = _Copy()

    def read(
        self, question: "Callable[[peewee.Database], Answer]", is_final: Callable[[Answer], bool] = never
    ) -> Answer:
        """Read from the copy; unless that answer is final, bring the copy up to date and read again."""
        if self._is_usable:
            with self._opened_copy() as db:
                answer = question(db)
            if is_final(answer):
                return answer
            with self._conversation() as tries:
                self._refresh(tries)
        if not self._is_usable:
            self.write(lambda _: None)  # creates the object, or migrates its schema
        with self._opened_copy() as db:
            return question(db)

    def write(self, change: "Callable[[peewee.Database], Answer]") -> Answer:
        """Apply the change to a draft of the current version and upload it, starting over if another one came first."""
        results: dict[str, Answer] = {}
        with self._conversation() as tries:
            while True:
                self._refresh(tries)
                for token in self._carried_out(results):
                    return results[token]
                token = uuid.uuid4().hex
                with self._draft(self._copy.file.read_bytes() if self._copy.file else b"") as draft:
                    is_changed, result = _apply(change, token, draft)
                    if is_changed:
                        results[token] = result
                        tries.check()
                        try:
                            etag = self._object.put(draft.read_bytes(), made_from=self._copy.etag)
                        except (Refused, Unclear) as error:
                            tries.failed(error)
                            continue
                        self._replace_copy(draft, etag)
                    return result

    def is_there(self) -> bool:
        """Ask S3 for the object."""
        with self._conversation() as tries:
            tries.check()
            try:
                return self._object.get(None) is not None
            except Unclear as error:
                raise StateUnavailable(f"{error}.") from error

    @property
    def _is_usable(self) -> bool:
        copy = self._copy
        return copy.has_schema and copy.file is not None and copy.file.exists()

    @contextlib.contextmanager
    def _conversation(self) -> "Iterator[_Tries]":
        """Give this thread exclusive access to S3, and a time budget for using it."""
        tries = _Tries(self._monotonic)
        if not self._turn.acquire(timeout=BUDGET):
            raise StateUnavailable("The state on S3 is busy: this instance's other requests wait for it.")
        try:
            yield tries
        except OSError as error:
            raise StateUnavailable(f"The copy of the state cannot be written: {error.strerror}.") from error
        finally:
            self._turn.release()

    def _refresh(self, tries: "_Tries") -> None:
        """Bring the copy up to date."""
        if self._copy.file and not self._copy.file.exists():  # the temporary folder was cleaned
            self._replace_copy(None, None)
        while True:
            tries.check()
            try:
                stored = self._object.get(self._copy.etag)
            except Unclear as error:
                tries.failed(error)
                continue
            if stored is None:
                self._replace_copy(None, None)
            elif stored.etag != self._copy.etag:
                if not stored.body.startswith(SQLITE_MAGIC):
                    raise StateUnavailable("The object that DATABASE_URL names is not a SQLite database.")
                with self._draft(stored.body) as file:
                    self._replace_copy(file, stored.etag)
            return

    def _carried_out(self, tokens: Collection[str]) -> list[str]:
        """Return the tokens that are in the copy: of uploads that took effect although their response was lost."""
        if not tokens or self._copy.file is None:
            return []
        with self._opened_copy() as db:
            rows = db.execute_sql("SELECT token FROM s3_upload") if db.table_exists("s3_upload") else ()
            return [token for (token,) in rows if token in tokens]

    @contextlib.contextmanager
    def _draft(self, content: bytes) -> Iterator[Path]:
        """Yield a file with the given content, which is deleted afterwards unless it has become the copy."""
        draft = self._new_file()
        try:
            draft.write_bytes(content)
            yield draft
        finally:
            if draft != self._copy.file:
                draft.unlink(missing_ok=True)

    def _replace_copy(self, file: Path | None, etag: str | None) -> None:
        has_schema = False
        if file:
            with _opened(file, READ_ONLY) as db:
                has_schema = is_migrated(db)
        with self._swapping:
            old, self._copy = self._copy, _Copy(file, etag, has_schema)
            if old.file:
                old.file.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _opened_copy(self) -> "Iterator[peewee.Database]":
        with contextlib.ExitStack() as opened:
            with self._swapping:  # keeps the file from being deleted before it is open
                if self._copy.file is None:
                    raise StateUnavailable("The state's object on S3 was deleted.")
                db = opened.enter_context(_opened(self._copy.file, query=READ_ONLY))
            yield db

    def _new_file(self) -> Path:
        self._folder.mkdir(exist_ok=True)
        return self._folder / f"{uuid.uuid4().hex}.db"

    @functools.cached_property
    def _folder(self) -> Path:
        folder = tempfile.mkdtemp(prefix="quotes-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return Path(folder)


class _Tries:
    """Limit the S3 calls of one read or write: none that might exceed the budget, and a pause after each failure."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._deadline = monotonic() + BUDGET
        self._failure: Exception = Unclear("S3 is slow")

    def check(self) -> None:
        """Raise StateUnavailable if another call might exceed the budget."""
        if self._monotonic() + SLOWEST_CALL > self._deadline:
            raise StateUnavailable(f"Gave up on the state after {BUDGET:g} s: {self._failure}.") from self._failure

    def failed(self, failure: Exception) -> None:
        """Record a failure and pause briefly."""
        self._failure = failure
        time.sleep(random.uniform(0.0, LONGEST_PAUSE))  # noqa: S311


def _apply(change: "Callable[[peewee.Database], Answer]", token: str, draft: Path) -> tuple[bool, Answer]:
    """Run a change on a draft; return whether it modified anything, and its result."""

    def step(db: "peewee.Database") -> tuple[bool, Answer]:
        before = _changes(db)
        if not is_migrated(db):
            migrate(db)
        result = change(db)
        if _changes(db) == before:
            return False, result
        db.execute_sql("CREATE TABLE IF NOT EXISTS s3_upload (n INTEGER PRIMARY KEY AUTOINCREMENT, token TEXT)")
        db.execute_sql("INSERT INTO s3_upload (token) VALUES (?)", (token,))
        db.execute_sql("DELETE FROM s3_upload WHERE n <= (SELECT max(n) FROM s3_upload) - ?", (TOKENS_KEPT,))
        return True, result

    with _opened(draft, journal_mode="delete", foreign_keys=1) as db:
        return in_transaction(db, step)


def _changes(db: "peewee.Database") -> tuple[int, int]:
    """Return counters of modified rows and of schema changes; SQLite does not include the latter in the former."""
    return db.connection().total_changes, db.execute_sql("PRAGMA schema_version").fetchone()[0]


@contextlib.contextmanager
def _opened(file: Path, query: str = "", **pragmas: object) -> "Iterator[peewee.Database]":
    import peewee

    try:
        db = peewee.SqliteDatabase(file.as_uri() + query, uri=True, pragmas=pragmas)
        with db.connection_context():
            yield db
    except peewee.PeeweeException as error:
        raise StateUnavailable(f"The copy of the state is not usable: {error}") from error
