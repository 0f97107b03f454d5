"""`make fuzz`: 50,000 requests that nobody sends on purpose, to the application, and some hundred more to a gunicorn.

What holds for every answer is checked: no failure of ours, no traceback, every error a problem. A request is what PEP
3333 lets a server hand on: text in Latin-1, decoded from bytes of any kind.
"""

import argparse
import contextlib
import io
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
from hypothesis import strategies as st

from quotes.edges import NOTHING_ALLOWED
from quotes.resources import create_api
from quotes.search import Query
from quotes.service import Service
from quotes.settings import Settings
from tests.test_import import server

ROOT = Path(__file__).parent.parent
MEBIBYTE = 1024 * 1024
MAY_GROW = 8 * MEBIBYTE  # resident memory after the first tenth: hypothesis keeps books of its own
SLOWEST = 5.0  # seconds

_PHASES = (Phase.generate, Phase.shrink)

# What is answered with 503 while nothing is broken: an hour's codes are used up (docs/texts.md).
DOCUMENTED = {503: {"Too Many Codes"}}

PATHS = [
    "/",
    "/quote",
    "/daily",
    "/subscribe",
    "/unsubscribe",
    "/health",
    "/openapi.json",
    "/docs",
    "/quotes",
    "/authors",
]
PATHS += ["/categories", "/feed.atom", "/async-failure", "/docs/docs.js", "/docs/swagger-ui.css", "/quotes/c9026b5e"]
PATHS += ["/static/page.js", "/static/style.css", "/static/icon.svg"]
NOWHERE = ["/nowhere", "/static/nothing.js", "/docs/nothing.js", "/static/..%2fpage.py", "/quotes/none"]
METHODS = ["GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "PROPFIND", "WEBSOCKET"]
NAMES = ["type", "date", "format", "category", "author", "min_length", "max_length", "count", "mobile", "otp"]
NAMES += ["q", "limit", "cursor", "highlight", "theme", "width", "show", "quote", "v", "x", "", "type[]", "TYPE"]
VALUES = [
    "daily",
    "random",
    "json",
    "text",
    "svg",
    "2026-11-21",
    "2020-02-29",
    "9999-12-31",
    "0000-00-00",
    "love",
    "1",
    "50",
]
VALUES += ["0", "-1", "1e9", "999999999", "Jane Austen", "919028012345", "+91 90280 12345", "482913", "000000", "dark"]
VALUES += ["%00", "%FF", "%C3%A9", "%ED%A0%80", "%", "%zz", "+", "'; DROP TABLE", "\\u0000", "../../etc/passwd", "${x}"]

GOOD = ["type=daily", "type=random", "format=text", "format=svg", "count=3", "author=jane+austen", "date=2026-11-21"]
GOOD += ["mobile=919028012345", "mobile=%2B1+202+555+0143", "otp=482913", "category=love", "max_length=90", "q=hope"]
GOOD += ["q=%22to+be%22", "limit=7", "highlight=1", "theme=dark", "width=240", "show=random", "quote=c9026b5e"]
GOOD += [f"q=love&cursor={Service.of(Settings()).library.search(Query('love'), 1).cursor}"]

anything = st.text(st.characters(max_codepoint=0xFF), max_size=40)  # any bytes, as PEP 3333 has them
header_text = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=40)
values = st.sampled_from(VALUES) | anything | st.integers(1, 400).map(lambda n: n * "a")
pairs = st.tuples(st.sampled_from(NAMES) | anything, values).map("=".join)
queries = st.lists(pairs, max_size=4).map("&".join) | anything
paths = st.sampled_from(PATHS + NOWHERE) | anything | st.tuples(st.sampled_from(PATHS), anything).map("".join)
types = st.sampled_from(["application/json", "application/x-www-form-urlencoded", "text/plain", "multipart/form-data"])
tags = st.sampled_from(['"c9026b5e"', "*", 'W/"x"', '"', "", ",,,", '"a", "b"', "7fe65d584faf34f51db6e7c1808b0f1c"])
pages = st.just("text/html,application/xhtml+xml,*/*;q=0.8")
accepts = pages | st.sampled_from(
    [
        "*/*",
        "*/*",
        "application/json",
        "text/plain",
        "text/html",
        "text/plain;q=0.1",
        "application/json;q=x",
        "image/svg+xml",
        ";;;",
        "a/b/c",
    ]
)
hosts = st.sampled_from(["localhost", "localhost:8000", "[::1]:8000", "a b", "", "x" * 300, 'evil"><', "h:99999"])
headers = st.fixed_dictionaries(
    {},
    optional={
        "HTTP_HOST": hosts | header_text,
        "HTTP_ACCEPT": accepts | header_text,
        "HTTP_IF_NONE_MATCH": tags | header_text,
        "HTTP_IF_MODIFIED_SINCE": header_text,
        "HTTP_RANGE": st.just("bytes=0-1") | header_text,
        "HTTP_ORIGIN": header_text,
        "HTTP_ACCESS_CONTROL_REQUEST_METHOD": st.sampled_from(METHODS) | header_text,
        "HTTP_ACCESS_CONTROL_REQUEST_HEADERS": header_text,
        "HTTP_AUTHORIZATION": header_text,
        "HTTP_COOKIE": header_text,
        "HTTP_X_FORWARDED_HOST": header_text,
        "HTTP_X_FORWARDED_PROTO": header_text,
        "HTTP_FORWARDED": header_text,
        "HTTP_CONTENT_ENCODING": header_text,
        "HTTP_X_HTTP_METHOD_OVERRIDE": st.sampled_from(METHODS),
        "CONTENT_TYPE": types | types.map(lambda kind: f"{kind}; charset=utf-16") | header_text,
        "wsgi.url_scheme": st.just("https"),
        "SCRIPT_NAME": st.sampled_from(["/dev", "/a/b", "/\xc3\xa9", "/<script>"]),
        "SERVER_PROTOCOL": st.sampled_from(["HTTP/1.0", "HTTP/2", "HTTP/3", "INCLUDED"]),
        "REMOTE_ADDR": st.just(""),
    },
)
leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(VALUES)
members = st.dictionaries(
    st.sampled_from(NAMES) | st.text(max_size=5), leaves | st.lists(leaves, max_size=3), max_size=4
)
good = st.sampled_from(GOOD) | st.lists(st.sampled_from(GOOD), max_size=3).map("&".join)
bodies = (
    st.binary(max_size=100)
    | good.map(str.encode)
    | st.fixed_dictionaries({"mobile": st.just("+919028012345")}, optional={"otp": st.just("482913")})
    .map(json.dumps)
    .map(str.encode)
    | queries.map(lambda query: query.encode("latin-1"))
    | members.map(lambda given: json.dumps(given).encode())
    | st.sampled_from(
        [b"[" * 9000, b'{"mobile":' * 900, b"9" * 9000, b"\xef\xbb\xbf{}", b"x" * 10_001, b'{"mobile": "\\ud800"}']
    )
)
lengths = st.sampled_from(
    ["", "0", "1", "10000", "10001", "99999999999999999999", "-1", "ten", "1.5", "\xb2", " 7 ", "+7"]
)


