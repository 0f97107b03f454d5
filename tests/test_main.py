"""The command line, in process and as the process that a shell starts."""

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import fields
from pathlib import Path

import pytest
import responses

from quotes import __version__
from quotes.__main__ import main
from quotes.quote import Quote
from quotes.settings import Settings
from tests.test_import import ask, server
from tests.test_service import ENDPOINT, SENT, sends, write_corpus

ROOT = Path(__file__).parent.parent
LOVE = Quote("Love is patient.", "Anon", "Love", None, "love")
HOPE = Quote("Hope is the thing with feathers.", "Emily Dickinson", "Hope", None, "hope")
LOVE_TEXT = "Love is patient.\n— Anon\n"
HOPE_TEXT = "Hope is the thing with feathers.\n— Emily Dickinson\n"

WELL = """\
ok     settings  every value is usable
ok     corpus    2 quotes
ok     database  sqlite: a file here; the service's processes on this machine share it; today's quote is not decided yet
ok     upstream  none set (Mashape_API_Endpoint): the corpus answers
"""


@pytest.fixture(autouse=True)
def environ(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """Work in a folder of the test's own, with a small corpus and no other setting; return what sets more."""
    monkeypatch.delenv("QUOTES_TEST_LONG", raising=False)
    for variable in [field.metadata.get("variable", "AWS_LAMBDA_FUNCTION_NAME") for field in fields(Settings)]:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QUOTES_CORPUS", str(write_corpus(tmp_path / "corpus.jsonl", [LOVE, HOPE])))
    return monkeypatch


def served() -> list[tuple[str, str]]:
    with closing(sqlite3.connect("quotes.db")) as db:
        return db.execute("SELECT quote, author FROM daily_quote ORDER BY day").fetchall()


def test_today_prints_the_quote_that_is_on_record_from_then_on(capsys: pytest.CaptureFixture[str]):
    assert [main(["today"]), main(["today"])] == [0, 0]

    text = "{}\n— {}\n".format(*served()[0])
    assert capsys.readouterr() == (text + text, "")


def test_today_has_a_quote_even_without_a_database(
    capsys: pytest.CaptureFixture[str], environ: pytest.MonkeyPatch, tmp_path: Path
):
    environ.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/no/such/folder/quotes.db")

    assert main(["today"]) == 0
    assert capsys.readouterr().out in (LOVE_TEXT, HOPE_TEXT)


@pytest.mark.parametrize(
    ("options", "printed"),
    [
        (["--author", "EMILY dickinson"], HOPE_TEXT),
        (["--category", "love"], LOVE_TEXT),
        (["--min-length", "17"], HOPE_TEXT),
        (["--max-length", "16"], LOVE_TEXT),
    ],
    ids=str,
)
def test_random_prints_what_matches(capsys: pytest.CaptureFixture[str], options: list[str], printed: str):
    assert main(["random", "--count", "2", *options]) == 0
    assert capsys.readouterr() == (printed, "")


def test_random_prints_as_many_as_are_wanted(capsys: pytest.CaptureFixture[str]):
    assert main(["random", "--count", "2"]) == 0
    assert capsys.readouterr().out in (f"{LOVE_TEXT}\n{HOPE_TEXT}", f"{HOPE_TEXT}\n{LOVE_TEXT}")


def test_random_prints_a_quote_of_the_upstream(capsys: pytest.CaptureFixture[str], environ: pytest.MonkeyPatch):
    environ.setenv("Mashape_API_Endpoint", ENDPOINT)

    with sends(SENT):
        assert main(["random"]) == 0
    assert capsys.readouterr().out == "Sent from above.\n— Upstream\n"


@pytest.mark.parametrize(
    "options",
    [["--author", "Nobody"], ["--max-length", "3"], ["--author", "not UTF-8: \udcff"]],
    ids=["author", "length", "bytes that are no text"],
)
def test_random_says_when_nothing_matches(capsys: pytest.CaptureFixture[str], options: list[str]):
    assert main(["random", *options]) == 1
    assert capsys.readouterr() == ("", "quotes: no quote matches.\n")


@pytest.mark.parametrize(
    ("options", "printed"),
    [
        (["i"], f"{LOVE_TEXT}\n{HOPE_TEXT}"),
        (["patient", "lov"], LOVE_TEXT),
        (['"the thing"'], HOPE_TEXT),
        (["is", "--author", "EMILY dickinson"], HOPE_TEXT),
        (["is", "--category", "love"], LOVE_TEXT),
        (["is", "--limit", "1"], LOVE_TEXT),
    ],
    ids=str,
)
def test_search_prints_what_has_the_words(capsys: pytest.CaptureFixture[str], options: list[str], printed: str):
    assert main(["search", *options]) == 0
    assert capsys.readouterr() == (printed, "")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["hate"], "no quote matches."),
        (["not UTF-8: \udcff"], "no quote matches."),
        (["*"], "no quote matches."),
        (["is", "--limit", "0"], "The parameter 'limit' is not a whole number from 1 to 100."),
        (["is", "--author", " "], "The parameter 'author' is empty."),
    ],
    ids=str,
)
def test_search_says_why_there_is_nothing(capsys: pytest.CaptureFixture[str], options: list[str], told: str):
    assert main(["search", *options]) == 1
    assert capsys.readouterr() == ("", f"quotes: {told}\n")


