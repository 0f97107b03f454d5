"""`make soak`: 500,000 requests of all kinds while the upstream comes and goes; no wrong answer, no growth.

The server is the one of `python -m quotes serve`, the upstream the stub of the tests. Every answer is looked at. Memory
and files of each worker are read once a second, and held to what they were after the first tenth.
"""

import argparse
import contextlib
import datetime as dt
import json
import os
import random
import re
import signal
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, Self
from urllib.parse import quote as encoded

import psutil

from bench.backends import SPAWN
from bench.report import table
from bench.servers import ROOT
from quotes.server import workers as WORKERS  # noqa: N812
from tests import stub_upstream as stub

PROCESSES, CLIENTS = 2, 8  # of clients, and in each of them
FAULT_LASTS = 8.0  # seconds
WELL_LASTS = 20  # requests that the upstream answered: it is left alone for a while after a fault
MAY_GROW = 8 * 1024 * 1024  # bytes of resident memory of each worker, after the first tenth
MORE_FILES = 8  # of each worker, connections of clients aside: the median of the last tenth against the second
MEBIBYTE = 1024 * 1024
NUMBERS = 40  # that subscribe and unsubscribe: two codes each, of the hundred that an hour has
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
FORM, JSON = "application/x-www-form-urlencoded", "application/json"
AUTHORS = ("Jane Austen", "john keats", "MARCUS AURELIUS")


