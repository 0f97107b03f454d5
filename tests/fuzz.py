"""`make fuzz`: 50,000 random requests to the application, and some hundreds over sockets to a gunicorn.

Every answer is checked for what holds for all: no failure of ours, no traceback, every error in RFC 9457's form.
"""

import argparse
import contextlib
import json
import logging
import os
import re
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psutil
from hypothesis import HealthCheck, Phase, given, settings

from quotes.edges import NOTHING_ALLOWED
from quotes.resources import create_api
from quotes.settings import Settings
from tests.fuzz_requests import PATHS, Fuzzed, raw_requests, requests
from tests.test_import import server

ROOT = Path(__file__).parent.parent
MEBIBYTE = 1024 * 1024
MAY_GROW = 8 * MEBIBYTE  # of resident memory after the first tenth; Hypothesis itself needs some
SLOWEST = 5.0  # seconds

_PHASES = (Phase.generate, Phase.shrink)

# The titles of 503 answers that are no failure: the codes of this hour are used up (docs/texts.md).
DOCUMENTED = {503: {"Too Many Codes"}}


class Answered(NamedTuple):
    """An HTTP answer; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


def answer_of(app: Callable[..., Any], request: Fuzzed) -> Answered:
    """Call an application as a server does, and return its answer."""
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, fields: list[tuple[str, str]], _: object = None) -> None:
        started.append((status, fields))

    chunks = app(request.environ(), start_response)
    body = b"".join(chunks)
    if hasattr(chunks, "close"):
        chunks.close()
    ((status, fields),) = started
    assert re.fullmatch(r"[1-5][0-9]{2} [ -~]+", status), status
    for name, value in fields:
        assert re.fullmatch(r"[A-Za-z0-9-]+", name), name
        assert re.fullmatch(r"[ -~]*", value), (name, value)  # RFC 9110, section 5.5: nothing that ends a header
    named = {name.lower(): value for name, value in fields}
    assert len(named) == len(fields), fields
    return Answered(int(status[:3]), named, body)


def check(answer: Answered, method: str) -> None:
    """Check what must hold for every answer of the application."""
    status, headers, body = answer
    assert headers["access-control-allow-origin"] == "*"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"]
    assert headers["referrer-policy"] == "no-referrer"
    assert b"Traceback" not in body
    if method == "HEAD" or status in (204, 304):
        assert body == b""
    else:
        assert headers["content-length"] == str(len(body))
    if status < 400:
        return
    assert headers["content-type"] == "application/problem+json"
    assert headers["cache-control"] == "no-store"
    assert headers["content-security-policy"] == NOTHING_ALLOWED
    assert status != 405 or headers["allow"]
    if body:
        problem = json.loads(body)
        assert list(problem) == ["type", "title", "status", "detail"]
        assert (problem["status"], all(problem.values())) == (status, True)
        assert status < 500 or problem["title"] in DOCUMENTED.get(status, ())
    else:
        assert status < 500 or status in DOCUMENTED


def exchange(port: int, data: bytes) -> list[Answered]:
    """Send bytes, close our side of the connection, and return all answers."""
    got = b""
    # The server may reset the connection after refusing the request.
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection, contextlib.suppress(ConnectionError):
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        while chunk := connection.recv(65536):
            got += chunk
    return list(_answers(got))


def _answers(got: bytes) -> Iterator[Answered]:
    while got:
        head, _, got = got.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        assert re.fullmatch(r"HTTP/1\.[01] [1-5][0-9]{2} .+", first), first
        status = int(first.split()[1])
        if status == 100:
            continue
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        is_body = status != 304 and got and not got.startswith(b"HTTP/1.")  # HEAD has none
        length = int(headers["content-length"]) if is_body else 0
        body, got = got[:length], got[length:]
        assert len(body) == length
        yield Answered(status, headers, body)


def check_raw(answer: Answered) -> None:
    """Check what must hold for every answer over a socket, whether from gunicorn or the application."""
    assert answer.status < 500 or answer.status == 501, answer  # RFC 9112, section 6.1: an unknown transfer coding
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["content-security-policy"]
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers.get("server", "gunicorn") == "gunicorn"
    if answer.status >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert not answer.body or json.loads(answer.body)["status"] == answer.status


@contextlib.contextmanager
def gunicorn(folder: Path) -> Iterator[int]:
    """Serve as `python -m quotes serve` does, on a free port; yield the port."""
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(folder)}
    command = [sys.executable, "-m", "gunicorn", "quotes.resources:api", "--config=python:quotes.server"]
    with (
        (folder / "requests.log").open("w") as log,
        server([*command, "--bind=127.0.0.1:0", f"--access-logfile={log.name}"], environ, folder) as (process, port),
    ):
        yield port
        process.terminate()
        assert process.stderr
        told = process.stderr.read()
        assert "Traceback" not in told, told[-5000:]


def main() -> int:
    """Run it and print a summary; return 1 if memory grew, an answer was slow or a path was never answered well."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--requests", type=int, default=50_000, help="default: 50,000; with few, some path is never answered well"
    )
    parser.add_argument("--raw", type=int, default=500, help="to a gunicorn over sockets (default: 500)")
    options = parser.parse_args()
    logging.disable()
    with tempfile.TemporaryDirectory(prefix="quotes-fuzz-") as folder:
        app = create_api(Settings(database_url=f"sqlite:///{folder}/quotes.db", diagnostics=True))
        statuses, reached, memory, slowest, seconds = fuzz(app, options.requests)
        with gunicorn(Path(folder)) as port:
            raw = fuzz_raw(port, options.raw)
    for kind, counted in (("application", statuses), ("gunicorn", raw)):
        told = ", ".join(f"{status}: {number:,}" for status, number in sorted(counted.items()))
        print(f"{kind}: {counted.total():,} answers; {told}")
    print(f"slowest answer {slowest * 1000:.0f} ms, {seconds:.0f} s in all")
    told = " ".join(f"{size / MEBIBYTE:.1f}" for size in memory)
    print(f"resident memory after each tenth: {told} MiB; +{MAY_GROW / MEBIBYTE:.0f} from first to last is allowed")
    if missed := sorted(set(PATHS) - reached):
        print(f"never answered well: {', '.join(missed)}")
    return int(memory[-1] - memory[0] > MAY_GROW or slowest > SLOWEST or bool(missed))


