"""A stage of `zappa_settings.json`, as Zappa itself reads it."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from zappa.cli import ZappaCLI

SETTINGS = Path(__file__).parent.parent / "zappa_settings.json"
EXAMPLE_BUCKET = "quotes-example"
AUTHORIZER = "quotes.authorizer.authorize"
EXAMPLE_ACCOUNT = "123456789012"  # AWS's own, in its documentation


class StageError(Exception):
    """Say what is wrong with a stage, or with the account it is to live in, and how to mend it."""


def loaded(stage: str) -> Any:
    """Return Zappa's command line with a stage's settings loaded, `extends` followed.

    Args:
        stage: Its name.

    Raises:
        StageError: There is no such stage, or its settings are not usable.
    """
    os.chdir(SETTINGS.parent)  # where Zappa looks
    cli = ZappaCLI()
    cli.api_stage = stage
    try:
        cli.load_settings()
    except (click.ClickException, ValueError) as error:
        raise StageError(re.sub(r"\x1b\[\d*m", "", str(error))) from error
    ours, zappas = cli.stage_config["aws_region"], cli.zappa.boto_session.region_name
    if ours != zappas:
        raise StageError(f"The stage is in {ours}, but AWS_DEFAULT_REGION is {zappas}, which Zappa follows: unset it.")
    return cli


def make_ones_own(account: str, region: str) -> str | None:
    """Put the account into settings that still name the examples; return the bucket's name where that was needed.

    The names of buckets are taken worldwide, so everybody's has to be another one.

    Args:
        account: The number of the AWS account.
        region: Where the bucket will be.
    """
    text = SETTINGS.read_text(encoding="utf-8")
    bucket = f"quotes-{account}-{region}"
    own = text.replace(EXAMPLE_BUCKET, bucket).replace(EXAMPLE_ACCOUNT, account)
    if own == text:
        return None
    unfinished = SETTINGS.with_suffix(".unfinished")
    unfinished.write_text(own, encoding="utf-8")
    unfinished.replace(SETTINGS)
    return bucket


def has_authorizer(cli: Any) -> bool:
    """Tell whether an authorizer decides who comes in; where signatures are asked for as well, Zappa leaves it out.

    Args:
        cli: Zappa's command line, with the stage's settings loaded.
    """
    return bool(cli.authorizer) and not cli.iam_authorization


def takes_tokens(cli: Any) -> bool:
    """Tell whether that is ours, which checks bearer tokens.

    Args:
        cli: Zappa's command line, with the stage's settings loaded.
    """
    return has_authorizer(cli) and cli.authorizer.get("function") == AUTHORIZER


def is_deployed(cli: Any) -> bool:
    """Tell whether a stage's function is there.

    Args:
        cli: Zappa's command line, with the stage's settings loaded.
    """
    try:
        cli.zappa.lambda_client.get_function(FunctionName=cli.lambda_name)
    except cli.zappa.lambda_client.exceptions.ResourceNotFoundException:
        return False
    return True


def is_half_deployed(cli: Any) -> bool:
    """Tell whether a stage's function is there, but not its API: a deployment was interrupted.

    Args:
        cli: Zappa's command line, with the stage's settings loaded.
    """
    return is_deployed(cli) and not cli.zappa.get_api_url(cli.lambda_name, cli.api_stage)


def zappa(command: str, name: str, *options: str) -> Iterator[str]:
    """Tell of a command of Zappa's, and run it in this environment.

    Args:
        command: Such as `deploy`.
        name: The stage's name.
        options: What else stands on the command line.

    Raises:
        StageError: It failed.
    """
    line = " ".join(("zappa", command, name, *options))
    yield line
    environ = os.environ | {"VIRTUAL_ENV": sys.prefix}
    program = Path(sys.executable).with_name("zappa")
    if subprocess.run([program, command, name, *options], env=environ, check=False).returncode:  # noqa: S603
        raise StageError(f"`{line}` failed; what it said stands above.")
