"""Bring a stage up, and look at it from outside."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests
from botocore.exceptions import BotoCoreError, ClientError

from deploy import stage
from deploy.stage import StageError

PATIENCE = 60.0  # seconds, until a new URL answers everywhere
PAUSE = 2.0  # seconds
TIMEOUT = 30  # seconds, for one answer: as long as the gateway waits


def deploy(name: str) -> Iterator[str]:
    """Deploy a stage, or update it where it is deployed already, and look whether it is well.

    Args:
        name: The stage's name.

    Raises:
        StageError: Zappa failed, or the stage is not well.
    """
    yield from _zappa("update" if _is_deployed(stage.loaded(name)) else "deploy", name)
    yield from smoke(name)


def take_down(name: str) -> Iterator[str]:
    """Take a stage down after asking, with its logs, its role and its topic of dead letters; its bucket stays.

    Args:
        name: The stage's name.

    Raises:
        StageError: Zappa failed, or AWS refuses.
    """
    cli = stage.loaded(name)
    yield from _zappa("undeploy", name, "--remove-logs")
    if _is_deployed(cli):
        return
    try:
        role = cli.zappa.iam.Role(cli.zappa.role_name)
        for policy in role.policies.all():
            policy.delete()
        role.delete()
        yield f"role {cli.zappa.role_name}: gone"
        topic = cli.stage_config.get("dead_letter_arn", "")
        if topic.startswith("arn:aws:sns:"):
            cli.zappa.boto_client("sns").delete_topic(TopicArn=topic)
            yield f"topic {topic}: gone"
    except (BotoCoreError, ClientError) as error:
        raise StageError(f"AWS: {error}") from error
    yield f"bucket {cli.s3_bucket_name}: stays, with the days that were served; empty it and delete it yourself"


def smoke(name: str) -> Iterator[str]:
    """Ask a live stage for its health, the quote of the day and a random one.

    Args:
        name: The stage's name.

    Raises:
        StageError: One of them is not answered as it should be.
    """
    cli = stage.loaded(name)
    url = cli.zappa.get_api_url(cli.lambda_name, name)
    if not url:
        raise StageError(f"The stage {name} has no URL: is it deployed?")
    health = _answer(f"{url}/health")
    if health["database"]["status"] != "ok" or not health["database"]["shared"]:
        raise StageError(f"{url}/health: {health['database']}")
    yield f"ok  {url}/health  version {health['version']}, state on {health['database']['kind']}"
    for kind in ("daily", "random"):
        quote = _answer(f"{url}/quote?type={kind}")
        yield f"ok  {url}/quote?type={kind}  {quote['author']}: {quote['quote'][:40]}\N{HORIZONTAL ELLIPSIS}"


def _zappa(command: str, name: str, *options: str) -> Iterator[str]:
    yield " ".join(("zappa", command, name, *options))
    environ = os.environ | {"VIRTUAL_ENV": sys.prefix}
    zappa = Path(sys.executable).with_name("zappa")
    if subprocess.run([zappa, command, name, *options], env=environ, check=False).returncode:  # noqa: S603
        raise StageError(f"`zappa {command} {name}` failed; what it said stands above.")


def _is_deployed(cli: Any) -> bool:
    try:
        cli.zappa.lambda_client.get_function(FunctionName=cli.lambda_name)
    except cli.zappa.lambda_client.exceptions.ResourceNotFoundException:
        return False
    except (BotoCoreError, ClientError) as error:
        raise StageError(f"AWS: {error}") from error
    return True


def _answer(url: str) -> dict[str, Any]:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            answer = requests.get(url, timeout=TIMEOUT)
            if answer.status_code == 200:
                return dict(answer.json())
            found = f"{answer.status_code} {answer.text[:200]}"
        except requests.RequestException as error:
            found = type(error).__name__
        if time.monotonic() > deadline:
            raise StageError(f"{url}: {found}")
        time.sleep(PAUSE)
