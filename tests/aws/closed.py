"""Closed stages: deployed with the README's commands, and called from outside with a credential and without."""

import contextlib
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from falcon import inspect

from deploy.stage import SETTINGS
from quotes.resources import api
from tests.aws.account import Account
from tests.aws.stages import Stage, run

README = (SETTINGS.parent / "README.md").read_text(encoding="utf-8")
METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
STRANGE = (
    "/no/such/path",
    "",
    "/",
    "//daily",
    "/daily/",
    "/daily%2F",
    "/../dev/daily",
    "/%2e%2e/daily",
    "/daily;a=b",
    "/*",
)


@contextlib.contextmanager
def deployed(account: Account, project: Path, name: str) -> Iterator[tuple[Stage, str]]:
    """Deploy a stage and yield it with the output; afterwards nothing is left of it except in its bucket."""
    run(account, project, f"make setup STAGE={name}")
    said = run(account, project, f"make deploy STAGE={name}")
    url = re.search(rf"https://\w+\.execute-api\.us-east-1\.amazonaws\.com/{name}", said)
    assert url, said
    stage = Stage(account, project, name, url[0])
    yield stage, said
    run(account, project, f"echo y | make undeploy STAGE={name}")
    stays = f"arn:aws:sns:{account.region}:{account.number}:DailyQuoteSubscription-{name}"  # holds the subscribers
    account.client("sns").delete_topic(TopicArn=stays)
    left = [each for each in account.left_behind() if not each.startswith("s3 ")]
    of_stage = [each for each in left if stage.function in each or name in each]
    assert of_stage == []


def answers(stage: Stage, *options: str) -> set[tuple[int, bytes]]:
    """Request all routes and some strange paths with all methods, and return the distinct statuses and bodies.

    Args:
        stage: The stage.
        options: For curl, which requests all paths in one process.
    """
    paths = {re.sub(r"\{\w+\}", "x", route.path) for route in inspect.inspect_app(api).routes} | set(STRANGE)
    found = set()
    for method in METHODS:
        way = ("--head",) if method == "HEAD" else ("--request", method)
        with tempfile.TemporaryDirectory() as folder:
            files = {Path(folder, str(number)): path for number, path in enumerate(sorted(paths))}
            asked = [word for file, path in files.items() for word in ("--output", str(file), f"{stage.url}{path}")]
            ended = stage.account.curl("--path-as-is", *way, *options, "--write-out", "%{http_code}\n", *asked)
            assert ended.returncode == 0, ended.stderr
            bodies = [file.read_bytes() if method != "HEAD" and file.exists() else b"HEAD" for file in files]
            found |= set(zip(map(int, ended.stdout.split()), bodies, strict=True))
    return found


def refusals(status: int, body: str) -> set[tuple[int, bytes]]:
    """Return what `answers` returns if every request is refused in the same way."""
    return {(status, body.encode()), (status, b"HEAD")}


def invocations(stage: Stage) -> int:
    """Return how often the stage's function has been invoked."""
    stage.account.functions.join()
    return sum(line.startswith("REPORT ") for line in stage.account.logs(stage.function))


def commands(pattern: str) -> set[str]:
    """Return the README's commands that begin with a pattern."""
    blocks = "\n".join(re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL))
    return set(re.findall(rf"^{pattern}.*$", blocks, re.MULTILINE))
