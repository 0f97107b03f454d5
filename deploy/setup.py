"""Set an AWS account up for a stage: the bucket, the remote environment, what holds dead letters.

Everything here can be done again: what is there already stays, or is brought to what it should be.
"""

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from deploy import dead_letters, stage
from deploy.policy import alert_topic, filled_in
from deploy.stage import StageError
from quotes.errors import SettingError
from quotes.settings import Settings, variables

OLD_VERSIONS_KEPT = 90  # days
OTP_SECRET = "QUOTES_OTP_SECRET"  # noqa: S105


def set_up(name: str) -> Iterator[str]:
    """Set the account up for a stage, and tell of each step once it is done.

    Args:
        name: The stage's name.

    Raises:
        StageError: Something is missing or refused; the text says what to do.
    """
    cli = stage.loaded(name)
    file, environment = local_environment(name, cli.aws_environment_variables)
    try:
        region = cli.zappa.boto_session.region_name
        account = cli.zappa.boto_client("sts").get_caller_identity()["Account"]
        yield f"account {account}, region {region}, function {cli.lambda_name}"
        own = stage.make_ones_own(account, region)
        if own:
            yield f"zappa_settings.json: names the bucket {own} and your account now; commit that"
            cli = stage.loaded(name)
        s3 = cli.zappa.boto_client("s3")
        yield _make_bucket(s3, cli.s3_bucket_name, region, account)
        yield _protect(s3, cli.s3_bucket_name)
        yield _put_environment(s3, cli.remote_env, file, environment)
        cli.zappa.attach_policy = filled_in(cli.zappa.attach_policy, cli, account)
        cli.zappa.create_iam_roles()  # now, for a role needs some seconds until Lambda may use it
        yield f"role {cli.zappa.role_name}: there"
        yield from dead_letters.hold(cli)
        alerts = alert_topic(cli, account)
        cli.zappa.boto_client("sns").create_topic(Name=alerts.rpartition(":")[2])
        yield f"topic {alerts}: there; subscribe to it to hear of unhandled exceptions"
    except (BotoCoreError, ClientError) as error:
        raise StageError(f"AWS: {error}") from error


def local_environment(name: str, others: dict[str, str]) -> tuple[Path, dict[str, str] | None]:
    """Return the file with a stage's secret settings, and what is in it; None where there is no such file.

    Args:
        name: The stage's name.
        others: Settings of the stage that are not secret, which have to fit.

    Raises:
        StageError: It is no flat JSON object, or a value is not usable; values are not told.
    """
    file = Path(__file__).parent / f"environment.{name}.json"
    shown = f"deploy/{file.name}"
    if not file.is_file():
        return file, None
    try:
        given = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        raise StageError(f"{shown}: is no JSON") from None
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise StageError(f'{shown}: is not of the form {{"NAME": "value"}}')
    misplaced = [
        name
        for name in ("QUOTES_ALERT_TOPIC", "QUOTES_SMS_TOPIC", "QUOTES_SMS_REGION", "QUOTES_TASK_FUNCTION")
        if name in given
    ]
    misplaced += ["DATABASE_URL"] if given.get("DATABASE_URL", "").startswith("s3://") else []
    if misplaced:
        where = "belongs into aws_environment_variables in zappa_settings.json, for the role's policy is made from it"
        raise StageError(f"{shown}: {', '.join(misplaced)}: {where}")
    if "QUOTES_JWT_ALGORITHM" in given:
        where = "belongs into aws_environment_variables in zappa_settings.json, for the package is made from it"
        raise StageError(f"{shown}: QUOTES_JWT_ALGORITHM: {where}")
    unknown = sorted(set(given) - variables())
    if unknown:
        raise StageError(f"{shown}: {', '.join(unknown)}: no setting of that name; README lists them")
    try:
        Settings.from_environ(others | given | {"AWS_LAMBDA_FUNCTION_NAME": name})
    except SettingError as error:
        raise StageError(f"{shown}: {error}") from error
    return file, given


def _make_bucket(s3: Any, bucket: str, region: str, account: str) -> str:
    try:
        found = s3.head_bucket(Bucket=bucket, ExpectedBucketOwner=account)
    except ClientError as error:
        if error.response["Error"]["Code"] != "404":
            hint = "Names are taken worldwide; put another one into zappa_settings.json. Or you lack s3:ListBucket"
            raise StageError(f"The bucket {bucket} is somebody else's. {hint}.") from error
    else:
        where = found.get("BucketRegion") or region
        if where != region:
            raise StageError(f"The bucket {bucket} is in {where}, the stage in {region}: it needs one there.")
        return f"bucket {bucket}: there already"
    where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    s3.create_bucket(Bucket=bucket, **where)
    return f"bucket {bucket}: made"


def _protect(s3: Any, bucket: str) -> str:
    shut = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=shut)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    encrypted = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=encrypted)
    old = {
        "ID": "old-versions",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "Expiration": {"ExpiredObjectDeleteMarker": True},
        "NoncurrentVersionExpiration": {"NoncurrentDays": OLD_VERSIONS_KEPT},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
    }
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [old]})
    return f"bucket {bucket}: private, encrypted, versioned; old versions are deleted after {OLD_VERSIONS_KEPT} days"


def _put_environment(s3: Any, url: str, file: Path, environment: dict[str, str] | None) -> str:
    """Store a stage's environment; the key of codes is made here where nobody gave one, and then stays."""
    bucket, _, key = url.removeprefix("s3://").partition("/")
    shown = f"deploy/{file.name}"
    stored = _stored_environment(s3, bucket, key)
    if environment is None and stored is not None:
        return f"{url}: there already, left as it is; to change it, write {shown}"
    made = {OTP_SECRET: (stored or {}).get(OTP_SECRET) or secrets.token_hex(32)}
    body = json.dumps(made | (environment or {})).encode()
    s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json")
    if environment is None:
        return f"{url}: {OTP_SECRET}, made here; for more, write {shown} as deploy/environment.example.json shows"
    names = ", ".join(sorted(environment)) or "nothing"
    gone = ", ".join(sorted(set(stored or {}) - set(environment) - {OTP_SECRET}))
    made_here = "" if OTP_SECRET in environment else f"; {OTP_SECRET}, made here"
    return f"{url}: {names}, from {shown}{made_here}{f'; no longer {gone}' if gone else ''}"


def _stored_environment(s3: Any, bucket: str, key: str) -> dict[str, str] | None:
    try:
        stored = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    except s3.exceptions.NoSuchKey:
        return None
    except ValueError:
        return {}
    return stored if isinstance(stored, dict) else {}