def test_check_says_that_all_is_well(capsys: pytest.CaptureFixture[str]):
    assert main(["check"]) == 0
    assert capsys.readouterr() == (WELL, "")


def test_check_names_what_looks_like_a_setting_and_is_none(
    capsys: pytest.CaptureFixture[str], environ: pytest.MonkeyPatch
):
    environ.setenv("QUOTES_TIMZONE", "Asia/Kolkata")
    environ.setenv("MASHAPE_API_ENDPOINT", "https://example.org/")

    assert main(["check"]) == 0
    told = "every value is usable; there is no setting called MASHAPE_API_ENDPOINT, QUOTES_TIMZONE"
    assert capsys.readouterr().out == WELL.replace("every value is usable", told)


def test_check_says_that_the_quote_of_today_is_on_record(capsys: pytest.CaptureFixture[str]):
    main(["today"])
    capsys.readouterr()

    assert main(["check"]) == 0
    assert capsys.readouterr().out == WELL.replace("not decided yet", "on record")


def test_check_says_that_the_upstream_answers(capsys: pytest.CaptureFixture[str], environ: pytest.MonkeyPatch):
    environ.setenv("Mashape_API_Endpoint", ENDPOINT)

    with sends(SENT):
        assert main(["check"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "ok     upstream  it answers"


def test_check_says_what_is_wrong_with_the_upstream(capsys: pytest.CaptureFixture[str], environ: pytest.MonkeyPatch):
    environ.setenv("Mashape_API_Endpoint", ENDPOINT)
    environ.setenv("X_Mashape_Key", "s3cret")

    with responses.RequestsMock() as mock:
        mock.get(ENDPOINT, status=403)
        assert main(["check"]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == (
        "WRONG  upstream  it refused the key (HTTP 403); check X_Mashape_Key."
        " The corpus answers meanwhile; look at Mashape_API_Endpoint and X_Mashape_Key."
    )


def test_check_says_what_is_wrong_with_the_database(
    capsys: pytest.CaptureFixture[str], environ: pytest.MonkeyPatch, tmp_path: Path
):
    environ.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/no/such/folder/quotes.db")

    assert main(["check"]) == 1
    assert capsys.readouterr().out.splitlines()[2] == (
        "WRONG  database  The sqlite database is not usable: unable to open database file."
        " Look at DATABASE_URL: a SQLite file needs a folder that exists and can be written,"
        " a server or S3 has to be reachable with the credentials given."
    )


def test_check_tells_no_password_of_the_database(capsys: pytest.CaptureFixture[str], environ: pytest.MonkeyPatch):
    environ.setenv("DATABASE_URL", "postgresql://quotes:s3cret@127.0.0.1:1/quotes")

    assert main(["check"]) == 1
    told = capsys.readouterr()
    assert "WRONG  database  The postgresql database is not usable: connection failed" in told.out
    assert "s3cret" not in told.out + told.err


def test_check_says_what_is_wrong_with_the_corpus(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    (tmp_path / "corpus.jsonl").write_text('{"id": "1", "quote": "Whose is this?"}\n')

    assert main(["check"]) == 1
    wrong = "WRONG  corpus    corpus.jsonl, line 1: 'author' is missing or not a text."
    assert capsys.readouterr().out == WELL.replace("ok     corpus    2 quotes", wrong)


@pytest.mark.parametrize("command", ["serve", "today", "random", "check"])
def test_a_bad_setting_stops_every_command_with_a_line_that_names_it(
    capsys: pytest.CaptureFixture[str], environ: pytest.MonkeyPatch, command: str
):
    environ.setenv("PORT", "http")

    assert main([command]) == 1
    assert capsys.readouterr() == ("", "quotes: PORT: is not a port number between 1 and 65535\n")


@pytest.mark.parametrize("arguments", [[], ["tomorrow"], ["today", "now"]], ids=str)
def test_a_wrong_command_line_is_refused(capsys: pytest.CaptureFixture[str], arguments: list[str]):
    with pytest.raises(SystemExit) as exit_:
        main(arguments)

    assert exit_.value.code == 2
    assert capsys.readouterr().err.startswith("usage: python -m quotes ")


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("--count", "0", "'count' is not a whole number from 1 to 50"),
        ("--count", "51", "'count' is not a whole number from 1 to 50"),
        ("--min-length", "-1", "'min_length' is not a whole number from 0 to 999999999"),
        ("--max-length", "9" * 30, "'max_length' is not a whole number from 0 to 999999999"),
        ("--author", "", "'author' is empty"),
    ],
)
def test_random_refuses_what_the_api_refuses(capsys: pytest.CaptureFixture[str], option: str, value: str, told: str):
    assert main(["random", f"{option}={value}"]) == 1
    assert capsys.readouterr() == ("", f"quotes: The parameter {told}.\n")


@pytest.mark.parametrize("name", ["mine.jsonl", "mine.sqlite3"])
def test_serve_stops_for_a_corpus_that_cannot_be_read(
    capsys: pytest.CaptureFixture[str], environ: pytest.MonkeyPatch, tmp_path: Path, name: str
):
    (tmp_path / name).write_text("no corpus\n")
    environ.setenv("QUOTES_CORPUS", str(tmp_path / name))

    assert main(["serve"]) == 1
    assert capsys.readouterr().err.startswith("quotes: QUOTES_CORPUS: ")


def test_help_names_every_command_and_shows_examples(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as exit_:
        main(["--help"])

    told = capsys.readouterr().out
    assert exit_.value.code == 0
    assert re.findall(r"^    (\w+)  ", told, re.MULTILINE) == [
        "serve",
        "today",
        "random",
        "search",
        "import",
        "export",
        "state",
        "token",
        "check",
    ]
    assert "  python -m quotes random --category love " in told


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"{__version__}\n"


def shell_environ(**more: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(Path.cwd())} | more


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    ("arguments", "status", "out", "err"),
    [
        pytest.param(["random", "--author", "Anon"], 0, LOVE_TEXT, "", id="random"),
        pytest.param(["random", "--author", "Nobody"], 1, "", "quotes: no quote matches.\n", id="no match"),
        pytest.param(["check"], 0, WELL, "", id="check"),
    ],
)
def test_a_shell_gets_text_in_utf_8_and_a_status(arguments: list[str], status: int, out: str, err: str):
    ended = subprocess.run(
        [sys.executable, "-m", "quotes", *arguments],
        env=shell_environ(QUOTES_CORPUS="corpus.jsonl", LOG_LEVEL="ERROR"),
        capture_output=True,
        check=False,
    )

    assert (ended.returncode, ended.stdout.decode(), ended.stderr.decode()) == (status, out, err)


@pytest.mark.timeout(30)
def test_a_terminal_that_has_no_dash_gets_the_rest():
    ended = subprocess.run(
        [sys.executable, "-m", "quotes", "random", "--author", "Anon"],
        env=shell_environ(QUOTES_CORPUS="corpus.jsonl", PYTHONIOENCODING="ascii"),
        capture_output=True,
        check=False,
    )

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"Love is patient.\n? Anon\n", b"")


@pytest.mark.timeout(30)
def test_serve_answers_on_its_port_until_it_is_told_to_end(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        free_port = probe.getsockname()[1]
    environ = shell_environ(PORT=str(free_port), QUOTES_CORPUS="corpus.jsonl")

    with server([sys.executable, "-m", "quotes", "serve"], environ, tmp_path) as (process, port):
        answers = [ask(port, "/quote?type=daily&format=text") for _ in range(5)]
        process.send_signal(signal.SIGTERM)
        status = process.wait()

    assert port == free_port
    assert answers == [(200, "{}\n— {}\n".format(*served()[0]).encode())] * 5
    assert status == 0
