"""Watch the workers' memory and open files, and switch the upstream's faults on and off."""

import contextlib
import statistics
import threading
import time
from typing import Any, NamedTuple, Self

import psutil

from bench.report import table
from quotes.server import workers as WORKERS  # noqa: N812
from tests import stub_upstream as stub

FAULT_LASTS = 8.0  # seconds
WELL_LASTS = 20  # requests that the upstream answers between two faults: after a fault it is left alone for a while
MAY_GROW = 8 * 1024 * 1024  # bytes of resident memory for each worker, after the first tenth
MORE_FILES = 8  # for each worker, without clients' connections: median of the last tenth over that of the second
MEBIBYTE = 1024 * 1024
FAULTS: dict[str, stub.Behaviour] = {
    "refuses": stub.refuse,
    "silent": stub.silent,
    "503": stub.status("503 Service Unavailable"),
    "HTML": stub.body(stub.RUBBISH["HTML"]),
    "hangs up": stub.break_off(),
    "late": stub.slow(5),
    "drips": stub.drip_body,
    "floods": stub.flood(),
    "no UTF-8": stub.body(stub.RUBBISH["no UTF-8"]),
    "breaks off": stub.break_off(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[{"),
    "429": stub.status("429 Too Many Requests"),
    "403": stub.status("403 Forbidden"),
}


class Sample(NamedTuple):
    """What a worker held at one moment.

    Attributes:
        part: When: the part of all requests that had been answered.
        memory: Resident bytes.
        files: Open files, without clients' connections.
    """

    part: float
    memory: int
    files: int


class Watch:
    """Sample the workers and switch the upstream once a second, in a thread.

    Args:
        server: The process whose children are the workers.
        port: Where it listens.
        upstream: Its upstream.
        done: The shared count of answered requests (`multiprocessing.Value`).
        number: How many requests there will be in all.

    Attributes:
        samples: By the worker's process id.
        phases: The upstream's behaviours so far, each with the number of requests it had received by then.
    """

    def __init__(self, server: psutil.Process, port: int, upstream: stub.Upstream, done: Any, number: int) -> None:
        self._server, self._port, self._upstream, self._done, self._number = server, port, upstream, done, number
        self.samples: dict[int, list[Sample]] = {}
        self.phases: list[tuple[str, int]] = []
        self._switched = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        """Start watching."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop watching."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            self._switch()
            for worker in self._server.children():
                with contextlib.suppress(psutil.NoSuchProcess):
                    self.samples.setdefault(worker.pid, []).append(self._sample(worker))
            if self._over.wait(1):
                return

    def _switch(self) -> None:
        asked, now = len(self._upstream.requests), time.monotonic()
        if not self.phases:
            self.phases.append(("well", asked))
        fault, before = self.phases[-1]
        if fault == "well" and asked - before >= WELL_LASTS:
            fault = list(FAULTS)[len(self.phases) // 2 % len(FAULTS)]
        elif fault != "well" and now - self._switched > FAULT_LASTS:
            fault = "well"
        else:
            return
        self._upstream.does, self._switched = FAULTS.get(fault, stub.good), now
        self.phases.append((fault, asked))

    def _sample(self, worker: psutil.Process) -> Sample:
        part = self._done.value / self._number
        clients = sum(found.laddr.port == self._port and bool(found.raddr) for found in worker.net_connections("tcp"))
        return Sample(part, worker.memory_info().rss, worker.num_fds() - clients)

    def table(self) -> str:
        """Return what each worker held: after the first tenth, at most from then on, and at the end."""
        rows: list[tuple[object, ...]] = []
        for worker, samples in self.samples.items():
            memory = [sample.memory for sample in samples if sample.part >= 0.1]
            if not memory:
                rows.append((worker, *["-"] * 7))
                continue
            sizes = memory[0], max(memory), memory[-1], max(memory) - memory[0]
            rows.append((worker, *(f"{size / MEBIBYTE:.1f}" for size in sizes), *_files(samples)))
        return table("worker|MiB after a tenth|highest|at the end|grown by|files, second tenth|most|last tenth", rows)

    def wrong(self) -> list[str]:
        """Return what is wrong with the workers, as sentences."""
        found = [] if len(self.samples) == WORKERS else [f"{len(self.samples)} workers were seen, not {WORKERS}"]
        for worker, samples in self.samples.items():
            memory = [sample.memory for sample in samples if sample.part >= 0.1]
            if not memory:
                found.append(f"worker {worker} did not live to the end of the first tenth")
                continue
            if (grown := max(memory) - memory[0]) > MAY_GROW:
                found.append(f"worker {worker} grew by {grown / MEBIBYTE:.1f} MiB")
            second, _, last = _files(samples)
            if last - second > MORE_FILES:
                found.append(f"worker {worker} had {last - second:g} more files open at the end")
        return found


def _files(samples: list[Sample]) -> tuple[float, int, float]:
    """Return a worker's open files: median of the second tenth, most after the first tenth, median of the last."""
    second = [sample.files for sample in samples if 0.1 <= sample.part < 0.2]
    later = [sample.files for sample in samples if sample.part >= 0.1]
    last = [sample.files for sample in samples if sample.part >= 0.9]
    return statistics.median(second or later), max(later), statistics.median(last or later)
