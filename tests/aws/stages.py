"""Stages of this project, deployed from a clone with the README's commands.

`dev` is the stage as it is. `zappas` is the same with Zappa's own handler, whose answers ours must equal. Modules that
use the fixtures name this one in `pytest_plugins`: PYTEST_DONT_REWRITE.
"""

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from deploy.stage import SETTINGS
from tests.aws.account import Account
from tests.stub_upstream import Call, Upstream

ROOT = SETTINGS.parent
BUCKET = "quotes-123456789012-us-east-1"  # what `make setup` makes of the example, in moto's account


@dataclass(frozen=True)
class Answer:
    """An answer that came through the gateway; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Stage:
    """A deployed stage.

    Attributes:
        account: Where it is deployed.
        project: The folder from which it was deployed.
        name: The stage's name.
        url: Its URL, without a final slash.
    """

    account: Account
    project: Path
    name: str
    url: str

    @property
    def arn(self) -> str:
        return self.account.arn(self.function)

    @property
    def function(self) -> str:
        """Return the function's name, which Zappa makes from project and stage."""
        return f"quotes-{self.name}".replace("_", "-")

    @property
    def state(self) -> dict[str, str]:
        """Return the bucket and key of the state."""
        return {"Bucket": BUCKET, "Key": f"{self.name}/quotes.db"}

    def curl(self, path: str, *options: str) -> Answer:
        """Send a request with curl, through the gateway."""
        ended = self.account.curl("--include", *options, f"{self.url}{path}")
        assert ended.returncode == 0, ended.stderr
        head, _, body = ended.stdout.partition(b"\r\n\r\n")
        while head.startswith((b"HTTP/1.1 100", b"HTTP/1.1 200 Connection established", b"HTTP/1.0 200")):
            head, _, body = body.partition(b"\r\n\r\n")  # the proxy's, for the connection
        status, *lines = head.decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        return Answer(int(status.split()[1]), {name.lower(): value for name, value in headers.items()}, body)

    def set_environment(self, **variables: str) -> None:
        """Replace the remote environment, and end the instances that have the old one."""
        body = json.dumps(variables).encode()
        self.account.client("s3").put_object(Bucket=BUCKET, Key=f"{self.name}/environment.json", Body=body)
        self.account.functions.discard(self.arn)

    def forget(self) -> None:
        """Delete the state, and end the instances that remember a day."""
        self.account.client("s3").delete_object(**self.state)
        self.account.functions.discard(self.arn)


def cloned(folder: Path) -> Path:
    """Return a clone of the working tree, with the environment that runs the tests."""
    tracked = subprocess.run(["git", "ls-files", "-z", "--cached"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, tracked.decode().split("\0")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)  # with its date, or `make` would rebuild the environment
    (folder / ".venv").symlink_to(ROOT / ".venv")
    return folder


def run(account: Account, project: Path, command: str) -> str:
    """Run a shell command as the deployer, in the activated environment, and return its output."""
    ended = account.run(project, "bash", "-c", command)
    assert ended.returncode == 0, ended.stdout
    return ended.stdout


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """Serve an upstream that returns another quote each time."""

    def another(call: Call) -> None:
        quote = {"quote": f"Number {call.number}.", "author": "Somebody", "category": "Numbers"}
        call.answer(json.dumps([quote]).encode())

    with Upstream() as server:
        server.does = another
        yield server


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a clone with an additional stage, `zappas`."""
    folder = cloned(tmp_path_factory.mktemp("project"))
    settings = json.loads((folder / "zappa_settings.json").read_text())
    settings["zappas"] = {
        "extends": "dev",
        "lambda_handler": "handler.lambda_handler",
        "remote_env": settings["dev"]["remote_env"].replace("/dev/", "/zappas/"),
        "aws_environment_variables": {
            "DATABASE_URL": settings["dev"]["aws_environment_variables"]["DATABASE_URL"].replace("/dev/", "/zappas/")
        },
    }
    (folder / "zappa_settings.json").write_text(json.dumps(settings))
    return folder


@pytest.fixture(scope="session")
def deployed(account: Account, project: Path) -> Iterator[dict[str, Stage]]:
    """Return both stages, deployed with the README's commands."""
    stages = {}
    for name in ("dev", "zappas"):
        run(account, project, f"make setup STAGE={name}")
        said = run(account, project, f"make deploy STAGE={name}")
        url = next(word for line in said.splitlines() for word in line.split() if word.endswith("/health"))
        assert urlsplit(url).hostname
        stages[name] = Stage(account, project, name, url.removesuffix("/health"))
    yield stages
    for name in stages:
        run(account, project, f"echo y | make undeploy STAGE={name}")


@pytest.fixture(params=["dev", "zappas"])
def stage(deployed: dict[str, Stage], request: pytest.FixtureRequest) -> Stage:
    """Return each stage in turn."""
    return deployed[request.param]


@pytest.fixture
def new_stage(stage: Stage) -> Iterator[Stage]:
    """Return each stage in turn, without state, settings or instances, before and after the test."""
    stage.set_environment()
    stage.forget()
    yield stage
    stage.set_environment()
    stage.forget()


def problem(status: int, detail: str, title: str = "", kind: str = "about:blank") -> dict[str, Any]:
    """Return an error document (RFC 9457)."""
    return {"type": kind, "title": title or HTTPStatus(status).phrase, "status": status, "detail": detail}
