"""A container is what Lambda's is, as far as the tests of this project lean on it."""

import json
import socket
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.aws.account import Account
from tests.aws.hand_made import HandMade

PID = "import os\ndef handler(event, context): return os.getpid()"
FAILS = "def handler(event, context): raise ValueError(event['why'])"
SAYS = """
import socket
def handler(event, context):
    with socket.create_connection(("127.0.0.1", event["port"])) as connection:
        return connection.recv(100).decode()
"""


class Calls:
    """Take the connections of functions that wait for what they are to return."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.settimeout(20)
        self.event = json.dumps({"port": self._listening.getsockname()[1]}).encode()

    def taken(self) -> socket.socket:
        """Return the connection of a function that has come to wait."""
        return self._listening.accept()[0]

    def close(self) -> None:
        self._listening.close()


@pytest.fixture
def calls() -> Iterator[Calls]:
    calls = Calls()
    yield calls
    calls.close()


def invoke(account: Account, arn: str, event: Any = None) -> Any:
    return json.loads(account.functions.invoke(arn, json.dumps(event).encode()).payload)


def state_of(pid: int) -> str:
    """Return the letter that proc(5) has for a process's state."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]


def test_the_package_is_read_only_and_tmp_is_ones_own(account: Account, made: HandMade):
    source = """
import os
def handler(event, context):
    failed = {}
    for path in ("/var/task/new", "/var/runtime/new", "/tmp/new"):
        try:
            open(path, "x").close()
        except OSError as error:
            failed[path] = error.strerror
    read_only = [path for path in ("/", "/usr", "/tmp") if os.statvfs(path).f_flag & os.ST_RDONLY]
    return [os.getcwd(), sorted(os.listdir("/var/task")), os.listdir("/tmp"), failed, read_only]
"""
    arn = made.function("read-only", source)
    refused = dict.fromkeys(("/var/task/new", "/var/runtime/new"), "Read-only file system")

    assert invoke(account, arn) == ["/var/task", ["function.py"], ["new"], refused, ["/", "/usr"]]
    assert invoke(account, arn)[3] == refused | {"/tmp/new": "File exists"}
    account.functions.discard(arn)
    assert invoke(account, arn)[3] == refused


def test_nothing_of_the_development_environment_can_be_imported(account: Account, made: HandMade):
    source = """
import importlib.util, sys
NAMES = ("awslambdaric", "boto3", "botocore", "dateutil", "falcon", "moto", "pip", "pytest", "zappa", "quotes")
def handler(event, context):
    return [name for name in NAMES if importlib.util.find_spec(name)], sys.flags.no_site
"""
    assert invoke(account, made.function("imports", source)) == [["awslambdaric", "boto3", "botocore", "dateutil"], 1]


def test_the_environment_is_what_lambda_sets_and_what_is_configured(account: Account, made: HandMade):
    source = "import os\ndef handler(event, context): return dict(os.environ)"
    arn = made.function("environment", source, MemorySize=256, Environment={"Variables": {"OURS": "yes"}})

    found = invoke(account, arn)

    secret = {name: found.pop(name) for name in list(found) if "KEY" in name or "TOKEN" in name}
    assert sorted(secret) == ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"]
    assert found.pop("AWS_LAMBDA_RUNTIME_API").startswith("127.0.0.1:")
    assert "/[$LATEST]" in found.pop("AWS_LAMBDA_LOG_STREAM_NAME")
    assert found.pop("_X_AMZN_TRACE_ID").startswith("Root=1-")
    assert found.pop("AWS_ENDPOINT_URL") == account.environ["AWS_ENDPOINT_URL"]
    assert found.pop("PATH").startswith("/var/lang/bin:")
    python = "{}.{}".format(*sys.version_info)
    assert found == {
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{python}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_FUNCTION_NAME": "environment",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/environment",
        "AWS_REGION": "us-east-1",
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "LAMBDA_TASK_ROOT": "/var/task",
        "LANG": "en_US.UTF-8",
        "LC_CTYPE": "C.UTF-8",  # Python's own doing
        "OURS": "yes",
        "PWD": "/var/task",
        "PYTHONPATH": "/var/runtime",
        "TZ": ":UTC",
        "_HANDLER": "function.handler",
    }


