"""What Lambda runs: the process is prepared as Zappa's handler prepares it, and other events go there."""

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.s3 import ERROR_500, S3, drop, error

pytest_plugins = ("tests.s3",)

ROOT = Path(__file__).parent.parent
REQUEST = {"httpMethod": "GET", "path": "/daily", "headers": {"Host": "x.execute-api.us-east-1.amazonaws.com"}}

# What Zappa writes into the package, of which a test changes a little.
STAGE = {
    "APP_MODULE": "quotes.resources",
    "APP_FUNCTION": "api",
    "EXCEPTION_HANDLER": None,
    "DEBUG": False,
    "LOG_LEVEL": "INFO",
    "BINARY_SUPPORT": True,
    "CONTEXT_HEADER_MAPPINGS": {},
    "DOMAIN": None,
    "BASE_PATH": None,
    "ENVIRONMENT_VARIABLES": {"AWS_REGION": "us-east-1", "QUOTES_TIMEZONE": "Asia/Kolkata"},
    "API_STAGE": "dev",
    "PROJECT_NAME": "quotes",
    "SETTINGS_FILE": None,
    "DJANGO_SETTINGS": None,
    "AWS_EVENT_MAPPING": {},
    "AWS_BOT_EVENT_MAPPING": {},
    "COGNITO_TRIGGER_MAPPING": {},
    "ASYNC_RESPONSE_TABLE": "",
    "ADDITIONAL_TEXT_MIMETYPES": [],
}

OURS = "from quotes.lambda_handler import lambda_handler"
ZAPPAS = "from zappa.handler import LambdaHandler, lambda_handler; LambdaHandler()"
RUN = """
import json, os, sys
{handler}
events = json.loads(sys.argv[1])
results = [lambda_handler(event, None) for event in events]
late = ("boto3", "zappa.handler", "requests", "werkzeug")
imported = [name for name in late if name in sys.modules]
print(json.dumps({{"results": results, "imported": imported, "environ": dict(os.environ)}}))
"""


class Function:
    """Be a function as Lambda starts it, in a folder with the settings of its stage."""

    def __init__(self, folder: Path, s3: S3) -> None:
        self._folder = folder
        self.environ = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}",
            "AWS_LAMBDA_FUNCTION_NAME": "quotes-dev",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_SESSION_TOKEN": "session",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": s3.role.endpoint,
            "DATABASE_URL": f"sqlite:///{folder}/quotes.db",
        }

    def run(self, *events: Any, handler: str = OURS, **stage: Any) -> subprocess.CompletedProcess[str]:
        lines = (f"{name} = {value!r}" for name, value in (STAGE | stage).items())
        (self._folder / "zappa_settings.py").write_text("\n".join(lines))
        command = [sys.executable, "-c", RUN.format(handler=handler), json.dumps(events)]
        return subprocess.run(
            command, env=self.environ, cwd=self._folder, capture_output=True, text=True, check=False, timeout=60
        )

    def said(self, *events: Any, handler: str = OURS, **stage: Any) -> dict[str, Any]:
        ended = self.run(*events, handler=handler, **stage)
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout.splitlines()[-1]) | {"log": ended.stderr}


@pytest.fixture
def function(tmp_path: Path, s3: S3) -> Function:
    return Function(tmp_path, s3)


@pytest.fixture
def remote_env(s3: S3) -> str:
    """Return the URL of the object that a test fills as `s3.body`."""
    return s3.url


def test_a_request_is_answered_without_boto3_and_zappas_handler(function: Function):
    said = function.said(REQUEST)

    (answer,) = said["results"]
    assert (answer["statusCode"], list(json.loads(answer["body"]))[-1]) == (200, "date")
    assert said["imported"] == []


def test_a_remote_environment_is_read_without_boto3(function: Function, s3: S3, remote_env: str):
    s3.body = b'{"X_Mashape_Key": "secret"}'

    said = function.said(REQUEST, REMOTE_ENV=remote_env)

    assert said["environ"]["X_Mashape_Key"] == "secret"
    assert said["imported"] == []


