"""Import a million made-up quotes, as a process of its own; print seconds and peak memory. `python -m bench.importing`.

Issue 7's targets: at most 120 seconds and 300 MB.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COUNT = 1_000_000
WORDS = 30_000
AUTHORS = 20_000
CATEGORIES = 60


def main() -> None:
    """Make the quotes, import them, print what it took."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    with tempfile.TemporaryDirectory(prefix="quotes-importing-") as folder:
        made = Path(folder, "made.json")
        write(made, count)
        environ = {**os.environ, "QUOTES_CORPUS": str(Path(folder, "library.jsonl"))}
        start = time.monotonic()
        process = subprocess.Popen([sys.executable, "-m", "quotes", "import", "--replace", str(made)], env=environ)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - start
        size = made.stat().st_size
        work = usage.ru_utime + usage.ru_stime
        memory = usage.ru_maxrss / 1024
        print(f"{count:,} quotes ({size / 1e6:.0f} MB): {seconds:.0f} s, {work:.0f} s of CPU, peak {memory:.0f} MB")
    sys.exit(process.returncode)


def write(path: Path, count: int) -> None:
    """Write made-up quotes as one JSON array, the same at each run.

    Args:
        path: The file.
        count: How many.
    """
    draw = random.Random(7)
    letters = "etaoinshrdlucmfwypvbgkjqxz"
    weights = range(len(letters), 0, -1)
    words = ["".join(draw.choices(letters, weights, k=draw.randint(2, 10))) for _ in range(WORDS)]
    frequent = [1 / rank for rank in range(1, WORDS + 1)]  # Zipf
    totals, total = [], 0.0
    for weight in frequent:
        total += weight
        totals.append(total)
    with path.open("w", encoding="utf-8") as out:
        out.write("[")
        for number in range(count):
            text = " ".join(draw.choices(words, cum_weights=totals, k=draw.randint(6, 30))).capitalize() + "."
            row = {
                "quote": text,
                "author": f"Author {draw.randrange(AUTHORS)}",
                "category": f"Category {draw.randrange(CATEGORIES)}",
            }
            out.write((",\n" if number else "\n") + json.dumps(row))
        out.write("\n]\n")


if __name__ == "__main__":
    main()