def test_a_file_that_only_its_owner_may_read_cannot_be_read(account: Account, made: HandMade):
    arn = made.function("unreadable", made.package(PID, 0o600))

    outcome = account.functions.invoke(arn, b"{}")

    assert outcome.failed
    assert json.loads(outcome.payload)["errorType"] == "PermissionError"


def test_a_container_is_used_again_until_it_is_discarded(account: Account, made: HandMade):
    arn = made.function("warm", PID)
    first = invoke(account, arn)

    assert invoke(account, arn) == first
    account.functions.discard(arn)
    assert invoke(account, arn) != first


def test_containers_take_turns(account: Account, made: HandMade):
    arn = made.function("turns", PID)
    account.functions.scale(arn, 3)

    pids = [invoke(account, arn) for _ in range(6)]

    assert len(set(pids)) == 3
    assert pids[:3] == pids[3:]


def test_two_events_at_once_have_a_container_each(account: Account, made: HandMade, calls: Calls):
    arn = made.function("at-once", SAYS)
    with ThreadPoolExecutor() as threads:
        outcomes = [threads.submit(account.functions.invoke, arn, calls.event) for _ in range(2)]
        for connection in [calls.taken(), calls.taken()]:
            with connection:
                connection.sendall(b"go on")

        assert [outcome.result().payload for outcome in outcomes] == [b'"go on"', b'"go on"']
    assert len(account.functions.containers(arn)) == 2


def test_a_module_that_cannot_be_imported_is_an_error_of_the_init_phase(account: Account, made: HandMade):
    arn = made.function("no-module", "import nowhere")

    for _ in range(2):
        outcome = account.functions.invoke(arn, b"{}")
        assert (outcome.failed, json.loads(outcome.payload)) == (
            True,
            {
                "errorMessage": "Unable to import module 'function': No module named 'nowhere'",
                "errorType": "Runtime.ImportModuleError",
                "requestId": "",
                "stackTrace": [],
            },
        )
    assert account.functions.containers(arn) == []


@pytest.mark.parametrize(
    ("doing", "error"),
    [
        ("sys.exit(3)", "Runtime exited with error: exit status 3"),
        ("os.kill(0, 9)", "Runtime exited with error: signal: killed"),
    ],
)
def test_a_process_that_ends_is_an_error_and_the_next_event_starts_another(
    account: Account, made: HandMade, doing: str, error: str
):
    source = f"import os, sys\ndef handler(event, context):\n    if event: {doing}\n    return 'well'"
    arn = made.function("exits", source)

    assert invoke(account, arn) == "well"
    found = invoke(account, arn, {"exit": True})
    assert found.pop("errorMessage").endswith(f" Error: {error}")
    assert found == {"errorType": "Runtime.ExitError"}
    assert invoke(account, arn) == "well"


def test_a_container_that_is_killed_while_it_works_is_an_error(account: Account, made: HandMade, calls: Calls):
    arn = made.function("killed", SAYS)
    with ThreadPoolExecutor() as threads:
        outcome = threads.submit(account.functions.invoke, arn, calls.event)
        with calls.taken():
            (container,) = account.functions.containers(arn)
            container.kill()

        assert json.loads(outcome.result().payload)["errorType"] == "Runtime.ExitError"


def test_a_function_that_takes_too_long_is_ended(account: Account, made: HandMade, calls: Calls):
    arn = made.function("slow", SAYS, Timeout=1)

    outcome = account.functions.invoke(arn, calls.event)

    found = json.loads(outcome.payload)
    assert outcome.failed
    assert found.pop("errorMessage").endswith(" Error: Task timed out after 1.00 seconds")
    assert found == {"errorType": "Sandbox.Timedout"}
    assert account.functions.containers(arn) == []


def test_a_container_is_frozen_between_events(account: Account, made: HandMade):
    source = """
import threading, time
count = 0
def counts():
    global count
    while True:
        count += 1
        time.sleep(0.001)
def handler(event, context):
    if event:
        threading.Thread(target=counts, daemon=True).start()
        while not count: time.sleep(0.001)
    return count
"""
    arn = made.function("frozen", source)
    before = invoke(account, arn, {"start": True})
    (container,) = account.functions.containers(arn)

    deadline = time.monotonic() + 10
    while state_of(container.pid) != "T" and time.monotonic() < deadline:
        pass

    assert before >= 1
    assert state_of(container.pid) == "T"  # stopped
    assert invoke(account, arn) >= before
