"""One S3 object: every answer of S3's, and every failure to get one, means one of four things to the caller."""

import subprocess
import sys
from collections.abc import Callable

import pytest

from quotes.errors import StateUnavailable
from quotes.s3_object import Refused, S3Object, Stored, Unclear
from quotes.settings import Role
from tests.s3 import ERROR_500, KEY, S3, SLOW_DOWN, Fault, Request, cut, drip, drop, drop_answer, error, silent

pytest_plugins = ("tests.s3",)

CALLS: dict[str, Callable[[S3Object], object]] = {
    "GET": lambda s3_object: s3_object.get(None),
    "PUT": lambda s3_object: s3_object.put(b"new", made_from=None),
}


@pytest.fixture
def boto3_object(s3: S3) -> S3Object:
    """Return an object that is not there yet, read and replaced through boto3."""
    return S3Object(s3.bucket, KEY)


@pytest.fixture(params=["boto3", "role"])
def s3_object(s3: S3, request: pytest.FixtureRequest) -> S3Object:
    """Return an object that is not there yet: read through boto3, and as a Lambda function reads it."""
    return S3Object(s3.bucket, KEY, s3.role if request.param == "role" else None)


def test_where_nothing_is_stored_there_is_no_version(s3_object: S3Object) -> None:
    assert s3_object.get(None) is None


def test_a_version_is_its_body_and_the_etag_that_its_upload_returned(s3_object: S3Object) -> None:
    etag = s3_object.put(b"first", made_from=None)

    assert s3_object.get(None) == Stored(b"first", etag)


def test_the_known_version_comes_without_its_body(s3: S3, s3_object: S3Object) -> None:
    etag = s3_object.put(b"first", made_from=None)

    assert s3_object.get(etag) == Stored(b"", etag)
    assert s3.requests[-1] == Request("GET", if_none_match=etag)


def test_another_version_than_the_known_one_comes_whole(s3_object: S3Object) -> None:
    first = s3_object.put(b"first", made_from=None)
    second = s3_object.put(b"second", made_from=first)

    assert s3_object.get(first) == Stored(b"second", second)


def test_a_known_version_that_was_deleted_is_gone(s3: S3, s3_object: S3Object) -> None:
    etag = s3_object.put(b"first", made_from=None)
    s3.delete()

    assert s3_object.get(etag) is None


def test_an_upload_names_the_version_that_it_was_made_from(s3: S3, s3_object: S3Object) -> None:
    first = s3_object.put(b"first", made_from=None)
    s3_object.put(b"second", made_from=first)

    assert s3.requests == [Request("PUT", if_none_match="*"), Request("PUT", if_match=first)]


def test_an_upload_made_from_an_older_version_is_refused(s3: S3, s3_object: S3Object) -> None:
    first = s3_object.put(b"first", made_from=None)
    s3_object.put(b"second", made_from=first)

    for old in (None, first):
        with pytest.raises(Refused):
            s3_object.put(b"third", made_from=old)
    assert s3.body == b"second"


def test_an_upload_made_from_a_deleted_version_is_refused(s3: S3, s3_object: S3Object) -> None:
    etag = s3_object.put(b"first", made_from=None)
    s3.delete()

    with pytest.raises(Refused):
        s3_object.put(b"second", made_from=etag)
    assert s3.body is None


@pytest.mark.parametrize("code", ["ConditionalRequestConflict", "OperationAborted"])
def test_an_upload_at_the_same_time_as_another_is_refused(s3: S3, s3_object: S3Object, code: str) -> None:
    s3.faults["PUT"] = iter([error(409, code)])

    with pytest.raises(Refused):
        s3_object.put(b"first", made_from=None)


