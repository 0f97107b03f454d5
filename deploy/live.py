"""Deploy a stage, and check it from outside."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import requests
from requests.auth import AuthBase

from deploy import stage
from deploy.credentials import bearer, of_deployer
from deploy.stage import StageError
from quotes import __version__

PATIENCE = 60.0  # seconds until a new URL answers everywhere
PAUSE = 2.0  # seconds
TIMEOUT = 30  # seconds, for one answer: as long as the gateway waits
NO_TOKEN = "e30.e30.e30"  # noqa: S105  # has the form of a token: three empty objects
NO_KEY = "the key that signs tokens is not here (docs/deploying.md shows how to make one)"


def deploy(name: str) -> Iterator[str]:
    """Deploy a stage, or update it if it is deployed already, and check it.

    Args:
        name: The stage's name.

    Raises:
        StageError: Zappa failed, or the check did.
    """
    cli = stage.loaded(name)
    if stage.EXAMPLE_BUCKET in cli.s3_bucket_name:
        raise StageError(f"zappa_settings.json still has the example's bucket: run `make setup STAGE={name}` first.")
    if stage.is_half_deployed(cli):
        raise StageError(f"A deployment was interrupted: run `make undeploy STAGE={name}`, then deploy again.")
    yield from stage.zappa("update" if stage.is_deployed(cli) else "deploy", name)
    yield from smoke(name, __version__)


def smoke(name: str, version: str = "") -> Iterator[str]:
    """Check a live stage: its health, two quotes, and, if it is closed, that it refuses requests without credentials.

    Args:
        name: The stage's name.
        version: The version that has to answer; empty for any.

    Raises:
        StageError: An answer is not as it should be.
    """
    cli = stage.loaded(name)
    if not stage.is_deployed(cli):
        raise StageError(f"The stage {name} is not deployed: run `make deploy STAGE={name}`.")
    url = cli.zappa.get_api_url(cli.lambda_name, name)
    if not url:
        raise StageError(f"The stage {name} has no URL: its deployment was interrupted, or it has no API.")
    credential = of_deployer(cli)
    if stage.has_authorizer(
        cli
    ):  # first, for only here does a refusal (401) differ from a URL that is not live yet (403)
        yield _refusal(f"{url}/health", 401)
        if stage.takes_tokens(cli):
            yield _refusal(f"{url}/health", 401, bearer(NO_TOKEN), "with a token that nobody signed")
        if not credential:
            yield f"not checked: {url} with a valid token; {NO_KEY}"
            return
    health = _answer(f"{url}/health", credential, lambda health: health["version"] == version or not version)
    if health["database"]["status"] != "ok" or not health["database"]["shared"]:
        raise StageError(f"{url}/health: {health['database']}")
    yield f"ok  {url}/health  version {health['version']}, state on {health['database']['kind']}"
    for kind in ("daily", "random"):
        quote = _answer(f"{url}/quote?type={kind}", credential)
        yield f"ok  {url}/quote?type={kind}  {quote['author']}: {quote['quote'][:40]}\N{HORIZONTAL ELLIPSIS}"
    if credential and not stage.has_authorizer(cli):
        yield _refusal(f"{url}/health", 403)


def _refusal(url: str, status: int, credential: AuthBase | None = None, how: str = "without a credential") -> str:
    """Check that a request is refused."""
    answer = _asked(url, credential, lambda answer: answer.status_code in (status, 200))
    if answer.status_code == 200:
        raise StageError(f"{url}: 200 {how}; the stage should be closed.")
    return f"ok  {url}  {status} {how}"


def _answer(
    url: str, credential: AuthBase | None, is_right: Callable[[dict[str, Any]], bool] = lambda _: True
) -> dict[str, Any]:
    return dict(_asked(url, credential, lambda answer: answer.status_code == 200 and is_right(answer.json())).json())


def _asked(url: str, credential: AuthBase | None, is_right: Callable[[requests.Response], bool]) -> requests.Response:
    """Ask until the answer is right, because a new URL takes some time to work everywhere."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            answer = requests.get(url, timeout=TIMEOUT, auth=credential)
            if is_right(answer):
                return answer
            found = f"{answer.status_code} {answer.text[:200]}"
        except requests.RequestException as error:
            found = type(error).__name__
        if time.monotonic() > deadline:
            raise StageError(f"{url}: {found}")
        time.sleep(PAUSE)
