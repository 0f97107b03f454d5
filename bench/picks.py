"""Time and memory of a random pick in process, from generated corpora of different sizes.

`python -m bench.picks FILE` runs in a fresh process: it opens a built corpus, picks, and prints its figures as JSON.
"""

import itertools
import json
import random
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from bench.servers import ROOT
from quotes.corpus import ANY, Corpus, Filters
from quotes.corpus_builder import build

SIZES = (1_000, 100_000, 1_000_000)
PICKS = 10_000  # of each kind
AUTHORS = [f"Author {number}" for number in range(400)]
CATEGORIES = [f"Category {number}" for number in range(24)]
SHORTEST, LONGEST = 20, 300  # characters

Figures = dict[str, float]  # microseconds, and MiB


def popular(rng: random.Random, names: list[str]) -> Iterator[str]:
    """Draw names endlessly, the first far more often than the last, as in any collection of quotes."""
    weights = list(itertools.accumulate(1 / (place + 1) for place in range(len(names))))
    while True:
        yield from rng.choices(names, cum_weights=weights, k=1000)


def generate(path: Path, size: int) -> None:
    """Write a corpus of `size` quotes, the same one each time."""
    rng = random.Random(size)
    letters = "".join(rng.choices("abcdefghijklmnopqrstuvwxyz    ", k=100_000))
    authors, categories = popular(rng, AUTHORS), popular(rng, CATEGORIES)
    with path.open("w") as file:
        for number in range(size):
            start = rng.randrange(len(letters) - LONGEST)
            line = {
                "id": f"{number:08x}",
                "quote": f"{number} {letters[start : start + rng.randint(SHORTEST, LONGEST - 8)]}.",
                "author": next(authors),
                "category": next(categories),
                "work": "Collected Works",
            }
            file.write(json.dumps(line) + "\n")


def _filters(count: int) -> list[Filters]:
    """Return filters of every kind in turn: author, category, both, a length, and a category with a length."""
    rng = random.Random(count)
    authors, categories = popular(rng, AUTHORS), popular(rng, CATEGORIES)
    return [
        (
            Filters(author=next(authors)),
            Filters(category=next(categories)),
            Filters(author=next(authors), category=next(categories)),
            Filters(max_length=rng.randint(SHORTEST, LONGEST)),
            Filters(category=next(categories), min_length=rng.randint(SHORTEST, 90), max_length=rng.randint(91, 160)),
        )[number % 5]
        for number in range(count)
    ]


def _time_each(corpus: Corpus, filters: list[Filters]) -> tuple[float, float]:
    """Return the median and the 99th percentile of a pick, in microseconds."""
    times = []
    for one in filters:
        begin = time.perf_counter_ns()
        corpus.random(1, one)
        times.append((time.perf_counter_ns() - begin) / 1000)
    return statistics.median(times), statistics.quantiles(times, n=100)[98]


def memory() -> float:
    """Return the peak memory of this process, in MiB."""
    status = Path("/proc/self/status")
    if status.exists():  # on Linux, ru_maxrss starts with the parent's memory
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def figures_of(built: Path) -> Figures:
    """Pick from a built corpus, in this process."""
    corpus = Corpus(lambda: built)
    filters = _filters(PICKS)
    corpus.random()  # opens it
    plain, plain_99 = _time_each(corpus, [ANY] * PICKS)
    filtered, filtered_99 = _time_each(corpus, filters)
    return {
        "random": plain,
        "random_99": plain_99,
        "filtered": filtered,
        "filtered_99": filtered_99,
        "memory": memory(),
    }


def measure(folder: Path, rounds: int) -> dict[int, list[Figures]]:
    """Build the corpora in `folder`, and measure each in a fresh process, in turn, once in each round."""
    found: dict[int, list[Figures]] = {size: [] for size in SIZES}
    for size in SIZES:
        print(f"building a corpus of {size:,} quotes", file=sys.stderr)
        text = folder / f"{size}.jsonl"
        generate(text, size)
        build(text, text.with_suffix(".sqlite3"))
    for round_, size in itertools.product(range(rounds), SIZES):
        print(f"picks, round {round_ + 1}: {size:,} quotes", file=sys.stderr)
        command = [sys.executable, "-m", "bench.picks", str(folder / f"{size}.sqlite3")]
        child = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)
        found[size].append(json.loads(child.stdout))
    return found


if __name__ == "__main__":
    print(json.dumps(figures_of(Path(sys.argv[1]))))