class Answer(NamedTuple):
    """Hold an answer; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Client:
    """Ask on one connection that is kept, as fast as Python allows."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None
        self.connections = 0

    def ask(self, method: str, target: str, body: bytes = b"", **headers: str) -> Answer:
        """Send a request and return its answer; one more time where a kept connection was closed meanwhile."""
        lines = [f"{method} {target} HTTP/1.1", "Host: localhost"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        if body and "Content_Length" not in headers:
            lines.append(f"Content-Length: {len(body)}")
        sent = "\r\n".join([*lines, "", ""]).encode() + body
        kept = self._socket is not None
        try:
            return self._exchange(method, sent)
        except ConnectionError:
            self.close()
            if not kept:
                raise
            return self._exchange(method, sent)

    def _exchange(self, method: str, sent: bytes) -> Answer:
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=30)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
        self._socket.sendall(sent)
        got = b""
        while b"\r\n\r\n" not in got:
            got += self._more()
        head, _, body = got.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        status = int(first.split()[1])
        length = 0 if method == "HEAD" or status == 304 else int(headers["content-length"])
        while len(body) < length:
            body += self._more()
        assert len(body) == length, "more was sent than announced"
        if headers["connection"] == "close":
            self.close()
        return Answer(status, headers, body)

    def _more(self) -> bytes:
        assert self._socket is not None
        chunk = self._socket.recv(65536)
        if not chunk:
            raise ConnectionResetError("closed in the middle of an answer")
        return chunk

    def close(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class Day(NamedTuple):
    """Hold the day's quote as it was first answered."""

    json: bytes
    text: bytes
    etag: str
    has_library: bool  # whether `/quotes` is there to be asked


def _is_quote(found: Any) -> bool:
    return list(found) == ["quote", "author", "category", "source", "id"] and bool(found["quote"] and found["author"])


def _daily(client: Client, day: Day) -> bool:
    path = random.choice(("/daily", "/quote", "/quote?type=daily", "/quote?type=daily&format=json"))
    answer = client.ask("GET", path)
    return (answer.status, answer.body, answer.headers["etag"]) == (200, day.json, day.etag)


def _daily_text(client: Client, day: Day) -> bool:
    answer = client.ask("GET", "/daily", Accept="text/plain")
    return (answer.status, answer.body) == (200, day.text)


def _not_modified(client: Client, day: Day) -> bool:
    answer = client.ask("GET", "/daily", If_None_Match=day.etag)
    return (answer.status, answer.body, answer.headers["etag"]) == (304, b"", day.etag)


def _head(client: Client, day: Day) -> bool:
    answer = client.ask("HEAD", "/daily")
    return (answer.status, answer.headers["content-length"]) == (200, str(len(day.json)))


def _random(client: Client, day: Day) -> bool:
    answer = client.ask("GET", random.choice(("/", "/quote?type=random")))
    return answer.status == 200 and _is_quote(json.loads(answer.body))


def _text(client: Client, day: Day) -> bool:
    answer = client.ask("GET", "/quote?type=random&format=text")
    return answer.status == 200 and answer.body.decode().split("\n")[-2].startswith("\N{EM DASH} ")


def _filtered(client: Client, day: Day) -> bool:
    author, longest = random.choice(AUTHORS), random.randint(150, 400)
    answer = client.ask("GET", f"/quote?type=random&author={encoded(author)}&max_length={longest}")
    found = json.loads(answer.body)
    return answer.status == 200 and found["author"].lower() == author.lower() and len(found["quote"]) <= longest


def _many(client: Client, day: Day) -> bool:
    count = random.randint(1, 50)
    answer = client.ask("GET", f"/quote?type=random&count={count}")
    found = json.loads(answer.body)
    return answer.status == 200 and all(map(_is_quote, found)) and len({one["quote"] for one in found}) == count


def _card(client: Client, day: Day) -> bool:
    theme, width = random.choice(("light", "dark")), random.randint(240, 1200)
    answer = client.ask("GET", f"/daily?format=svg&theme={theme}&width={width}")
    return (answer.status, answer.headers["content-type"]) == (200, "image/svg+xml") and b"</svg>" in answer.body


def _page(client: Client, day: Day) -> bool:
    path, accept, start = random.choice(
        (
            ("/", "text/html", b"<!doctype html>"),
            ("/docs", "*/*", b"<!doctype html>"),
            ("/feed.atom", "*/*", b"<?xml"),
            ("/openapi.json", "*/*", b"{"),
        )
    )
    answer = client.ask("GET", path, Accept=accept)
    return answer.status == 200 and answer.body.lower().startswith(start)


def _library(client: Client, day: Day) -> bool:
    word, limit = random.choice(("hope", "love", "time", "death")), random.randint(1, 100)
    answer = client.ask("GET", f"/quotes?q={word}&limit={limit}")
    found = json.loads(answer.body)
    return answer.status == 200 and len(found["results"]) == min(limit, found["total"]) > 0


def _error(client: Client, day: Day) -> bool:
    method, path, status = random.choice(
        (
            ("GET", f"/nowhere/{random.random()}", 404),
            ("GET", f"/quote?type={random.randint(0, 10**9)}", 400),
            ("GET", f"/quote?type=random&author={random.randint(0, 10**9)}", 404),
            ("GET", "/daily?date=2001-02-03", 404),
            ("GET", "/daily?date=9999-12-31", 400),
            ("GET", f"/quote?type=random&count={random.randint(51, 10**8)}", 400),
            ("DELETE", "/daily", 405),
            ("GET", "/daily?format=xml", 400),
            ("GET", "/?" + "x" * 9000, 414),
        )
    )
    return _is_problem(client.ask(method, path), status)


def _not_acceptable(client: Client, day: Day) -> bool:
    return _is_problem(client.ask("GET", "/daily", Accept=f"image/{random.randint(0, 10**6)}"), 406)


def _body(client: Client, day: Day) -> bool:
    path, number = random.choice(("/subscribe", "/unsubscribe")), random.randint(0, 99_999)
    body, kind, status = random.choice(
        (
            (f"mobile=9190281{number:05}&otp=000000".encode(), FORM, 400),  # there is no code to compare with
            (json.dumps({"mobile": f"+91 90281 {number:05}", "otp": "12345"}).encode(), JSON, 400),
            (b"mobile=" + b"9" * random.randint(20, 9000), FORM, 400),
            (b"[" * 9000, JSON, 400),
            (os.urandom(100), FORM, 400),
            (b"mobile=1", "text/plain", 415),
            (b"x" * random.randint(10_001, 12_000), FORM, 413),
        )
    )
    return _is_problem(client.ask("POST", path, body, Content_Type=kind), status)


def _health(client: Client, day: Day) -> bool:
    answer = client.ask("GET", "/health")
    found = json.loads(answer.body)
    return answer.status == 200 and found["status"] == "ok" and found["today"] is True


def _is_problem(answer: Answer, status: int) -> bool:
    problem = json.loads(answer.body)
    of_ours = list(problem) == ["type", "title", "status", "detail"]
    return (answer.status, problem["status"], of_ours) == (status, status, True)


KINDS: dict[str, tuple[int, Callable[[Client, Day], bool]]] = {
    "the day's": (20, _daily),
    "the day's, text": (8, _daily_text),
    "the day's, 304": (10, _not_modified),
    "the day's, HEAD": (7, _head),
    "random": (20, _random),
    "random, text": (5, _text),
    "random, filters": (10, _filtered),
    "random, many": (4, _many),
    "cards": (4, _card),
    "pages, the feed": (3, _page),
    "the library": (4, _library),
    "errors": (7, _error),
    "406": (2, _not_acceptable),
    "bodies": (5, _body),
    "health": (2, _health),
}


class Share(NamedTuple):
    """Hold what one process of clients did."""

    asked: Counter[str]
    wrong: Counter[str]
    connections: int


_done: Any = None


def _begin(done: Any) -> None:
    global _done  # noqa: PLW0603  # what is shared comes to a process at its start alone
    _done = done
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _clients(port: int, number: int, day: Day) -> Share:
    with ThreadPoolExecutor(CLIENTS) as pool:
        shares = list(pool.map(lambda _: _client(port, number // CLIENTS, day), range(CLIENTS)))
    return _together(shares)


def _client(port: int, number: int, day: Day) -> Share:
    share, client = Share(Counter(), Counter(), 0), Client(port)
    names = [name for name in KINDS if day.has_library or name != "the library"]
    weights = [KINDS[name][0] for name in names]
    for name in random.choices(names, weights, k=number):
        try:
            wrong = "" if KINDS[name][1](client, day) else "a wrong answer"
        except (OSError, AssertionError, KeyError, ValueError, IndexError) as error:
            client.close()
            wrong = f"{type(error).__name__}: {error}"
        share.asked[name] += 1
        if wrong:
            share.wrong[f"{name}: {wrong}"] += 1
        with _done.get_lock():
            _done.value += 1
    client.close()
    return share._replace(connections=client.connections)


def _together(shares: list[Share]) -> Share:
    asked, wrong = Counter[str](), Counter[str]()
    for share in shares:
        asked += share.asked
        wrong += share.wrong
    return Share(asked, wrong, sum(share.connections for share in shares))


class Seen(NamedTuple):
    """Hold what a worker used at one time: bytes of memory, and files, connections of clients aside."""

    memory: int
    files: int


class Watch:
    """Look at the workers once a second, and turn the upstream's faults on and off as the requests go on."""

    def __init__(self, server: psutil.Process, port: int, upstream: stub.Upstream, done: Any, number: int) -> None:
        self._server, self._port, self._upstream, self._done, self._number = server, port, upstream, done, number
        self.seen: dict[int, list[tuple[float, Seen]]] = {}  # by process; when, in parts of all requests
        self.phases: list[tuple[str, int]] = []  # the fault, and how often the upstream was asked then
        self._switched = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        """Begin to look."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            self._switch()
            for worker in self._server.children():
                with contextlib.suppress(psutil.NoSuchProcess):
                    part = self._done.value / self._number
                    self.seen.setdefault(worker.pid, []).append((part, self._look(worker)))
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

    def _look(self, worker: psutil.Process) -> Seen:
        clients = sum(found.laddr.port == self._port and bool(found.raddr) for found in worker.net_connections("tcp"))
        return Seen(worker.memory_info().rss, worker.num_fds() - clients)

    def rows(self) -> list[tuple[object, ...]]:
        """Return what each worker used after the first tenth, at most from then on, and at the end."""
        rows: list[tuple[object, ...]] = []
        for worker, looks in self.seen.items():
            later = [look for part, look in looks if part >= 0.1]
            if not later:
                rows.append((worker, *["-"] * 7))
                continue
            memory = [look.memory for look in later]
            second, highest, last = self._files(looks)
            figures = [
                f"{size / MEBIBYTE:.1f}" for size in (memory[0], max(memory), memory[-1], max(memory) - memory[0])
            ]
            rows.append((worker, *figures, second, highest, last))
        return rows

    @staticmethod
    def _files(looks: list[tuple[float, Seen]]) -> tuple[float, int, float]:
        second = [look.files for part, look in looks if 0.1 <= part < 0.2]
        later = [look.files for part, look in looks if part >= 0.1]
        last = [look.files for part, look in looks if part >= 0.9]
        return statistics.median(second or later), max(later), statistics.median(last or later)

    def wrong(self) -> list[str]:
        """Return what is wrong with the workers."""
        found = [] if len(self.seen) == WORKERS else [f"{len(self.seen)} workers were seen, not {WORKERS}"]
        for worker, looks in self.seen.items():
            later = [look for part, look in looks if part >= 0.1]
            if not later:
                found.append(f"worker {worker} did not live to the end of the first tenth")
                continue
            if (grown := max(look.memory for look in later) - later[0].memory) > MAY_GROW:
                found.append(f"worker {worker} grew by {grown / MEBIBYTE:.1f} MiB")
            second, _, last = self._files(looks)
            if last - second > MORE_FILES:
                found.append(f"worker {worker} had {last - second:g} files more")
        return found


def _subscribe(port: int, log: Path, over: threading.Event) -> Counter[str]:
    """Let numbers subscribe and unsubscribe with the codes that the log shows, over the whole time."""
    answered: Counter[str] = Counter()
    client = Client(port)
    for n in range(NUMBERS):
        number = f"9190280{n:05}"
        for purpose in ("subscribe", "unsubscribe"):
            asked = client.ask("GET", f"/{purpose}?mobile={number}")
            code = _code(log, number, 1 if purpose == "subscribe" else 2) if asked.status == 202 else "000000"
            body = json.dumps({"mobile": f"+{number}", "otp": code}).encode()
            confirmed = client.ask("POST", f"/{purpose}", body, Content_Type=JSON)
            answered[f"{purpose}: {asked.status}, {confirmed.status}"] += 1
        if over.wait(0.5):
            break
    client.close()
    return answered


def _code(log: Path, number: str, which: int) -> str:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        found = re.findall(rf"\[SMS to \+{number}\] ([0-9]{{6}}) ", log.read_text())
        if len(found) >= which:
            return str(found[which - 1])
        time.sleep(0.05)
    return "000000"


@contextlib.contextmanager
def serving(folder: Path, upstream: stub.Upstream) -> Iterator[tuple[psutil.Process, int]]:
    """Run `python -m quotes serve`, in a time zone where it is the middle of the day; give the process and its port."""
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


def _first(port: int) -> Day:
    deadline = time.monotonic() + 60
    while True:
        client = Client(port)
        try:
            answer, text = client.ask("GET", "/daily"), client.ask("GET", "/daily?format=text")
            assert (answer.status, text.status) == (200, 200)
            library = client.ask("GET", "/quotes?limit=1")
            return Day(answer.body, text.body, answer.headers["etag"], library.status != 404)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        finally:
            client.close()


def main() -> int:
    """Run it, print the tables, and return 1 where something is wrong."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=500_000, help="default: 500,000; from 10,000 it makes sense")
    options = parser.parse_args()
    done, over, begun = SPAWN.Value("q", 0), threading.Event(), time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="quotes-soak-") as folder,
        stub.Upstream() as upstream,
        serving(Path(folder), upstream) as (server, port),
    ):
        log = Path(folder) / "log"
        day = _first(port)
        with (
            Watch(server, port, upstream, done, options.requests) as watch,
            ThreadPoolExecutor(1) as subscriber,
            ProcessPoolExecutor(PROCESSES, mp_context=SPAWN, initializer=_begin, initargs=(done,)) as clients,
        ):
            texts = subscriber.submit(_subscribe, port, log, over)
            each = [clients.submit(_clients, port, options.requests // PROCESSES, day) for _ in range(PROCESSES)]
            share = _together([one.result() for one in each])
            seconds = time.monotonic() - begun
            over.set()
            subscribed = texts.result()
        told = log.read_text()
        asked = [*(asked for _, asked in watch.phases), len(upstream.requests)]
    wrong = [f"{text} ({number} times)" for text, number in share.wrong.most_common(20)] + watch.wrong()
    wrong += [f"{text} ({number} times)" for text, number in subscribed.items() if not text.endswith(": 202, 200")]
    wrong += [f"the log has {told.count(word)} times {word!r}" for word in ("Traceback", " ERROR ") if word in told]
    if len(watch.phases) < seconds / 60:
        wrong.append("the upstream was hardly ever switched")
    total = share.asked.total()
    print(
        f"{total:,} requests on {share.connections:,} connections in {seconds:.0f} s ({total / seconds:,.0f}/s), ",
        end="",
    )
    print(f"{subscribed.total()} subscriptions and their ends\n")
    print(
        table("request|number|wrong", [(name, f"{share.asked[name]:,}", _wrong(share, name)) for name in KINDS]), "\n"
    )
    faults = [(fault, after - before) for (fault, before), after in zip(watch.phases, asked[1:], strict=True)]
    print(table("upstream|asked", faults), "\n")
    heads = "worker|MiB after a tenth|highest|at the end|grown by|files, second tenth|most|last tenth"
    print(table(heads, watch.rows()), "\n")
    print("\n".join(f"WRONG: {line}" for line in wrong) or "Nothing is wrong.")
    return int(bool(wrong))


def _wrong(share: Share, name: str) -> int:
    return sum(number for text, number in share.wrong.items() if text.startswith(f"{name}: "))


if __name__ == "__main__":
    sys.exit(main())
