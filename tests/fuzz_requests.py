"""The requests of `make fuzz`: as a WSGI environ, and as bytes for a socket.

An environ is what PEP 3333 lets a server pass on: text in Latin-1, decoded from any bytes.
"""

import io
import json
from typing import Any, NamedTuple

from hypothesis import strategies as st

from quotes.search import Query
from quotes.service import Service
from quotes.settings import Settings

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
    """A generated request.

    Attributes:
        method: Such as GET.
        path: `PATH_INFO`.
        query: `QUERY_STRING`.
        headers: What else is in the environ.
        body: What can be read.
        length: `CONTENT_LENGTH`; None for the right one.
        missing: Keys that the server left out of the environ.
    """

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    length: str | None
    missing: frozenset[str]

    def environ(self) -> dict[str, Any]:
        """Return the request's environ (PEP 3333)."""
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


# Requests that are right except for their parameters: most of those with a wrong header are refused before.
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

# What is sent over a socket: pieces of requests, in any order.
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
