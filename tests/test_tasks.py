"""Tasks: started as the settings say, run by Zappa's own router, and given nothing that tells a number or a code.

Zappa makes its clients when it is imported, so each test is a process of its own that believes to be a Lambda function.
"""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs, unquote

import pytest

from tests.s3 import S3
from tests.sns import SNS

pytest_plugins = ("tests.s3", "tests.sns")

ROOT = Path(__file__).parent.parent
ME = "+919028012345"


class Sent(NamedTuple):
    """Hold a task on its way: to which function or topic, in which region, and what it says."""

    to: str
    region: str
    message: dict[str, object]


class Carriers(ThreadingHTTPServer):
    """Take what goes to Lambda and, as tasks, to SNS; what is taken is kept, not carried out."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Carrier)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.sent: list[Sent] = []
        self.status = 202


class _Carrier(BaseHTTPRequestHandler):
    server: Carriers

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        region, service = self.headers["Authorization"].split("/")[2:4]
        if service == "sts":
            self._answer(200, _xml("GetCallerIdentity", "<Account>123456789012</Account>"))
        elif service == "sns":
            given = {name: values[0] for name, values in parse_qs(body).items()}
            self.server.sent.append(Sent(given["TargetArn"], region, json.loads(given["Message"])))
            self._answer(200, _xml("Publish", "<MessageId>1</MessageId>"))
        else:
            assert self.headers["X-Amz-Invocation-Type"] == "Event"
            function = re.fullmatch("/2015-03-31/functions/(.*)/invocations", unquote(self.path))
            assert function
            if self.server.status == 202:
                self.server.sent.append(Sent(function[1], region, json.loads(body)))
            self._answer(self.server.status, b"")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response_only(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep quiet."""


def _xml(action: str, result: str) -> bytes:
    return f"<{action}Response><{action}Result>{result}</{action}Result></{action}Response>".encode()


