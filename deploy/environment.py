"""The secret settings of a stage: a file on the deployer's machine, ignored by git, and the object on S3 made from it.

Keys that can be generated are generated if the file has none. They then stay, and are never printed.
"""

import json
import secrets
from pathlib import Path
from typing import Any

from deploy import stage
from deploy.stage import StageError
from quotes.errors import SettingError
from quotes.settings import Settings, variables

OTP_SECRET, JWT_KEY, JWT_ALGORITHM = "QUOTES_OTP_SECRET", "QUOTES_JWT_KEY", "QUOTES_JWT_ALGORITHM"
FOR_THE_POLICY = ("QUOTES_ALERT_TOPIC", "QUOTES_SMS_TOPIC", "QUOTES_SMS_REGION", "QUOTES_TASK_FUNCTION")


def given(cli: Any) -> dict[str, str] | None:
    """Return the contents of a stage's file; None if there is no file.

    Args:
        cli: Zappa's command line, with the stage's settings loaded.

    Raises:
        StageError: The file is not a flat JSON object, or a value is unusable. The text contains no values.
    """
    file, shown = _file(cli), _shown(cli)
    if not file.is_file():
        return None
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        raise StageError(f"{shown}: is not JSON") from None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise StageError(f'{shown}: is not of the form {{"NAME": "value"}}')
    misplaced = [name for name in FOR_THE_POLICY if name in found]
    misplaced += ["DATABASE_URL"] if found.get("DATABASE_URL", "").startswith("s3://") else []
    if misplaced:
        where = "belongs in aws_environment_variables in zappa_settings.json, from which the role's policy is made"
        raise StageError(f"{shown}: {', '.join(misplaced)}: {where}")
    if JWT_ALGORITHM in found:
        where = "belongs in aws_environment_variables in zappa_settings.json, from which the package is made"
        raise StageError(f"{shown}: {JWT_ALGORITHM}: {where}")
    unknown = sorted(set(found) - variables())
    if unknown:
        raise StageError(f"{shown}: {', '.join(unknown)}: no such setting; the README lists them")
    settings(cli, found)
    return found


def put(s3: Any, cli: Any, given: dict[str, str] | None) -> str:
    """Store a stage's environment, with the keys that are generated here.

    Args:
        s3: A client.
        cli: Zappa's command line, with the stage's settings loaded.
        given: The contents of the stage's file; None if there is none, so that what is stored stays.

    Returns:
        A line about it, for the deployer.

    Raises:
        StageError: A key cannot be generated here, or what is stored is unusable.
    """
    url, shown, before = cli.remote_env, _shown(cli), stored(s3, cli)
    wanted = (before or {}) if given is None else given
    keys = (OTP_SECRET, JWT_KEY) if stage.takes_tokens(cli) and _algorithm(cli) == "HS256" else (OTP_SECRET,)
    kept = {name: wanted.get(name) or (before or {}).get(name) or secrets.token_hex(32) for name in keys}
    wanted = wanted | kept
    if stage.takes_tokens(cli) and not settings(cli, wanted).jwt_key:
        raise StageError(f"{shown}: {JWT_KEY}: {_algorithm(cli)} needs a public key there; the private one stays yours")
    if given is None and wanted == before:
        return f"{url}: exists and stays as it is; to change it, write {shown}"
    bucket, _, key = url.removeprefix("s3://").partition("/")
    s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(wanted).encode(), ContentType="application/json")
    made = ", ".join(name for name in keys if name not in (before or {} if given is None else given))
    if given is None:
        return f"{url}: {made}, generated; for more, write {shown} as deploy/environment.example.json shows"
    names = ", ".join(sorted(given)) or "nothing"
    gone = ", ".join(sorted(set(before or {}) - set(wanted)))
    return f"{url}: {names}, from {shown}{made and f'; {made}, generated'}{gone and f'; no longer {gone}'}"


def stored(s3: Any, cli: Any) -> dict[str, str] | None:
    """Return a stage's stored environment; None if there is none, and an empty one if it cannot be read.

    Args:
        s3: A client.
        cli: Zappa's command line, with the stage's settings loaded.
    """
    bucket, _, key = cli.remote_env.removeprefix("s3://").partition("/")
    try:
        found = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    except s3.exceptions.NoSuchKey:
        return None
    except ValueError:
        return {}
    items = found.items() if isinstance(found, dict) else ()
    return {name: value for name, value in items if isinstance(value, str)}  # as the function reads it


def settings(cli: Any, environment: dict[str, str]) -> Settings:
    """Return the settings that a stage's function has, given its remote environment.

    Args:
        cli: Zappa's command line, with the stage's settings loaded.
        environment: The remote environment, stored already or to be stored.

    Raises:
        StageError: A value is unusable. The text does not contain it.
    """
    others = {"AWS_LAMBDA_FUNCTION_NAME": cli.lambda_name}
    try:
        return Settings.from_environ(cli.aws_environment_variables | environment | cli.environment_variables | others)
    except SettingError as error:
        raise StageError(f"{_shown(cli)}: {error}") from error


def _algorithm(cli: Any) -> str:
    return str((cli.aws_environment_variables | cli.environment_variables).get(JWT_ALGORITHM) or "HS256")


def _file(cli: Any) -> Path:
    return Path(__file__).parent / f"environment.{cli.api_stage}.json"


def _shown(cli: Any) -> str:
    return f"deploy/{_file(cli).name}"
