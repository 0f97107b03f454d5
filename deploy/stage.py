"""A stage in `zappa_settings.json`, as Zappa reads it."""

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
EXAMPLE_ACCOUNT = "123456789012"  # the one in AWS's documentation


class StageError(Exception):
    """Something is wrong with a stage or its account; the text says what, and what to do."""


def loaded(stage: str) -> Any:
    """Return Zappa's command line with a stage's settings loaded, including those it inherits (`extends`).

    Args:
        stage: The stage's name.

    Raises:
        StageError: There is no such stage, or its settings are unusable.
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
        raise StageError(f"The stage is in {ours}, but AWS_DEFAULT_REGION is {zappas}, which Zappa prefers: unset it.")
    return cli


def make_ones_own(account: str, region: str) -> str | None:
    """Replace the examples in `zappa_settings.json` with the account's number and a bucket name.

    Bucket names are unique worldwide, so the example's cannot be used.

    Args:
        account: The number of the AWS account.
        region: Where the bucket will be.

    Returns:
        The bucket's name; None if nothing had to be replaced.
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
    """Tell whether a stage has an authorizer; if it also has `iam_authorization`, Zappa does not create it.

    Args:
        cli: Zappa's command line, with the stage's settings loaded.
    """
    return bool(cli.authorizer) and not cli.iam_authorization


def takes_tokens(cli: Any) -> bool:
    """Tell whether a stage has our authorizer, which checks bearer tokens.

    Args:
        cli: Zappa's command line, with the stage's settings loaded.
    """
    return has_authorizer(cli) and cli.authorizer.get("function") == AUTHORIZER


def is_deployed(cli: Any) -> bool:
    """Tell whether a stage's function exists.

    Args:
        cli: Zappa's command line, with the stage's settings loaded.
    """
    try:
        cli.zappa.lambda_client.get_function(FunctionName=cli.lambda_name)
    except cli.zappa.lambda_client.exceptions.ResourceNotFoundException:
        return False
    return True


def is_half_deployed(cli: Any) -> bool:
    """Tell whether a stage has a function but no API, because a deployment was interrupted.

    Args:
        cli: Zappa's command line, with the stage's settings loaded.
    """
    return is_deployed(cli) and not cli.zappa.get_api_url(cli.lambda_name, cli.api_stage)


def zappa(command: str, name: str, *options: str) -> Iterator[str]:
    """Announce a command of Zappa's, and run it in this environment.

    Args:
        command: Such as `deploy`.
        name: The stage's name.
        options: The rest of the command line.

    Raises:
        StageError: The command failed.
    """
    line = " ".join(("zappa", command, name, *options))
    yield line
    environ = os.environ | {"VIRTUAL_ENV": sys.prefix}
    program = Path(sys.executable).with_name("zappa")
    if subprocess.run([program, command, name, *options], env=environ, check=False).returncode:  # noqa: S603
        raise StageError(f"`{line}` failed; its output is above.")
