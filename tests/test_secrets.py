"""No commit that there is holds a secret, nor do the logs of the tests, which conftest.py looks at."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.secrets import PATTERNS, secrets_in

ROOT = Path(__file__).parent.parent

# In pieces, for this file is looked at as well.
SECRETS = {
    "AWS access key": "AKIA" + "Z7QXK3W9TB2MND4P",
    "AWS secret key": "aws_secret_access_key = " + "aB3/" * 10,
    "private key": "-----BEGIN EC PRIVATE" + " KEY-----\nMHcCAQEEIOy0mVtQ",
    "hex beside its name": "QUOTES_OTP_SECRET=" + "0f1e2d3c" * 8,
    "JWT": "Bearer ey" + "JhbGciOiJI.ey" + "JzdWIiOiIx.c2lnbmF0dXJlLW9mLWl0",
    "token of a known service": "ghp" + "_" + "a1B2" * 9,
    "password in a URL": "postgresql://quotes:" + "hunter2" + "@db.internal/quotes",
}


@pytest.mark.timeout(120)
def test_no_commit_has_a_secret():
    # A shallow clone shows the commits that it has, the oldest of them whole.
    log = ["git", "log", "--all", "--patch", "--unified=0", "--text", "--no-color", "--no-ext-diff", "--format=%B"]
    history = subprocess.run(log, cwd=ROOT, capture_output=True, check=True).stdout.decode("utf-8", "replace")

    assert "diff --git a/quotes/resources.py" in history
    assert set(secrets_in(history)) == set()


def test_no_file_has_a_secret_that_is_about_to_be_committed():
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, check=True, text=True).stdout.split("\0")
    files = [path for path in map(ROOT.joinpath, filter(None, names)) if path.is_file()]

    assert {path.name: found for path in files if (found := secrets_in(path.read_text("utf-8", "replace")))} == {}


@pytest.mark.parametrize(("kind", "text"), SECRETS.items(), ids=SECRETS)
def test_a_secret_is_found(kind: str, text: str):
    assert [found for found, _ in secrets_in(f"+# {text}\n")] == [kind]
    assert PATTERNS.keys() == SECRETS.keys()


@pytest.mark.parametrize(
    "text",
    [
        "QUOTES_OTP_SECRET=${secret}",
        "token = tokens.verified(bearer[1], settings)",
        '"hashes": ["sha256:0c3c1a17604c4dbbec4b93fe37785d0e0c3c1a17604c4dbbec4b93fe37785d0e"]',
        "commit 2a15b11f0e0c3c1a17604c4dbbec4b93fe37785d",
        "arn:aws:sns:us-east-1:123456789012:quotes",
        "http://127.0.0.1:8000/quote?type=daily",
        "-----BEGIN PUBLIC KEY-----",
    ],
)
def test_what_is_none_is_not(text: str):
    assert secrets_in(text) == []


def test_a_log_with_a_secret_fails_its_test(tmp_path: Path):
    (tmp_path / "conftest.py").write_text("from tests.conftest import pytest_runtest_makereport\n")
    (tmp_path / "test_it.py").write_text(f"""
import logging

def test_logs():
    logging.getLogger("quotes").error({SECRETS["AWS access key"]!r})

def test_prints():
    print({SECRETS["hex beside its name"]!r})

def test_is_quiet():
    logging.getLogger("quotes").error("nothing")
""")
    run = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rE", "--show-capture=no"]
    environ = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    ended = subprocess.run(run, cwd=tmp_path, env=environ, capture_output=True, check=False, text=True)

    lines = [line for line in ended.stdout.splitlines() if line.startswith("ERROR ")]
    assert lines == [
        "ERROR test_it.py::test_logs - Captured log call has what looks like a secret: AWS access key",
        "ERROR test_it.py::test_prints - Captured stdout call has what looks like a secret: hex beside its name",
    ]
    assert " 3 passed, 2 errors in " in ended.stdout
