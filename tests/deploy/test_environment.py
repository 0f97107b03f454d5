"""The secret settings of a stage: which are taken from the file, generated or kept; none is ever printed."""

import copy
import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.response import StreamingBody
from botocore.stub import ANY, Stubber

from deploy import environment
from deploy.stage import SETTINGS, StageError, loaded
from tests.deploy.test_package import clone
from tests.test_authorizer import RSA, public
from tests.test_token_key import NO_P256, NO_SECRET

OTP, JWT = {"QUOTES_OTP_SECRET": "0123456789abcdef" * 2}, {"QUOTES_JWT_KEY": "fedcba9876543210" * 2}
URL = "s3://quotes-example/dev_auth/environment.json"
NO_PUBLIC_KEY = "is no public key in PEM (-----BEGIN PUBLIC KEY-----), which RS256 needs"

ASKING = """
import json, sys
from types import SimpleNamespace

from deploy.environment import given
from deploy.stage import StageError

stage = {"aws_environment_variables": {"QUOTES_JWT_ALGORITHM": sys.argv[1]}, "environment_variables": {}}
try:
    print(json.dumps(given(SimpleNamespace(api_stage="dev", lambda_name="quotes-dev", **stage))))
except StageError as error:
    print(error)
"""


class Bucket:
    """Hold one object, which is read and may be written.

    Attributes:
        client: What asks for it.
        put: What was written; None where nothing was.
    """

    def __init__(self, stored: dict[str, str] | None) -> None:
        self.client = boto3.client("s3", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
        self.put: dict[str, str] | None = None
        self.client.meta.events.register("provide-client-params.s3.PutObject", self._remember)
        self.stub = Stubber(self.client)
        place = {"Bucket": "quotes-example", "Key": "dev_auth/environment.json"}
        if stored is None:
            self.stub.add_client_error("get_object", "NoSuchKey", expected_params=place)
        else:
            body = json.dumps(stored).encode()
            self.stub.add_response("get_object", {"Body": StreamingBody(io.BytesIO(body), len(body))}, place)
        self.stub.add_response("put_object", {}, place | {"Body": ANY, "ContentType": "application/json"})

    def _remember(self, params: dict[str, Any], **_: Any) -> None:
        self.put = json.loads(params["Body"])


@pytest.fixture(scope="module")
def _loaded() -> Any:
    with pytest.MonkeyPatch.context() as laptop:
        laptop.setenv("AWS_ACCESS_KEY_ID", "test")
        laptop.setenv("AWS_SECRET_ACCESS_KEY", "test")
        laptop.delenv("AWS_DEFAULT_REGION", raising=False)
        laptop.chdir(SETTINGS.parent)
        return loaded("dev_auth")


@pytest.fixture
def cli(_loaded: Any) -> Any:
    """Return Zappa's command line with a stage that has an authorizer."""
    return copy.copy(_loaded)


def put(cli: Any, stored: dict[str, str] | None, given: dict[str, str] | None) -> tuple[dict[str, str] | None, str]:
    """Return what is written, and what is said of it."""
    bucket = Bucket(stored)
    with bucket.stub:
        said = environment.put(bucket.client, cli, given)
    assert [value for value in (bucket.put or {}).values() if value in said] == []
    return bucket.put, said


def test_keys_that_nobody_gave_are_made(cli: Any):
    made, said = put(cli, None, None)

    assert made
    assert list(made) == ["QUOTES_OTP_SECRET", "QUOTES_JWT_KEY"]
    assert all(re.fullmatch("[0-9a-f]{64}", value) for value in made.values())
    assert len(set(made.values())) == 2
    assert said == (
        f"{URL}: QUOTES_OTP_SECRET, QUOTES_JWT_KEY, generated; for more, write deploy/environment.dev_auth.json "
        "as deploy/environment.example.json shows"
    )


def test_a_stage_that_takes_no_tokens_gets_no_key_of_them(cli: Any):
    cli.authorizer = {}

    assert list(put(cli, None, None)[0] or ()) == ["QUOTES_OTP_SECRET"]


def test_keys_that_are_stored_stay(cli: Any):
    assert put(cli, OTP | JWT, None) == (
        None,
        f"{URL}: exists and stays as it is; to change it, write deploy/environment.dev_auth.json",
    )
    stored = OTP | JWT | {"X_Mashape_Key": "an old one"}
    generated = "QUOTES_OTP_SECRET, QUOTES_JWT_KEY, generated"
    assert put(cli, stored, {"QUOTES_JWT_ISSUER": "us"}) == (
        {"QUOTES_JWT_ISSUER": "us"} | OTP | JWT,
        f"{URL}: QUOTES_JWT_ISSUER, from deploy/environment.dev_auth.json; {generated}; no longer X_Mashape_Key",
    )


def test_a_stage_that_got_an_authorizer_later_gets_the_key_and_keeps_the_other(cli: Any):
    made, said = put(cli, OTP, None)

    assert made
    assert made == OTP | {"QUOTES_JWT_KEY": made["QUOTES_JWT_KEY"]}
    assert said.startswith(f"{URL}: QUOTES_JWT_KEY, generated; ")


def test_a_key_that_is_given_is_taken(cli: Any):
    given = {"QUOTES_JWT_KEY": "a key of our own, of forty characters...."}

    assert put(cli, OTP | JWT, given) == (
        OTP | given,
        f"{URL}: QUOTES_JWT_KEY, from deploy/environment.dev_auth.json; QUOTES_OTP_SECRET, generated",
    )


@pytest.mark.parametrize(
    ("stored", "given", "why"),
    [
        (None, None, "RS256 needs a public key there; the private one stays yours"),
        (OTP, {}, "RS256 needs a public key there; the private one stays yours"),
        (OTP | JWT, None, NO_PUBLIC_KEY),
    ],
)
def test_a_public_key_cannot_be_generated(
    cli: Any, stored: dict[str, str] | None, given: dict[str, str] | None, why: str
):
    cli.aws_environment_variables = {"QUOTES_JWT_ALGORITHM": "RS256"}
    bucket = Bucket(stored)

    with bucket.stub, pytest.raises(StageError) as refusal:
        environment.put(bucket.client, cli, given)

    assert str(refusal.value) == f"deploy/environment.dev_auth.json: QUOTES_JWT_KEY: {why}"
    assert bucket.put is None


def test_a_public_key_that_is_given_is_taken(cli: Any):
    cli.aws_environment_variables = {"QUOTES_JWT_ALGORITHM": "RS256"}
    given = {"QUOTES_JWT_KEY": public(RSA)}

    assert put(cli, OTP, given)[0] == OTP | given


@pytest.mark.parametrize(
    ("algorithm", "told"),
    [
        ("RS256", json.dumps({"QUOTES_JWT_KEY": public(RSA)})),
        ("ES256", f"deploy/environment.dev.json: QUOTES_JWT_KEY: {NO_P256}"),
        ("HS256", f"deploy/environment.dev.json: QUOTES_JWT_KEY: {NO_SECRET}"),
    ],
)
def test_a_key_has_to_fit_the_algorithm_of_the_stage(tmp_path: Path, algorithm: str, told: str):
    clone(tmp_path)
    (tmp_path / "deploy" / "environment.dev.json").write_text(json.dumps({"QUOTES_JWT_KEY": public(RSA)}))

    python = [sys.executable, "-c", ASKING, algorithm]
    asked = subprocess.run(python, cwd=tmp_path, env={}, capture_output=True, text=True, check=True)

    assert asked.stdout == f"{told}\n"
