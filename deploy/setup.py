"""Set up an AWS account for a stage: bucket, remote environment, role, topics.

Everything can be repeated: what exists stays, or is brought up to date.
"""

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from deploy import dead_letters, environment, stage
from deploy.policy import alert_topic, filled_in
from deploy.stage import StageError

OLD_VERSIONS_KEPT = 90  # days


def set_up(name: str) -> Iterator[str]:
    """Set up the account for a stage, and report each step when it is done.

    Args:
        name: The stage's name.

    Raises:
        StageError: Something is missing or refused; the text says what to do.
    """
    cli = stage.loaded(name)
    given = environment.given(cli)
    region = cli.zappa.boto_session.region_name
    account = cli.zappa.boto_client("sts").get_caller_identity()["Account"]
    yield f"account {account}, region {region}, function {cli.lambda_name}"
    own = stage.make_ones_own(account, region)
    if own:
        yield f"zappa_settings.json: now has the bucket {own} and your account; commit that"
        cli = stage.loaded(name)
    s3 = cli.zappa.boto_client("s3")
    yield _make_bucket(s3, cli.s3_bucket_name, region, account)
    yield _protect(s3, cli.s3_bucket_name)
    yield environment.put(s3, cli, given)
    cli.zappa.attach_policy = filled_in(cli.zappa.attach_policy, cli, account)
    cli.zappa.create_iam_roles()  # here, because Lambda can use a role only after some seconds
    yield f"role {cli.zappa.role_name}: ready"
    yield from dead_letters.hold(cli)
    alerts = alert_topic(cli, account)
    cli.zappa.boto_client("sns").create_topic(Name=alerts.rpartition(":")[2])
    yield f"topic {alerts}: ready; subscribe to it to hear of unhandled exceptions"


def _make_bucket(s3: Any, bucket: str, region: str, account: str) -> str:
    try:
        found = s3.head_bucket(Bucket=bucket, ExpectedBucketOwner=account)
    except ClientError as error:
        if error.response["Error"]["Code"] != "404":
            hint = "Bucket names are unique worldwide; put another one into zappa_settings.json"
            raise StageError(f"The bucket {bucket} is somebody else's, or you lack s3:ListBucket. {hint}.") from error
    else:
        where = found.get("BucketRegion") or region
        if where != region:
            raise StageError(f"The bucket {bucket} is in {where}, but the stage is in {region} and needs one there.")
        return f"bucket {bucket}: exists"
    where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    s3.create_bucket(Bucket=bucket, **where)
    return f"bucket {bucket}: created"


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
