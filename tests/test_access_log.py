"""What a server writes down of a request: nothing that its query holds, or the query of the page before."""

import os
import re
import socket
import sys
from pathlib import Path

import pytest

from tests.test_import import server

ROOT = Path(__file__).parent.parent
GUNICORN = [sys.executable, "-m", "gunicorn", "quotes.resources:api", "--no-control-socket", "--bind=127.0.0.1:0"]
LOGGING = ["--access-logfile=-", "--logger-class=quotes.access_log.AccessLog"]
EVERYTHING = "%(r)s|%(U)s|%(q)s|%(f)s|%({referer}i)s|%({raw_uri}e)s|%({query_string}e)s|%({http_referer}e)s"


def send(port: int, request_line: str, *headers: str) -> int:
    """Send a request as it is, and return the status of the answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(
            "\r\n".join([request_line, "Host: localhost", "Connection: close", *headers, "", ""]).encode()
        )
        return int(connection.recv(4096).split()[1])  # what follows may be cut off: it did not read everything


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("command", "line", "another"),
    [
        (
            [sys.executable, "-m", "quotes", "serve"],
            r'127\.0\.0\.1 "GET /subscribe HTTP/1\.1" 400 \d+ bytes \d+ ms -',
            " ms corpus",
        ),
        (
            [*GUNICORN, *LOGGING],
            r'127\.0\.0\.1 - - \[.*\] "GET /subscribe HTTP/1\.1" 400 \d+ "http://localhost/" "-"',
            ' "-" "-"',
        ),
        (
            [*GUNICORN, *LOGGING, f"--access-logformat={EVERYTHING}"],
            r"GET /subscribe HTTP/1\.1\|/subscribe\|\|http://localhost/\|http://localhost/\|-\|-\|-",
            "|-|-|-",
        ),
    ],
    ids=["serve", "gunicorn", "any format"],
)
def test_the_log_tells_paths_and_no_query(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], command: list[str], line: str, another: str
):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        free_port = str(probe.getsockname()[1])
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PORT": free_port, "HOME": str(tmp_path)}
    with server(command, environ, tmp_path) as (process, port):
        asked = "/subscribe?mobile=919028012345&otp=123456"
        statuses = [
            send(port, f"GET {asked} HTTP/1.1", f"Referer: http://localhost/?from={asked}"),
            send(port, f"GET {asked}%20 6543 21 HTTP/1.1"),  # no request at all
            send(port, "GET /subscribe%3Fmobile=919028012345&otp=123456/9028012345 HTTP/1.1"),
            send(port, "GET / HTTP/1.1"),
        ]
        process.terminate()
        assert process.stderr
        err = process.stderr.read()
    out = capfd.readouterr().out

    assert statuses == [400, 400, 404, 200]
    assert re.fullmatch(line, out.splitlines()[0])
    assert out.splitlines()[-1].endswith(another)
    assert "Invalid request from ip=127.0.0.1" in err
    assert not re.search("9028012345|123456|6543", out + err)
