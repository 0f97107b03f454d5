"""`make soak`: 500,000 requests of all kinds while the upstream comes and goes; no wrong answer, no growth.

The server is `python -m quotes serve`, the upstream is the tests' stub. Every answer is checked. Each worker's memory
and open files are sampled once a second and compared with what they were after the first tenth of the requests.
"""

import argparse
import contextlib
import datetime as dt
import os
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import psutil

from bench.backends import SPAWN
from bench.report import table
from bench.servers import ROOT
from bench.soak import load
from bench.soak.client import Client
from bench.soak.kinds import KINDS, Day
from bench.soak.subscriber import subscribe
from bench.soak.watch import Watch
from tests import stub_upstream as stub

PROCESSES = 2  # of clients


class Outcome(NamedTuple):
    """What a run showed: the clients' answers, subscriptions by their statuses, the workers, and the server's log."""

    share: load.Share
    subscribed: Counter[str]
    watch: Watch
    upstream_asked: int
    log: str
    seconds: float


def main() -> int:
    """Run it and print the tables; return 1 if anything is wrong."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=500_000, help="default: 500,000; needs at least 10,000")
    outcome = run(parser.parse_args().requests)
    share, total = outcome.share, outcome.share.asked.total()
    print(
        f"{total:,} requests on {share.connections:,} connections in {outcome.seconds:.0f} s "
        f"({total / outcome.seconds:,.0f}/s), {outcome.subscribed.total()} subscriptions and their ends\n"
    )
    print(table("request|number|wrong", [(name, f"{share.asked[name]:,}", share.wrong_of(name)) for name in KINDS]))
    phases = outcome.watch.phases
    asked = [*(asked for _, asked in phases), outcome.upstream_asked]
    faults = [(fault, after - before) for (fault, before), after in zip(phases, asked[1:], strict=True)]
    print(f"\n{table('upstream|asked', faults)}\n\n{outcome.watch.table()}\n")
    found = wrong(outcome)
    print("\n".join(f"WRONG: {line}" for line in found) or "Nothing is wrong.")
    return int(bool(found))


def run(number: int) -> Outcome:
    """Start a server and an upstream, and send requests.

    Args:
        number: Of requests.
    """
    done, over, begun = SPAWN.Value("q", 0), threading.Event(), time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="quotes-soak-") as folder,
        stub.Upstream() as upstream,
        serving(Path(folder), upstream) as (server, port),
    ):
        log = Path(folder) / "log"
        day = todays_quote(port)
        with (
            Watch(server, port, upstream, done, number) as watch,
            ThreadPoolExecutor(1) as subscriber,
            ProcessPoolExecutor(PROCESSES, mp_context=SPAWN, initializer=load.begin, initargs=(done,)) as clients,
        ):
            texts = subscriber.submit(subscribe, port, log, over)
            shares = [clients.submit(load.send, port, number // PROCESSES, day) for _ in range(PROCESSES)]
            share = load.total([each.result() for each in shares])
            seconds = time.monotonic() - begun
            over.set()
            subscribed = texts.result()
        return Outcome(share, subscribed, watch, len(upstream.requests), log.read_text(), seconds)


def wrong(outcome: Outcome) -> list[str]:
    """Return everything that is wrong with a run, as sentences."""
    found = [f"{text} ({number} times)" for text, number in outcome.share.wrong.most_common(20)]
    found += outcome.watch.wrong()
    found += [
        f"{text} ({number} times)" for text, number in outcome.subscribed.items() if not text.endswith(": 202, 200")
    ]
    for word in ("Traceback", " ERROR "):
        if word in outcome.log:
            found.append(f"the log has {word!r} {outcome.log.count(word)} times")
    if len(outcome.watch.phases) < outcome.seconds / 60:
        found.append("the upstream was hardly ever switched")
    return found


@contextlib.contextmanager
def serving(folder: Path, upstream: stub.Upstream) -> Iterator[tuple[psutil.Process, int]]:
    """Run `python -m quotes serve` in a time zone where it is noon, so that the day does not end during the run.

    Args:
        folder: For its database and log.
        upstream: Its upstream.

    Yields:
        The process and its port.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    hour = dt.datetime.now(dt.UTC).hour - 12
    environ = {
        "HOME": str(folder),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "PORT": str(port),
        "DATABASE_URL": f"sqlite:///{folder}/quotes.db",
        "Mashape_API_Endpoint": upstream.url,
        "QUOTES_TIMEZONE": f"Etc/GMT{hour:+d}" if hour else "UTC",
    }
    with (folder / "log").open("wb") as log, (folder / "requests").open("wb") as requests:
        command = [sys.executable, "-m", "quotes", "serve"]
        process = psutil.Popen(command, cwd=folder, env=environ, stdout=requests, stderr=log)
    try:
        yield process, port
    finally:
        process.terminate()
        try:
            process.wait(20)
        except psutil.TimeoutExpired:
            process.kill()


def todays_quote(port: int) -> Day:
    """Wait until a server answers, and return its quote of the day."""
    deadline = time.monotonic() + 60
    while True:
        client = Client(port)
        try:
            answer, text = client.ask("GET", "/daily"), client.ask("GET", "/daily?format=text")
            assert (answer.status, text.status) == (200, 200)
            return Day(answer.body, text.body, answer.headers["etag"])
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        finally:
            client.close()


if __name__ == "__main__":
    sys.exit(main())
