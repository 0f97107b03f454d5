"""Setting an account up, where the emulated one cannot play what AWS does; the rest is in tests/aws/."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from deploy.setup import _make_bucket
from deploy.stage import StageError

MINE = {"Bucket": "mine", "ExpectedBucketOwner": "111122223333"}


@pytest.fixture
def s3() -> Any:
    return boto3.client("s3", region_name="eu-west-1", aws_access_key_id="test", aws_secret_access_key="test")


@pytest.fixture
def aws(s3: Any) -> Iterator[Stubber]:
    """Expect calls, in the order in which a test adds them."""
    with Stubber(s3) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def test_a_bucket_that_is_not_there_is_made_in_the_stages_region(s3: Any, aws: Stubber):
    aws.add_client_error("head_bucket", "404", http_status_code=404, expected_params=MINE)
    where = {"LocationConstraint": "eu-west-1"}
    aws.add_response("create_bucket", {}, {"Bucket": "mine", "CreateBucketConfiguration": where})

    assert _make_bucket(s3, "mine", "eu-west-1", "111122223333") == "bucket mine: created"


def test_the_first_region_must_not_be_named(s3: Any, aws: Stubber):
    aws.add_client_error("head_bucket", "404", http_status_code=404)
    aws.add_response("create_bucket", {}, {"Bucket": "mine"})

    assert _make_bucket(s3, "mine", "us-east-1", "111122223333") == "bucket mine: created"


def test_a_bucket_that_is_there_is_left_alone(s3: Any, aws: Stubber):
    aws.add_response("head_bucket", {"BucketRegion": "us-east-1"}, MINE)

    assert _make_bucket(s3, "mine", "us-east-1", "111122223333") == "bucket mine: exists"


def test_a_bucket_of_somebody_elses_is_said_to_be(s3: Any, aws: Stubber):
    aws.add_client_error("head_bucket", "403", http_status_code=403)

    with pytest.raises(
        StageError, match=r"^The bucket theirs is somebody else's, .* put another one into zappa_settings"
    ):
        _make_bucket(s3, "theirs", "us-east-1", "111122223333")


def test_a_bucket_of_another_region_is_said_to_be(s3: Any, aws: Stubber):
    aws.add_response("head_bucket", {"BucketRegion": "us-east-1"}, MINE)

    with pytest.raises(StageError, match=r"^The bucket mine is in us-east-1, but the stage is in eu-west-1 "):
        _make_bucket(s3, "mine", "eu-west-1", "111122223333")
