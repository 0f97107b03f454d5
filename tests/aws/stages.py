"""Stages of this project, deployed as somebody deploys them who has cloned it.

`dev` is the stage as it is. `zappas` is the same with Zappa's own handler instead of ours: what it answers is what ours
has to answer. Modules that use the fixtures name this one in `pytest_plugins`: PYTEST_DONT_REWRITE.
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
    """Hold an answer as it came through the gateway; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Stage:
    """Be a deployed stage.

    Attributes:
        account: Where it is deployed.
        project: The folder from which it was.
        name: The stage's name.
        url: What its clients know.
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
        """Return the function's name: Zappa's slug of project and stage."""
        return f"quotes-{self.name}".replace("_", "-")

    @property
    def state(self) -> dict[str, str]:
        """Return bucket and key of the state."""
        return {"Bucket": BUCKET, "Key": f"{self.name}/quotes.db"}

    def curl(self, path: str, *options: str) -> Answer:
        """Ask with curl, through the gateway."""
        ended = self.account.curl("--include", *options, f"{self.url}{path}")
        assert ended.returncode == 0, ended.stderr
        head, _, body = ended.stdout.partition(b"\r\n\r\n")
        while head.startswith((b"HTTP/1.1 100", b"HTTP/1.1 200 Connection established", b"HTTP/1.0 200")):
            head, _, body = body.partition(b"\r\n\r\n")  # the proxy's, for the connection
        status, *lines = head.decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        return Answer(int(status.split()[1]), {name.lower(): value for name, value in headers.items()}, body)

    def set_environment(self, **variables: str) -> None:
        """Change the remote environment; instances that start from now on have it."""
        body = json.dumps(variables).encode()
        self.account.client("s3").put_object(Bucket=BUCKET, Key=f"{self.name}/environment.json", Body=body)
        self.account.functions.discard(self.arn)

    def forget(self) -> None:
        """Let no day be on record, and no instance remember one."""
        self.account.client("s3").delete_object(**self.state)
        self.account.functions.discard(self.arn)


def cloned(folder: Path) -> Path:
    """Return a clone of the project as it is now, whose environment is the one that runs the tests."""
    tracked = subprocess.run(["git", "ls-files", "-z", "--cached"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, tracked.decode().split("\0")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)  # with its date, or `make` would make the environment anew
    (folder / ".venv").symlink_to(ROOT / ".venv")
    return folder


def run(account: Account, project: Path, command: str) -> str:
    """Run a command of the deployer's, in the activated environment; return what it said."""
    ended = account.run(project, "bash", "-c", command)
    assert ended.returncode == 0, ended.stdout
    return ended.stdout


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """Serve an upstream that has another quote each time."""

    def another(call: Call) -> None:
        quote = {"quote": f"Number {call.number}.", "author": "Somebody", "category": "Numbers"}
        call.answer(json.dumps([quote]).encode())

    with Upstream() as server:
        server.does = another
        yield server


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a clone with one stage more, whose requests go through Zappa's own handler."""
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
    """Return both stages, deployed as the README says."""
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
    """Return each of both stages in turn."""
    return deployed[request.param]


@pytest.fixture
def new_stage(stage: Stage) -> Iterator[Stage]:
    """Return each of both stages in turn, with an empty record, no settings and no instance, and leave it so."""
    stage.set_environment()
    stage.forget()
    yield stage
    stage.set_environment()
    stage.forget()


def problem(status: int, detail: str, title: str = "", kind: str = "about:blank") -> dict[str, Any]:
    """Return an error as RFC 9457 has it."""
    return {"type": kind, "title": title or HTTPStatus(status).phrase, "status": status, "detail": detail}