@pytest.fixture
def carriers() -> Iterator[Carriers]:
    with Carriers() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def on_lambda(s3: S3, sns: SNS, carriers: Carriers, aws: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Set the environment of a function of two instances or more."""
    for name, value in {
        "AWS_LAMBDA_FUNCTION_NAME": "quotes-dev",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_LAMBDA": carriers.url,
        "AWS_ENDPOINT_URL_STS": carriers.url,
        "DATABASE_URL": s3.url,
        "QUOTES_SMS_TOPIC": sns.topic,
        "QUOTES_OTP_SECRET": "0123456789abcdef" * 2,
        "PYTHONPATH": str(ROOT),
    }.items():
        aws.setenv(name, value)
    return aws


def instance(program: str, *arguments: str) -> str:
    """Run a program in a process of its own; return what it prints, logs included."""
    command = [
        sys.executable,
        "-W",
        "error",
        "-c",
        f"import logging\nlogging.basicConfig(level=10)\n{program}",
        *arguments,
    ]
    done = subprocess.run(command, env=dict(os.environ), capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


REQUEST = """
import sys
from falcon import testing
from quotes.resources import api
answer = testing.TestClient(api).simulate_get(sys.argv[1], query_string=sys.argv[2])
print(answer.status_code, answer.text)
"""
ROUTE = """
import json, sys
from zappa.asynchronous import route_lambda_task
route_lambda_task(json.loads(sys.argv[1]), None)
"""
START = """
import sys
from quotes.service import start_task
from quotes.settings import Settings
start_task(Settings.from_environ(), *sys.argv[1:])
"""


def run_last(carriers: Carriers) -> str:
    return instance(ROUTE, json.dumps(carriers.sent[-1].message))


@pytest.mark.timeout(120)
def test_a_number_is_subscribed_and_unsubscribed_by_tasks_that_are_told_neither_number_nor_code(
    on_lambda: pytest.MonkeyPatch, carriers: Carriers, sns: SNS
):
    logged, subscribed = "", []
    for path in ("/subscribe", "/unsubscribe"):
        asked = instance(REQUEST, path, f"mobile={ME}")
        assert f'202 {{"message": "An OTP verification has been sent on mobile {ME}. ' in asked
        assert sns.asked == []
        logged += run_last(carriers)
        code = str(sns.texts()[-1].text)[:6]
        sns.asked.clear()
        assert "\n200 {" in "\n" + instance(REQUEST, path, f"mobile={ME}&otp={code}")
        assert sns.asked == []
        logged += run_last(carriers)
        sns.asked.clear()
        subscribed.append(sns.subscribers())
        assert code not in logged + json.dumps(carriers.sent)

    assert subscribed == [[ME], []]
    assert {(sent.to, sent.region) for sent in carriers.sent} == {("quotes-dev", "us-east-1")}
    assert [sent.message["task_path"] for sent in carriers.sent] == [
        "quotes.tasks.async_send_otp",
        "quotes.tasks.async_subscribe",
        "quotes.tasks.async_send_otp",
        "quotes.tasks.async_unsubscribe",
    ]
    assert [re.fullmatch("[0-9a-f]{32}", *sent.message["args"]) is None for sent in carriers.sent] == [False] * 4
    assert "9028012345" not in logged + json.dumps(carriers.sent)


@pytest.mark.timeout(60)
def test_the_day_is_published_by_a_task(on_lambda: pytest.MonkeyPatch, carriers: Carriers, sns: SNS):
    fire = "from quotes.schedulers import publish_quote_of_the_day\npublish_quote_of_the_day({}, None)"
    instance(fire)
    before = sns.texts()
    run_last(carriers)
    run_last(carriers)
    instance(fire)

    (sent,) = carriers.sent
    assert sent.message["task_path"] == "quotes.tasks.async_publish"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", *sent.message["args"])
    assert (before, [call.kind for call in sns.texts()]) == ([], ["Promotional"])


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("settings", "to", "region", "command"),
    [
        ({}, "quotes-dev", "us-east-1", "lambda"),
        ({"QUOTES_TASK_FUNCTION": "other"}, "other", "us-east-1", "lambda"),
        ({"QUOTES_TASK_REGION": "eu-west-1"}, "quotes-dev", "eu-west-1", "lambda"),
        (
            {
                "QUOTES_TASK_FUNCTION": "arn:aws:lambda:eu-west-1:123456789012:function:other",
                "QUOTES_TASK_REGION": "eu-west-1",
            },
            "arn:aws:lambda:eu-west-1:123456789012:function:other",
            "eu-west-1",
            "lambda",
        ),
        (
            {"QUOTES_TASK_SERVICE": "sns"},
            "arn:aws:sns:us-east-1:123456789012:quotes-dev-zappa-async",
            "us-east-1",
            "sns",
        ),
        (
            {"QUOTES_TASK_SERVICE": "sns", "QUOTES_TASK_FUNCTION": "other", "QUOTES_TASK_REGION": "eu-west-1"},
            "arn:aws:sns:eu-west-1:123456789012:other-zappa-async",
            "eu-west-1",
            "sns",
        ),
    ],
    ids=["here", "another function", "another region", "both", "through SNS", "through SNS elsewhere"],
)
def test_a_task_goes_where_the_settings_say(
    on_lambda: pytest.MonkeyPatch, carriers: Carriers, settings: dict[str, str], to: str, region: str, command: str
):
    on_lambda.setenv("AWS_ENDPOINT_URL_SNS", carriers.url)
    for name, value in settings.items():
        on_lambda.setenv(name, value)
    instance(START, "async_subscribe", "0123")

    message = {
        "task_path": "quotes.tasks.async_subscribe",
        "capture_response": False,
        "response_id": None,
        "args": ["0123"],
        "kwargs": {},
        "command": f"zappa.asynchronous.route_{command}_task",
    }
    assert carriers.sent == [Sent(to, region, message)]


@pytest.mark.timeout(60)
def test_a_server_may_leave_its_tasks_to_a_function(on_lambda: pytest.MonkeyPatch, carriers: Carriers, sns: SNS):
    on_lambda.delenv("AWS_LAMBDA_FUNCTION_NAME")
    on_lambda.setenv("QUOTES_SMS", "sns")
    on_lambda.setenv("QUOTES_TASK_FUNCTION", "quotes-dev")
    instance(REQUEST, "/subscribe", f"mobile={ME}")

    assert [(sent.to, sent.message["task_path"]) for sent in carriers.sent] == [
        ("quotes-dev", "quotes.tasks.async_send_otp")
    ]
    assert sns.asked == []


@pytest.mark.timeout(60)
def test_a_request_whose_task_is_not_taken_is_told_so_and_may_be_sent_again(
    on_lambda: pytest.MonkeyPatch, carriers: Carriers
):
    carriers.status = 400
    refused = instance(REQUEST, "/subscribe", f"mobile={ME}")
    carriers.status = 202
    taken = instance(REQUEST, "/subscribe", f"mobile={ME}")

    assert '503 {"type": "about:blank", "title": "Service Unavailable", "status": 503, ' in refused
    assert "The text cannot be sent right now; try again in a few seconds." in refused
    assert taken.startswith("202 ") or "\n202 " in taken
    assert len(carriers.sent) == 1


@pytest.mark.timeout(60)
def test_a_request_for_a_quote_imports_nothing_of_it(on_lambda: pytest.MonkeyPatch, tmp_path: Path):
    on_lambda.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/quotes.db")
    late = ("zappa", "boto3", "botocore", "phonenumbers", "quotes.tasks", "quotes.subscription_models")
    looked = f"print([name for name in {late} if name in sys.modules])"

    assert "\n[]\n" in instance(REQUEST + looked, "/quote", "type=daily")


@pytest.mark.timeout(60)
def test_off_lambda_nothing_of_zappa_is_needed(tmp_path: Path):
    program = (
        "import sys\nfrom falcon import testing\nfrom quotes.resources import api\n"
        "print(testing.TestClient(api).simulate_get('/subscribe', params={'mobile': '919028012345'}).status_code)\n"
        "print([name for name in ('zappa', 'boto3', 'botocore') if name in sys.modules])"
    )
    command = [sys.executable, "-c", program]
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=True)

    assert done.stdout == "202\n[]\n"
    assert "[SMS to +919028012345] " in done.stderr