def test_the_environment_is_what_zappas_handler_makes_of_it(function: Function, s3: S3, remote_env: str):
    s3.body = json.dumps({"DATABASE_URL": "sqlite:////tmp/other.db", "QUOTES_TIMEZONE": "UTC", "ANY": "ü"}).encode()

    ours = function.said(REMOTE_ENV=remote_env)["environ"]
    zappas = function.said(REMOTE_ENV=remote_env, handler=ZAPPAS)["environ"]

    assert ours == zappas
    assert ours["DATABASE_URL"] == "sqlite:////tmp/other.db"  # the remote one before the function's
    assert ours["QUOTES_TIMEZONE"] == "Asia/Kolkata"  # the package's before the remote one
    assert (ours["ANY"], ours["STAGE"], ours["PROJECT"], ours["SERVERTYPE"]) == ("ü", "dev", "quotes", "AWS Lambda")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (None, "is not there."),
        (b"", "is no JSON."),
        (b"\xff{", "is no JSON."),
        (b'["X_Mashape_Key"]', "is no JSON object."),
        (b'{"PORT": 8000, "QUOTES_TIMEZONE": "secret"}', "the value of PORT is no string."),
    ],
)
def test_what_is_no_environment_is_reported_and_the_service_answers(function, s3, remote_env, body, told):
    if body is not None:
        s3.body = body

    said = function.said(REQUEST, REMOTE_ENV=remote_env)

    assert said["log"].startswith(f"The remote environment {remote_env}")
    assert told in said["log"]
    assert "secret" not in said["log"]
    assert said["results"][0]["statusCode"] == 200
    assert "PORT" not in said["environ"]


def test_a_remote_environment_that_fails_once_is_asked_for_again(function: Function, s3: S3, remote_env: str):
    s3.body = b'{"X_Mashape_Key": "secret"}'
    s3.faults["GET"] = iter([drop, ERROR_500])

    assert function.said(REMOTE_ENV=remote_env)["environ"]["X_Mashape_Key"] == "secret"


@pytest.mark.parametrize(
    ("fault", "told"), [(drop, "Unclear: S3 does not answer"), (error(403, "AccessDenied"), "S3 refuses: AccessDenied")]
)
def test_where_it_cannot_be_read_the_start_fails_for_the_states_address_may_be_in_it(
    function, s3, remote_env, fault, told
):
    s3.body = b'{"DATABASE_URL": "postgresql://host/name"}'
    s3.faults["GET"] = itertools.repeat(fault)

    ended = function.run(REQUEST, REMOTE_ENV=remote_env)

    assert ended.returncode == 1
    assert told in ended.stderr.splitlines()[-1]
    assert ended.stdout == ""


def test_an_event_that_keeps_an_instance_warm_loads_nothing(function: Function):
    rule = "arn:aws:events:us-east-1:123456789012:rule/quotes-dev-zappa-keep-warm-handler.keep_warm_callback"

    said = function.said({"detail-type": "Scheduled Event", "resources": [rule]})

    assert (said["results"], said["imported"]) == ([None], [])


def test_the_stages_variables_are_the_environments(function: Function):
    said = function.said(REQUEST | {"stageVariables": {"COLOUR": "blue"}})

    assert said["environ"]["COLOUR"] == "blue"


def test_another_event_is_zappas_matter(function: Function):
    said = function.said({"command": "quotes.schedulers.set_quote_of_the_day"}, REQUEST)

    job, answer = said["results"]
    assert (job, answer["statusCode"]) == (None, 200)
    assert "zappa.handler" in said["imported"]


def test_a_job_that_fails_is_told_to_the_exception_handler_and_raised(function: Function, tmp_path: Path):
    lines = "def tell(exception, event, context):\n    open('told', 'w').write(type(exception).__name__)\n"
    (tmp_path / "telling.py").write_text(lines)

    ended = function.run({"command": "quotes.no_such_job"}, EXCEPTION_HANDLER="telling.tell")

    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1].startswith("AttributeError")
    assert (tmp_path / "told").read_text() == "AttributeError"


def test_a_setting_that_cannot_be_used_ends_the_start_with_its_name(function: Function, s3: S3, remote_env: str):
    s3.body = b'{"DATABASE_URL": "mysql://user:password@host/name"}'

    ended = function.run(REQUEST, REMOTE_ENV=remote_env)

    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1].startswith("quotes.errors.SettingError: DATABASE_URL: starts with none of")
    assert "password" not in ended.stderr
