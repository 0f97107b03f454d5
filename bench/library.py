"""Import a million generated quotes and search them: time and memory, compared with `LIKE`.

The import is `python -m quotes import`; `python -m bench.library FILE` measures the resulting library in a fresh
process.
"""

import itertools
import json
import os
import random
import sqlite3
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from bench.picks import memory, popular
from bench.report import table
from bench.servers import ROOT, BenchError
from quotes.corpus import EMBEDDED
from quotes.search import Library, Page, Query

SECTION = "## Import and search"
SIZE = 1_000_000
DEEP = 200  # pages in a walk
EACH = 40  # queries of a kind
LIKES = 12  # of the queries are repeated with LIKE
SEARCH_WITHIN, FILTER_WITHIN = 25.0, 10.0  # milliseconds, 95th percentile: searches, first pages of a filter
IMPORT_WITHIN, MEMORY_WITHIN = 120, 300  # seconds, MB

METHOD = """\
Generated quotes: walks through the word pairs of the embedded library, so that words are as frequent as in English,
by generated authors. `python -m quotes import --replace` reads them from JSON lines, in its own process. Each kind has
{each} different queries, with words drawn from the library's text, so common ones come often. No query is repeated,
so no total is cached. A page has 20 quotes and the exact total. `LIKE` is the plainest way to answer the same from the
same file: a count, and the first 20 by length. One process, one thread; the file is in the system's cache."""


def generate(path: Path, size: int) -> None:
    """Write `size` quotes whose words are as frequent as in the embedded library, the same ones each time."""
    rng = random.Random(size)
    lines = _embedded()
    texts = [line["quote"].split() for line in lines]
    after: dict[str, list[str]] = defaultdict(list)
    for one, other in itertools.chain.from_iterable(map(itertools.pairwise, texts)):
        after[one].append(other)
    everything = list(itertools.chain.from_iterable(texts))
    names = [line["author"].split() for line in lines]
    authors = popular(rng, sorted({f"{first[0]} {last[-1]}" for first in names for last in names}))
    categories = popular(rng, sorted({line["category"] for line in lines}))
    with path.open("w", encoding="utf-8") as file:
        for number in range(size):
            words = [rng.choice(everything)]
            for _ in range(rng.randint(4, 45)):
                words.append(rng.choice(after[words[-1]] or everything))
            line = {
                "id": f"{number:08x}",
                "quote": f"{' '.join(words)} {number}.",
                "author": next(authors),
                "category": next(categories),
                "source": "Collected Works",
            }
            file.write(json.dumps(line) + "\n")


def _embedded() -> list[dict[str, str]]:
    return [json.loads(line) for line in EMBEDDED.read_text("utf-8").splitlines()]


def queries() -> dict[str, list[Query]]:
    """Return queries by kind, each different from all others."""
    rng = random.Random(SIZE)
    lines = _embedded()
    texts = [[word.strip(".,;:!?\u2014\u201c\u201d").lower() for word in line["quote"].split()] for line in lines]
    texts = [[word for word in text if word.isalpha()] for text in texts]
    every = list(itertools.chain.from_iterable(texts))
    pairs = [f'"{one} {other}"' for text in texts for one, other in itertools.pairwise(text)]
    words = sorted(set(every))
    authors, categories = sorted({line["author"] for line in lines}), sorted({line["category"] for line in lines})
    makers: dict[str, Callable[[], Query]] = {
        "a word, as frequent as in text": lambda: Query(f'"{rng.choice(every)}"'),
        "a word of the vocabulary, rare mostly": lambda: Query(f'"{rng.choice(words)}"'),
        "a word, as a beginning": lambda: Query(rng.choice(words)),
        "one or two letters": lambda: Query(rng.choice(words)[: rng.randint(1, 2)]),
        "three or four letters": lambda: Query(rng.choice(words)[: rng.randint(3, 4)]),
        "two words": lambda: Query(f"{rng.choice(words)} {rng.choice(every)}"),
        "two words of one text": lambda: Query(" ".join(rng.sample(rng.choice(texts) or words, 2))),
        "a phrase of two words": lambda: Query(rng.choice(pairs)),
        "an author's name": lambda: Query(rng.choice(authors)),
        "a word in a category": lambda: Query(rng.choice(words), category=rng.choice(categories)),
        "a word of an author": lambda: Query(rng.choice(words), author=rng.choice(authors)),
    }
    seen: set[Query] = set()
    found: dict[str, list[Query]] = {}
    for kind, make in makers.items():
        different: dict[Query, None] = {}
        for _ in range(50 * EACH):
            query = make()
            if query not in seen and len(different) < EACH:
                seen.add(query)
                different[query] = None
        found[kind] = list(different)
    return found


def filters() -> list[Query]:
    """Return queries with filters of all kinds, without words."""
    lines = _embedded()
    authors, categories = sorted({line["author"] for line in lines}), sorted({line["category"] for line in lines})
    pairs = [Query(None, author, category) for author, category in zip(authors, itertools.cycle(categories))]
    return [*(Query(None, author) for author in authors), *(Query(None, None, one) for one in categories), *pairs]


def _timed(ask: Callable[[], Page]) -> tuple[Page, float]:
    begin = time.perf_counter()
    page = ask()
    return page, (time.perf_counter() - begin) * 1000


def _pages(library: Library, query: Query) -> Iterator[float]:
    """Walk some pages, and yield the milliseconds of each."""
    cursor = None
    for _ in range(DEEP):
        page, milliseconds = _timed(lambda at=cursor: library.search(query, 20, at))  # type: ignore[misc]
        yield milliseconds
        if (cursor := page.cursor) is None:
            return


