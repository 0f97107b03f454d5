"""Stages that are closed: deployed as the README says, and asked from outside by who may come in and who may not."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

from falcon import inspect

from deploy.stage import SETTINGS
from quotes.resources import api
from tests.aws.account import Account
from tests.aws.stages import Stage, run

README = (SETTINGS.parent / "README.md").read_text(encoding="utf-8")
METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "POST")


@contextlib.contextmanager
def deployed(account: Account, project: Path, name: str) -> Iterator[tuple[Stage, str]]:
    """Deploy a stage for a while; give it and what was said. Nothing of it is left afterwards but on its bucket."""
    run(account, project, f"make setup STAGE={name}")
    said = run(account, project, f"make deploy STAGE={name}")
    url = re.search(rf"https://\w+\.execute-api\.us-east-1\.amazonaws\.com/{name}", said)
    assert url, said
    stage = Stage(account, project, name, url[0])
    yield stage, said
    run(account, project, f"echo y | make undeploy STAGE={name}")
    stays = f"arn:aws:sns:{account.region}:{account.number}:DailyQuoteSubscription-{name}"  # the subscribers
    account.client("sns").delete_topic(TopicArn=stays)
    left = [each for each in account.left_behind() if not each.startswith("s3 ")]
    of_stage = [each for each in left if stage.function in each or name in each]
    assert of_stage == []


def every_request() -> list[tuple[str, str]]:
    """Return path and method of everything that the application knows, and of something that it does not."""
    paths = {re.sub(r"\{\w+\}", "x", route.path) for route in inspect.inspect_app(api).routes}
    return [(path, method) for path in sorted(paths | {"/no/such/path"}) for method in METHODS]


def answers(stage: Stage, *options: str) -> set[tuple[int, bytes]]:
    """Ask for everything; return what was answered, in so far as it differs."""
    found = set()
    for path, method in every_request():
        answer = stage.curl(path, *(("--head",) if method == "HEAD" else ("--request", method)), *options)
        found.add((answer.status, answer.body or b"HEAD"))
    return found


def refusals(status: int, body: str) -> set[tuple[int, bytes]]:
    """Return what `answers` gives where everything is refused in the same words."""
    return {(status, body.encode()), (status, b"HEAD")}


def invocations(stage: Stage) -> int:
    """Return how often the stage's function was invoked so far."""
    stage.account.functions.join()
    return sum(line.startswith("REPORT ") for line in stage.account.logs(stage.function))


def commands(pattern: str) -> set[str]:
    """Return the README's commands that begin with something."""
    blocks = "\n".join(re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL))
    return set(re.findall(rf"^{pattern}.*$", blocks, re.MULTILINE))
