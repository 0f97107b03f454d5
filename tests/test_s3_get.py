"""A plain GET, signed with the function's role: an object, "not modified", or a matter for boto3."""

import datetime as dt
import sys
from subprocess import run
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from quotes import s3_get
from quotes.s3_get import Timeouts
from quotes.s3_object import S3Object, Unclear
from quotes.settings import Role
from tests.s3 import KEY, S3, SLOW_DOWN, Fault, Request, cut, drip, drop, drop_answer, error, silent

pytest_plugins = ("tests.s3",)

TIMEOUTS = Timeouts(connect=0.5, read=0.5, whole=1.0, piece=2048)
AWS = Role("AKIDEXAMPLE", "secret", "token", "eu-west-1")

printable = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1)


@given(st.builds(Role, printable, printable, st.one_of(st.just(""), printable), st.just("eu-west-1")), printable)
def test_the_signature_is_the_one_that_botocore_makes(role: Role, key: str) -> None:
    now = dt.datetime.now(dt.UTC)
    url = f"https://bucket.s3.eu-west-1.amazonaws.com/{s3_get.quote(key)}"
    credentials = Credentials(role.access_key_id, role.secret_access_key, role.session_token or None)
    theirs = _signed_by_botocore(url, credentials, now)

    ours = s3_get.signed(role, urlsplit(url).netloc, urlsplit(url).path, now)

    assert ours["Authorization"] == theirs["Authorization"]
    assert ours["X-Amz-Content-SHA256"] == theirs["X-Amz-Content-SHA256"]


def _signed_by_botocore(url: str, credentials: Credentials, now: dt.datetime) -> dict[str, str]:
    request = AWSRequest("GET", url)
    auth = S3SigV4Auth(credentials, "s3", "eu-west-1")
    request.context["timestamp"] = now.strftime("%Y%m%dT%H%M%SZ")
    request.context["payload_signing_enabled"] = True
    auth._modify_request_before_signing(request)
    signature = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    auth._inject_signature_to_request(request, signature)
    return dict(request.headers)


@pytest.mark.parametrize(
    ("status", "code"),
    [(500, "InternalError"), (503, "SlowDown"), (403, "AccessDenied"), (301, "PermanentRedirect"), (404, "NoSuchKey")],
)
def test_whatever_else_s3_says_is_left_to_boto3(s3: S3, status: int, code: str) -> None:
    s3.faults["GET"] = iter([error(status, code)])

    assert s3_get.get(s3.role, s3.bucket, KEY, None, TIMEOUTS) is None


def test_what_was_left_to_boto3_is_what_boto3_makes_of_it(s3: S3) -> None:
    s3.faults["GET"] = iter([SLOW_DOWN, SLOW_DOWN])

    with pytest.raises(Unclear, match=r"^S3 answers 503 SlowDown$"):
        S3Object(s3.bucket, KEY, s3.role).get(None)
    assert s3.requests == [Request("GET"), Request("GET")]


@pytest.mark.parametrize("fault", [silent, drop, drop_answer, cut, drip])
def test_without_a_whole_answer_in_time_it_fails(s3: S3, fault: Fault) -> None:
    s3.body = bytes(64 * 1024)
    s3.faults["GET"] = iter([fault])

    with pytest.raises(OSError, match=r"."):
        s3_get.get(s3.role, s3.bucket, KEY, None, TIMEOUTS)


def test_a_large_object_is_read_in_time(s3: S3) -> None:
    s3.body = bytes(20 * 1024 * 1024)

    stored = s3_get.get(s3.role, s3.bucket, KEY, None, TIMEOUTS)

    assert stored is not None
    assert stored.body == s3.body


def test_a_failure_is_unclear_and_nothing_is_repeated(s3: S3) -> None:
    s3.body = b"whole"
    s3.faults["GET"] = iter([cut])

    with pytest.raises(Unclear, match=r"^S3 does not answer \(ConnectionError\)$"):
        S3Object(s3.bucket, KEY, s3.role).get(None)
    assert s3.requests == [Request("GET")]


def test_a_key_of_any_characters_is_found(s3: S3) -> None:
    key = "a b/ü+%/~'.db"
    path = f"/{s3.bucket}/{s3_get.quote(key)}"
    assert s3.forward("PUT", path, b"found").status == 200

    stored = s3_get.get(s3.role, s3.bucket, key, None, TIMEOUTS)

    assert stored is not None
    assert stored.body == b"found"


@pytest.mark.parametrize("key", ["dev/quotes.db", "a b/ü.db"])
def test_the_url_is_the_one_that_boto3_asks(key: str) -> None:
    client = boto3.client(
        "s3",
        region_name="eu-west-1",
        aws_access_key_id="k",
        aws_secret_access_key="s",
        config=Config(s3={"addressing_style": "virtual"}),
    )

    theirs = urlsplit(client.generate_presigned_url("get_object", {"Bucket": "bucket", "Key": key}))

    assert s3_get.url_of(AWS, "bucket", key) == f"https://{theirs.netloc}{theirs.path}"


@pytest.mark.parametrize(
    ("role", "bucket"),
    [(AWS, "my.bucket"), (Role("k", "s", "t", "cn-north-1"), "bucket"), (Role("k", "s", "t", "us-iso-east-1"), "b")],
    ids=["a dot, for which there is no certificate", "China's own domain", "another partition's"],
)
def test_where_the_usual_name_does_not_do_it_is_left_to_boto3(role: Role, bucket: str) -> None:
    assert s3_get.get(role, bucket, KEY, None, TIMEOUTS) is None


def test_reading_needs_no_boto3(s3: S3) -> None:
    s3.body = b"whole"
    code = f"""
import sys
from quotes.s3_object import S3Object
from quotes.settings import Role

assert S3Object({s3.bucket!r}, {KEY!r}, Role.of_function()).get(None).body == b"whole"
print(*sorted(name for name in ("boto3", "botocore", "requests", "peewee") if name in sys.modules))
"""
    environ = {
        "AWS_LAMBDA_FUNCTION_NAME": "quotes-dev",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_SESSION_TOKEN": "session",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": s3.role.endpoint,
    }
    ended = run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)

    assert ended.stdout == "\n"


def test_a_role_tells_its_secrets_to_nobody() -> None:
    assert repr(AWS) == "Role(access_key_id='AKIDEXAMPLE', region='eu-west-1', endpoint='')"