@pytest.mark.parametrize("method", CALLS)
@pytest.mark.parametrize(
    ("fault", "told"),
    [
        pytest.param(ERROR_500, "S3 answers 500 InternalError", id="500"),
        pytest.param(SLOW_DOWN, "S3 answers 503 SlowDown", id="503"),
        pytest.param(error(429, "TooManyRequests"), "S3 answers 429 TooManyRequests", id="429"),
        pytest.param(error(400, "RequestTimeout"), "S3 answers 400 RequestTimeout", id="400 RequestTimeout"),
        pytest.param(silent, "S3 does not answer (ReadTimeoutError)", id="silence"),
        pytest.param(drop, "S3 does not answer (ConnectionClosedError)", id="dropped request"),
        pytest.param(drop_answer, "S3 does not answer (ConnectionClosedError)", id="dropped answer"),
    ],
)
def test_without_a_decision_of_s3s_it_is_unclear_and_nothing_is_repeated(
    s3: S3, boto3_object: S3Object, method: str, fault: Fault, told: str
) -> None:
    s3.faults[method] = iter([fault])

    with pytest.raises(Unclear) as caught:
        CALLS[method](boto3_object)

    assert str(caught.value) == told
    assert [request.method for request in s3.requests] == [method]


def test_half_a_body_is_unclear(s3: S3, s3_object: S3Object) -> None:
    s3.body = b"whole"
    s3.faults["GET"] = iter([cut])

    with pytest.raises(Unclear, match=r"^S3 does not answer \(\w+\)$"):
        s3_object.get(None)


def test_a_body_that_comes_too_slowly_is_unclear(s3: S3, boto3_object: S3Object) -> None:
    s3.body = bytes(64 * 1024)
    s3.faults["GET"] = iter([drip])

    with pytest.raises(Unclear, match=r"^S3 sends the object too slowly$"):
        boto3_object.get(None)


@pytest.mark.parametrize("method", CALLS)
@pytest.mark.parametrize(
    ("status", "code", "hint"),
    [
        (403, "AccessDenied", "; without s3:ListBucket a missing object looks like this too"),
        (403, "InvalidAccessKeyId", ""),
        (301, "PermanentRedirect", ""),
        (400, "ExpiredToken", ""),
    ],
)
def test_a_request_that_s3_will_not_do_makes_the_state_unavailable(
    s3: S3, boto3_object: S3Object, method: str, status: int, code: str, hint: str
) -> None:
    s3.faults[method] = iter([error(status, code)])

    with pytest.raises(StateUnavailable) as caught:
        CALLS[method](boto3_object)

    assert str(caught.value) == f"S3 refuses: {code}{hint}"


@pytest.mark.usefixtures("s3")
@pytest.mark.parametrize("method", CALLS)
def test_without_its_bucket_the_state_is_unavailable(method: str) -> None:
    with pytest.raises(StateUnavailable, match=r"^S3 refuses: NoSuchBucket$"):
        CALLS[method](S3Object("no-such-bucket", KEY))


@pytest.mark.parametrize("method", CALLS)
def test_where_nobody_listens_it_is_unclear(s3_object: S3Object, aws: pytest.MonkeyPatch, method: str) -> None:
    aws.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")

    with pytest.raises(Unclear, match=r"^S3 does not answer \(EndpointConnectionError\)$"):
        CALLS[method](s3_object)


@pytest.mark.parametrize("method", CALLS)
def test_with_an_endpoint_that_is_no_url_the_state_is_unavailable(aws: pytest.MonkeyPatch, method: str) -> None:
    aws.setenv("AWS_ENDPOINT_URL", "localhost:9000")
    role = Role("k", "s", "t", "us-east-1", endpoint="localhost:9000")

    for asked_by in (None, role):
        with pytest.raises(StateUnavailable, match=r"^S3 cannot be asked: Invalid endpoint: localhost:9000$"):
            CALLS[method](S3Object("bucket", KEY, asked_by))


def test_without_credentials_the_state_is_unavailable(s3: S3, aws: pytest.MonkeyPatch) -> None:
    aws.delenv("AWS_ACCESS_KEY_ID")
    aws.delenv("AWS_SECRET_ACCESS_KEY")
    get = "import sys; from quotes.s3_object import S3Object; S3Object('bucket', 'key').get(None)"

    # In a process of its own, for boto3 keeps the credentials that it found once.
    ended = subprocess.run([sys.executable, "-c", get], capture_output=True, text=True, check=False)

    error = "quotes.errors.StateUnavailable: S3 cannot be asked: Unable to locate credentials"
    assert ended.stderr.splitlines()[-1] == error
    assert s3.requests == []
