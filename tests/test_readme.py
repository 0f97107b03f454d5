"""The README is true: examples answer as printed, commands run, every setting, route and command is named."""

import dataclasses
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from falcon.inspect import inspect_routes

from quotes.__main__ import _parser
from quotes.corpus import Corpus
from quotes.representations import TEXT, represent
from quotes.resources import create_api
from quotes.settings import Settings
from tests.conftest import NOON

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONSOLES = re.findall(r"^```console\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
EXAMPLES = [
    (command, output)
    for console in CONSOLES
    for command, output in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", console, re.MULTILINE)
]
CURLS = [(command, output) for command, output in EXAMPLES if command.startswith("curl")]
COMMANDS = [(command, output) for command, output in EXAMPLES if command.startswith(".venv/bin/python")]

# Which test runs a line that a reader types into a shell.
RUN_BY = {
    "this module, and whoever runs it": r"make (serve|test)",
    "nobody: it asks for credentials": r"aws configure",
    "tests/aws/test_life.py": r"(make (setup|deploy|undeploy)|zappa|source|eval) .*",
    "tests/aws/test_keys.py": r"make (key|keys|revoke) .*",
    "tests/aws/test_iam.py": r"\.venv/bin/python examples/signed_request\.py .*",
    "tests/aws/test_auth.py": r"export QUOTES_JWT_KEY=.*|token=.*|curl --header .*/dev_auth/daily",
    "tests/aws/test_dead_letters.py": r"make (dead-letters|retry) .*",
    "test_gunicorn_is_started_as_the_readme_says": r"\.venv/bin/gunicorn .*",
}


class _Quiet(WSGIRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def served(make_service) -> Iterator[str]:
    """Serve on the day that the README speaks of."""
    with make_server("127.0.0.1", 0, create_api(Settings(), make_service()), handler_class=_Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a reader who has asked for today's quote, and runs the commands there."""
    folder = tmp_path_factory.mktemp("reader")
    (folder / "mine.csv").write_text(re.findall(r"^```csv\n(.*?)^```", README, re.MULTILINE | re.DOTALL)[0], "utf-8")
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-m", "quotes", "today"], cwd=folder, env=environ, check=True, capture_output=True)
    return folder


def test_every_example_is_a_curl_line_or_a_command_of_ours():
    assert CURLS
    assert COMMANDS
    assert len(CURLS) + len(COMMANDS) == len(EXAMPLES)


def test_the_card_at_the_top_is_one_that_a_command_made():
    assert "](docs/card.svg)" in README.partition("\n## ")[0]
    assert [command for command, _ in CURLS if command.endswith(" --output card.svg")]


@pytest.mark.parametrize(("command", "output"), CURLS, ids=[command for command, _ in CURLS])
def test_a_curl_line_answers_as_printed(
    served: str, corpus: Corpus, caplog: pytest.LogCaptureFixture, tmp_path: Path, command: str, output: str
):
    # The health example follows a first request for today's quote, as a reader's would.
    urllib.request.urlopen(f"http://{served}/daily").close()
    folder = tmp_path / "reader"
    folder.mkdir()
    # A code comes by text, and is another one each time.
    if "otp" in command:
        urllib.request.urlopen(f"http://{served}/{_purpose(command)}?mobile=919028012345").close()
        (code,) = re.findall(r"\[SMS to \+919028012345\] ([0-9]{6}) ", caplog.text)
        command = command.replace("482913", code)
    answer = subprocess.run(
        ["bash", "-c", f"{command.replace('localhost:8000', served)} --silent --max-time 10"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.replace(served, "localhost:8000")
    if command.endswith("/quote?type=random'"):
        printed, given = json.loads(output), json.loads(answer)
        assert list(given) == list(printed)
        everything = {quote.id: quote._asdict() for quote in corpus.random(corpus.size)}
        assert printed == everything[printed["id"]]
    elif output.startswith("["):
        assert sorted(json.loads(answer), key=json.dumps) == sorted(json.loads(output), key=json.dumps)
    else:
        assert answer == output
    for written in folder.iterdir():
        assert written.read_bytes() == (ROOT / "docs" / written.name).read_bytes()


@pytest.mark.parametrize(("command", "output"), COMMANDS, ids=[command for command, _ in COMMANDS])
def test_a_command_prints_what_is_printed(command: str, output: str, reader: Path, corpus: Corpus):
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    program = shlex.split(command.replace(".venv/bin/python", sys.executable))
    printed = subprocess.run(program, cwd=reader, env=environ, capture_output=True, text=True, check=True)
    if command.endswith(" today"):
        assert output == represent(TEXT, corpus.of_day(NOON.date())).decode()
        assert printed.stdout.count("\n\N{EM DASH} ") == 1
    else:
        assert printed.stdout == output


def test_make_serve_answers(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environ = os.environ | {"PORT": str(port), "DATABASE_URL": f"sqlite:///{tmp_path}/quotes.db"}
    server = subprocess.Popen(["make", "serve"], cwd=ROOT, env=environ, start_new_session=True)
    try:
        answer = _wait_for(f"http://127.0.0.1:{port}/quote?type=daily", server)
        assert set(answer) == {"quote", "author", "category", "source", "id", "date"}
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=30)


def test_gunicorn_is_started_as_the_readme_says(tmp_path: Path):
    (line,) = re.findall(r"^\.venv/bin/gunicorn .*$", README, re.MULTILINE)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    program = line.replace(".venv/bin/gunicorn", str(Path(sys.executable).parent / "gunicorn")).replace(
        "0.0.0.0:8000", f"127.0.0.1:{port}"
    )
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    server = subprocess.Popen(shlex.split(program), cwd=tmp_path, env=environ, start_new_session=True)
    try:
        assert _wait_for(f"http://127.0.0.1:{port}/health", server)["status"] == "ok"
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=30)


def test_a_line_for_the_shell_is_run_by_a_test():
    lines = "\n".join(re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)).splitlines()
    unknown = [
        line for line in filter(None, lines) if not any(re.fullmatch(pattern, line) for pattern in RUN_BY.values())
    ]
    assert unknown == []
    assert set(re.findall(r"^```(\w+)$", README, re.MULTILINE)) == {"console", "csv", "html", "json", "sh"}


def test_a_page_elsewhere_gets_the_quote_and_the_cards(served: str):
    addresses = re.findall(r"https://quotes\.example\.org(/[^\")]*)", README)
    answers = []
    for address in addresses:
        request = urllib.request.Request(f"http://{served}{address}", headers={"Origin": "https://page.example.com"})
        with urllib.request.urlopen(request) as answer:
            answers.append(
                (answer.status, answer.headers["Content-Type"], answer.headers["Access-Control-Allow-Origin"])
            )
    assert answers == [(200, "application/json", "*"), *[(200, "image/svg+xml", "*")] * 3]


def test_every_target_that_is_named_is_one_of_the_makefile():
    assert "```sh\nmake serve\nmake test\n```" in README
    helped = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    targets = {line.split()[0] for line in helped.splitlines()}
    (phony,) = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert targets == set(phony.split())
    for path in (ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")):
        named = set(re.findall(r"`make\s+([a-z-]+)", path.read_text(encoding="utf-8")))
        assert named <= targets, path


def test_the_readme_names_every_setting_with_its_default_and_no_other():
    rows = dict(re.findall(r"^\| `([A-Za-z_]+)` \| (.*?) \|", README, re.MULTILINE))
    settings = {s.metadata["variable"]: s.default for s in dataclasses.fields(Settings) if "variable" in s.metadata}
    settings = {name: int(value) if isinstance(value, bool) else value for name, value in settings.items()}
    assert set(rows) == set(settings)
    assert {name for name, default in settings.items() if isinstance(default, str | int) and default != ""} == {
        name for name, shown in rows.items() if shown.strip("`") == str(settings[name])
    } - {"QUOTES_TIMEZONE"}


def test_the_readme_names_every_command_and_no_other():
    commands = set(re.findall(r"^\| `python -m quotes (\w+)[A-Za-z ]*` \|", README, re.MULTILINE))
    (choices,) = [action.choices for action in _parser()._actions if action.choices]
    assert commands == set(choices)


def test_the_readme_names_every_route_and_no_other(make_service):
    named = set(re.findall(r"[` ](/[a-z./{}-]*)(?=[?`])", "\n".join(re.findall(r"^\| `GET .*$", README, re.MULTILINE))))
    answered = {
        route.path.replace(":path", "")
        for route in inspect_routes(create_api(Settings(diagnostics=True), make_service()))
    }
    assert named == answered - {"/docs/{name}", "/static/{name}"}


def _purpose(command: str) -> str:
    return "unsubscribe" if "/unsubscribe" in command else "subscribe"


def _wait_for(url: str, server: subprocess.Popen) -> dict:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return json.load(answer)
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"no answer from {url}")


if shutil.which("curl") is None:
    raise RuntimeError("The README's examples are run with curl; install it: apt-get install curl")