def _like(db: sqlite3.Connection, query: Query) -> float:
    """Return the milliseconds that `LIKE` takes for the same query."""
    words = [query.q.strip('"')] if query.q and query.q.startswith('"') else (query.q or "").split()
    where = " AND ".join(["(quote LIKE ? OR author LIKE ?)"] * len(words))
    values = [value for word in words for value in (f"%{word}%", f"%{word}%")]
    begin = time.perf_counter()
    db.execute(f"SELECT count(*) FROM quotes WHERE {where}", values).fetchone()
    db.execute(f"SELECT * FROM quotes WHERE {where} ORDER BY length(quote), id LIMIT 20", values).fetchall()
    return (time.perf_counter() - begin) * 1000


def figures_of(built: Path) -> dict[str, object]:
    """Search a built library in this process."""
    library = Library(lambda: built)
    library.search(Query())  # opens it
    times = {kind: [_timed(lambda one=one: library.search(one))[1] for one in some] for kind, some in queries().items()}  # type: ignore[misc]
    filtered = [_timed(lambda one=one: library.search(one))[1] for one in filters()]  # type: ignore[misc]
    walks = [list(_pages(library, query)) for query in (Query("th"), Query('"love"'), Query(), Query(category="Love"))]
    plain = random.Random(1).sample(
        [one for some in queries().values() for one in some if one[1:] == (None, None)], LIKES
    )
    with closing(sqlite3.connect(f"{built.absolute().as_uri()}?immutable=1", uri=True)) as db:
        likes = [_like(db, query) for query in plain]
    return {
        "times": times,
        "filters": filtered,
        "first": [statistics.median(walk[1:11]) for walk in walks],
        "deep": [statistics.median(walk[-10:]) for walk in walks],
        "likes": likes,
        "memory": memory(),
    }


def measure(folder: Path) -> str:
    """Import into a library in `folder`, search it, each in a fresh process, and return the tables.

    Raises:
        BenchError: The import failed.
    """
    made, built = folder / "made.jsonl", folder / "library.sqlite3"
    print(f"library: generating {SIZE:,} quotes", file=sys.stderr)
    generate(made, SIZE)
    print("library: importing", file=sys.stderr)
    took = _imported(made, built.with_suffix(".jsonl"))
    print("library: searching", file=sys.stderr)
    command = [sys.executable, "-m", "bench.library", str(built)]
    found = json.loads(subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout)
    return _tables(took, found, made.stat().st_size, built.stat().st_size)


def _imported(made: Path, library: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "quotes", "import", "--replace", str(made)]
    begin = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "QUOTES_CORPUS": str(library)}, stdout=sys.stderr)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise BenchError(f"the import ended with status {process.returncode}")
    return {
        "seconds": time.perf_counter() - begin,
        "cpu": usage.ru_utime + usage.ru_stime,
        "memory": usage.ru_maxrss * 1024 / 1e6,  # Linux counts KiB
    }


def _tables(took: dict[str, float], found: dict[str, list[float]], made: int, built: int) -> str:
    times: dict[str, list[float]] = found["times"]  # type: ignore[assignment]
    every = list(itertools.chain.from_iterable(times.values()))
    like, deeper = (
        statistics.median(found["likes"]),
        max(one / other for one, other in zip(found["deep"], found["first"], strict=True)),
    )
    memory_held: float = found["memory"]  # type: ignore[assignment]
    targets = [
        (
            f"imported within {IMPORT_WITHIN} s",
            f"{took['seconds']:.0f} s ({took['cpu']:.0f} s of processor time)",
            took["seconds"] <= IMPORT_WITHIN,
        ),
        (f"with at most {MEMORY_WITHIN} MB", f"{took['memory']:.0f} MB", took["memory"] <= MEMORY_WITHIN),
        (
            f"search, 95th percentile: at most {SEARCH_WITHIN:.0f} ms",
            f"{_95(every):.2f} ms",
            _95(every) <= SEARCH_WITHIN,
        ),
        (
            f"first page of a filter, 95th percentile: at most {FILTER_WITHIN:.0f} ms",
            f"{_95(found['filters']):.2f} ms",
            _95(found["filters"]) <= FILTER_WITHIN,
        ),
        (
            f"page {DEEP} of a walk as fast as the second to eleventh (at most 1.5 times)",
            f"{deeper:.2f}",
            deeper <= 1.5,
        ),
    ]
    rows = [
        (kind, len(some), f"{statistics.median(some):.2f}", f"{_95(some):.2f}", f"{max(some):.2f}")
        for kind, some in times.items()
    ]
    rows.append(
        ("**all searches**", len(every), f"{statistics.median(every):.2f}", f"{_95(every):.2f}", f"{max(every):.2f}")
    )
    some = found["filters"]
    rows.append(
        ("filters without words", len(some), f"{statistics.median(some):.2f}", f"{_95(some):.2f}", f"{max(some):.2f}")
    )
    some = found["likes"]
    rows.append(("`LIKE`, some of the searches", len(some), f"{like:.2f}", f"{_95(some):.2f}", f"{max(some):.2f}"))
    told = (
        f"The median search is {like / statistics.median(every):,.0f} times as fast as the median `LIKE`. The file "
        f"that was imported has {made / 1e6:,.0f} MB, the one that is searched {built / 1e6:,.0f} MB; the process that "
        f"searched held {memory_held:.0f} MiB at most."
    )
    return "\n\n".join(
        [
            table("target|measured|", [(text, value, "met" if met else "**not met**") for text, value, met in targets]),
            table(f"first page, of {SIZE:,} quotes|queries|median, ms|95th percentile|longest", rows),
            told,
        ]
    )


def _95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[18]


if __name__ == "__main__":
    print(json.dumps(figures_of(Path(sys.argv[1]))))
