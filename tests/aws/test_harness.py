"""The emulated account is what an account is, as far as the tests of this project lean on it."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.aws.account import Account
from tests.aws.hand_made import HandMade
from tests.aws.permissions import allows

PATIENCE = 10.0  # seconds

PID = "import os\ndef handler(event, context): return os.getpid()"


def invoke(account: Account, arn: str, event: Any = None) -> Any:
    return json.loads(account.functions.invoke(arn, json.dumps(event).encode()).payload)


def test_a_version_stays_what_it_was(account: Account, made: HandMade):
    arn = made.function("versions", "def handler(event, context): return 1, context.function_version")
    client = account.client("lambda")
    client.publish_version(FunctionName="versions")

    code = made.package("def handler(event, context): return 2, context.function_version")
    client.update_function_code(FunctionName="versions", ZipFile=code)

    assert invoke(account, f"{arn}:1") == [1, "1"]
    assert invoke(account, arn) == [2, "$LATEST"]
    assert client.get_function(FunctionName="function:versions:1")["Configuration"]["Version"] == "1"
    answer = client.invoke(FunctionName="function:versions:1")
    assert (answer["ExecutedVersion"], answer["Payload"].read()) == ("1", b'[1, "1"]')


def test_another_configuration_means_other_containers(account: Account, made: HandMade):
    source = "import os\ndef handler(event, context): return os.environ['LEVEL']"
    arn = made.function("levels", source, Environment={"Variables": {"LEVEL": "1"}})
    assert invoke(account, arn) == "1"

    account.client("lambda").update_function_configuration(
        FunctionName="levels", Environment={"Variables": {"LEVEL": "2"}}
    )

    assert invoke(account, arn) == "2"


def test_an_invocation_tells_the_end_of_its_log(account: Account, made: HandMade):
    source = "def handler(event, context):\n    print('one\\ntwo')\n    return context.aws_request_id"
    made.function("tail", source)

    answer = account.client("lambda").invoke(FunctionName="tail", LogType="Tail")

    request_id = json.load(answer["Payload"])
    lines = subprocess.run(["base64", "-d"], input=answer["LogResult"].encode(), capture_output=True, check=True).stdout
    start, one, two, end, report = lines.decode().splitlines()
    assert (one, two) == ("one", "two")
    assert start == f"START RequestId: {request_id} Version: $LATEST"
    assert end == f"END RequestId: {request_id}"
    assert report.startswith(f"REPORT RequestId: {request_id}\tDuration: ")
    assert account.logs("tail") == [start, one, two, end, report]


def test_without_the_right_to_write_a_log_there_is_none(account: Account, made: HandMade):
    arn = made.function("silent", PID, {"Effect": "Deny", "Action": "logs:PutLogEvents", "Resource": "*"})

    invoke(account, arn)

    assert account.logs("silent") == []


@pytest.mark.parametrize(
    ("action", "resource", "is_allowed"),
    [
        ("s3:GetObject", "arn:aws:s3:::bucket/a/b", True),
        ("s3:getobject", "arn:aws:s3:::bucket/a/b", True),
        ("s3:GetObject", "arn:aws:s3:::bucket", False),
        ("s3:GetObject", "arn:aws:s3:::bucket/secret", False),  # denied
        ("s3:PutObject", "arn:aws:s3:::bucket/a/b", False),
        ("sns:Publish", "*", True),
        ("sns:Publish", "arn:aws:sns:us-east-1:123456789012:topic", False),
    ],
)
def test_what_is_granted_and_not_denied_is_allowed(action: str, resource: str, is_allowed: bool):
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": ["s3:Get*"], "Resource": "arn:aws:s3:::bucket/*"},
            {"Effect": "Deny", "Action": "*", "Resource": ["arn:aws:s3:::bucket/secre?"]},
            {"Effect": "Allow", "Action": "sns:Publish", "NotResource": "arn:aws:sns:*:*:*"},
        ],
    }

    assert allows([policy], action, resource) is is_allowed


def test_nothing_is_left_of_an_account(tmp_path: Path):
    """In a process of its own, which is killed the hard way the second time."""
    program = """
import os, sys, threading
import psutil
from tests.aws.account import Account
from tests.aws.hand_made import HandMade
with Account() as account:
    made = HandMade(account)
    arn = made.function("one", "def handler(event, context): return 1")
    account.functions.scale(arn, 3)
    account.functions.invoke(arn, b"{}")
    account.curl("https://nowhere.execute-api.us-east-1.amazonaws.com/dev/")
    children = [child.pid for child in psutil.Process().children(recursive=True)]
    print(len(children), flush=True)
    print(*children, flush=True)
    if sys.argv[1:]:
        os.kill(os.getpid(), 9)
print(psutil.Process().children(recursive=True), threading.enumerate() == [threading.main_thread()])
"""
    environ = {"TMPDIR": str(tmp_path), "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-c", program]
    ended = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert (ended.stdout.splitlines()[0], ended.stdout.splitlines()[2]) == ("3", "[] True"), ended.stderr
    assert list(tmp_path.iterdir()) == []

    ended = subprocess.run([*command, "kill"], env=environ, capture_output=True, text=True, check=False)
    assert ended.returncode == -9
    left, deadline = ended.stdout.splitlines()[1].split(), time.monotonic() + PATIENCE
    while any(map(_runs_python, left)) and time.monotonic() < deadline:
        time.sleep(0.05)  # the kernel ends them, in its own time
    assert not [pid for pid in left if _runs_python(pid)]


def _runs_python(pid: str) -> bool:
    try:
        return b"awslambdaric" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return False
