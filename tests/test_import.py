"""Importing the service does nothing, and `gunicorn quotes.resources:api` needs nothing."""

import http.client
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

import quotes

WATCHED = """
import json, os, sys

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = ("socket.", "sqlite3.connect", "subprocess.", "shutil.", "tempfile.", "os.system", "os.exec", "os.fork",
    "os.posix_spawn", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate")
LATE = ("boto3", "botocore", "requests", "peewee", "psycopg", "zappa", "phonenumbers", "pythonjsonlogger", "gunicorn",
    "jinja2", "jwt", "cryptography", "html", "zoneinfo")
done = []

def watch(event, arguments):
    if event.startswith(CHANGES) or event == "open" and arguments[2] & WRITES:
        done.append([event, repr(arguments)])

sys.addaudithook(watch)
import quotes.resources

print(json.dumps({
    "from": os.path.dirname(quotes.__file__),
    "done": done,
    "imported": [name for name in LATE if name in sys.modules],
    "serves": callable(quotes.resources.api),
}))
"""


@pytest.fixture
def fresh_copy(tmp_path: Path) -> Path:
    """Return a folder with the package as a clone has it, and nothing else."""
    ignored = shutil.ignore_patterns("__pycache__", "*.sqlite3")
    return shutil.copytree(Path(quotes.__file__).parent, tmp_path / "clone" / "quotes", ignore=ignored).parent


@contextmanager
def server(command: list[str], environ: dict[str, str], folder: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Start gunicorn; give the process and the port that it says it listens on."""
    with subprocess.Popen(command, env=environ, cwd=folder, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr
            told = ""
            while not (port := re.search(r"Listening at: http://127\.0\.0\.1:(\d+)", told)):
                told += process.stderr.readline() or pytest.fail(f"It ended before it listened:\n{told}")
            yield process, int(port[1])
        finally:
            process.terminate()


def ask(port: int, path: str) -> tuple[int, bytes]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "environ",
    [
        pytest.param({}, id="empty environment"),
        pytest.param(
            {
                "DATABASE_URL": "postgresql://quotes:s3cret@127.0.0.1:1/quotes",
                "Mashape_API_Endpoint": "http://127.0.0.1:1/quotes",
                "X_Mashape_Key": "s3cret",
            },
            id="every part set",
        ),
        pytest.param({"AWS_LAMBDA_FUNCTION_NAME": "f", "DATABASE_URL": "sqlite:///copy/quotes.db"}, id="Lambda"),
    ],
)
def test_importing_the_service_opens_writes_and_connects_nothing(fresh_copy: Path, environ: dict[str, str]):
    (fresh_copy / "copy").mkdir()
    (fresh_copy / "quotes.db").touch()  # a database that was packaged

    watched = subprocess.run(
        [sys.executable, "-B", "-c", WATCHED], cwd=fresh_copy, env=environ, capture_output=True, check=True
    )

    assert watched.stderr == b""
    assert json.loads(watched.stdout) == {
        "from": str(fresh_copy / "quotes"),
        "done": [],
        "imported": [],
        "serves": True,
    }


@pytest.mark.timeout(30)
def test_gunicorn_serves_a_fresh_clone_with_an_empty_environment(fresh_copy: Path):
    environ = {"PATH": str(Path(sys.executable).parent)}
    # Without the control socket, which gunicorn would make in the home directory.
    command = ["gunicorn", "quotes.resources:api", "--bind", "127.0.0.1:0", "--no-control-socket"]

    with server(command, environ, fresh_copy) as (_, port):
        first, second, health = (ask(port, path) for path in ("/quote?type=daily", "/daily", "/health"))

    assert first == second
    status, body = first
    assert (status, list(json.loads(body))) == (200, ["quote", "author", "category", "source", "id", "date"])
    assert (health[0], json.loads(health[1])["today"]) == (200, True)