def fuzz(app: Callable[..., Any], number: int) -> tuple[Counter[int], set[str], list[int], float, float]:
    """Send requests to an application.

    Returns:
        How often each status was answered, the paths that were answered well, bytes of resident memory after each
        tenth, seconds of the slowest answer, and seconds in all.
    """
    statuses: Counter[int] = Counter()
    reached: set[str] = set()
    memory: list[int] = []
    slowest, begun = 0.0, time.monotonic()

    # Hypothesis remembers its examples in order not to repeat them; running in rounds gives that memory back.
    @settings(
        max_examples=min(number, 1000),
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=_PHASES,
    )
    @given(requests)
    def ask(request: Fuzzed) -> None:
        nonlocal slowest
        asked = time.perf_counter()
        answer = answer_of(app, request)
        slowest = max(slowest, time.perf_counter() - asked)
        check(answer, request.method)
        statuses[answer.status] += 1
        if answer.status < 300 and request.method in ("GET", "POST"):
            reached.add(request.path)

    while statuses.total() < number:
        ask()
        if statuses.total() >= number * (len(memory) + 1) // 10:
            memory.append(psutil.Process().memory_info().rss)
    return statuses, reached, memory, slowest, time.monotonic() - begun


def fuzz_raw(port: int, number: int) -> Counter[int]:
    """Send bytes to a gunicorn, and return how often each status was answered."""
    statuses: Counter[int] = Counter()

    @settings(
        max_examples=number, database=None, deadline=None, suppress_health_check=list(HealthCheck), phases=_PHASES
    )
    @given(raw_requests)
    def ask(pieces: list[bytes]) -> None:
        for answer in exchange(port, b"".join(pieces)):
            check_raw(answer)
            statuses[answer.status] += 1

    ask()
    (alive,) = exchange(port, b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert alive.status == 200
    return statuses


if __name__ == "__main__":
    sys.exit(main())