class Fuzzed(NamedTuple):
    """Hold a request: what the server says of it, its body, and its keys that the server leaves out."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    length: str | None  # as the header has it; None for the right one
    missing: frozenset[str]

    def environ(self) -> dict[str, Any]:
        """Return the request as PEP 3333 has it."""
        environ: dict[str, Any] = {
            "REQUEST_METHOD": self.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": self.path,
            "QUERY_STRING": self.query,
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "8000",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_HOST": "localhost:8000",
            "CONTENT_TYPE": "",
            "CONTENT_LENGTH": str(len(self.body)) if self.length is None else self.length,
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(self.body),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
        }
        return {name: value for name, value in (environ | self.headers).items() if name not in self.missing}


# What is right but for its parameters: most requests with a wrong header get no further.
asked = st.builds(
    Fuzzed,
    st.sampled_from(["GET"] * 6 + ["HEAD", "POST", "POST", "OPTIONS"]),
    st.sampled_from(PATHS),
    good | queries,
    st.fixed_dictionaries({}, optional={"HTTP_ACCEPT": accepts, "HTTP_IF_NONE_MATCH": tags, "CONTENT_TYPE": types}),
    st.just(b"") | bodies,
    st.none(),
    st.just(frozenset[str]()),
)
chunked = st.just({"HTTP_TRANSFER_ENCODING": "chunked"})
requests = asked | st.builds(
    Fuzzed,
    st.sampled_from(METHODS[:4] * 4 + METHODS) | header_text.filter(bool),
    paths,
    queries,
    headers | headers | headers | chunked,
    bodies,
    st.none() | lengths,
    st.frozensets(
        st.sampled_from(["QUERY_STRING", "SCRIPT_NAME", "CONTENT_TYPE", "CONTENT_LENGTH", "HTTP_HOST", "REMOTE_ADDR"]),
        max_size=2,
    ),
)


class Answered(NamedTuple):
    """Hold an answer."""

    status: int
    headers: dict[str, str]
    body: bytes


def answer_of(app: Callable[..., Any], request: Fuzzed) -> Answered:
    """Ask an application as a server does."""
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
    """Hold an answer to what every answer is held to."""
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


# Bytes as they come over a socket: pieces of requests, in any order.
PIECES = [
    *(b"GET ", b"HEAD ", b"POST ", b"PRI * HTTP/2.0", b"/", b"/daily", b"/quote?type=random", b"*", b"http://h/daily"),
    *(
        b" HTTP/1.1\r\n",
        b" HTTP/1.0\r\n",
        b" HTTP/9.9\r\n",
        b"\r\n",
        b"\r\n\r\n",
        b"\n",
        b"\r",
        b"\0",
        b": ",
        b":",
        b" ",
    ),
    *(b"Host: localhost\r\n", b"Host: localhost\r\n", b"Connection: close\r\n", b"Connection: keep-alive\r\n"),
    *(
        b"Content-Length: 5\r\n",
        b"Content-Length: -1\r\n",
        b"Content-Length: 99999999999\r\n",
        b"Content-Length: 0\r\n",
    ),
    *(
        b"Transfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: gzip\r\n",
        b"0\r\n\r\n",
        b"5\r\nhello\r\n",
        b"FFFFFFFFF\r\n",
    ),
    *(b"Expect: 100-continue\r\n", b"Upgrade: h2c\r\n", b"X: " + b"x" * 9000, b"X: y\r\n" * 70, b"?" + b"q" * 9000),
    *(b"Content-Type: application/json\r\n", b'{"mobile": "1"}', b"mobile=1", b"\xff\xfe", b"\x16\x03\x01\x02\x00"),
]
whole = st.tuples(
    st.sampled_from(PIECES[:3]), st.sampled_from(PIECES[4:8]), st.just(b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
)
raw_requests = st.lists(st.sampled_from(PIECES) | st.binary(max_size=30) | whole.map(b"".join), min_size=1, max_size=12)


def exchange(port: int, data: bytes) -> list[Answered]:
    """Send bytes, close our half, and return all answers."""
    got = b""
    # The connection may break: it has been refused already.
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
        is_body = status != 304 and got and not got.startswith(b"HTTP/1.")  # none after HEAD
        length = int(headers["content-length"]) if is_body else 0
        body, got = got[:length], got[length:]
        assert len(body) == length
        yield Answered(status, headers, body)


def check_raw(answer: Answered) -> None:
    """Hold an answer of gunicorn's, or of ours through it, to what every answer is held to."""
    assert answer.status < 500 or answer.status == 501, answer  # RFC 9112, section 6.1: a coding that is not understood
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
    """Serve as `python -m quotes serve` does, on any port; give the port."""
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
    """Run it, and print what was answered; 1 where memory grew, an answer was slow or a path had no good one."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=50_000, help="default: 50,000; few miss some path")
    parser.add_argument("--raw", type=int, default=500, help="to a gunicorn, over sockets (default: 500)")
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
    """Ask an application.

    Returns:
        How often each status was answered, the paths that were answered well, bytes of resident memory after each
        tenth, seconds of the slowest answer and of all together.
    """
    statuses: Counter[int] = Counter()
    reached: set[str] = set()
    memory: list[int] = []
    slowest, begun = 0.0, time.monotonic()

    # Hypothesis remembers each example so as not to repeat it; in rounds, that memory is given back.
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
    """Send bytes to a gunicorn; return how often each status was answered."""
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
