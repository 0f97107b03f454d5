"""A stage with an authorizer: closed to who has no right bearer token, open to who has one; and no token is told."""

import base64
import contextlib
import io
import json
import re
import sys
import sysconfig
import time
import zipfile
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any

import jwt
import pytest

from deploy.package import NATIVE_SHIPPED
from tests.aws.account import Account
from tests.aws.closed import README, answers, deployed, invocations, refusals
from tests.aws.stages import BUCKET, Stage, run
from tests.test_authorizer import OTHER_RSA, RSA, forged, private, public

pytest_plugins = ("tests.aws.stages",)

UNAUTHORIZED = refusals(401, '{"message": "Unauthorized"}')
AUDIENCE, ISSUER = "quotes", "https://issuer.example"
OTHERS = {"QUOTES_JWT_AUDIENCE": AUDIENCE, "QUOTES_JWT_ISSUER": ISSUER}
REFUSALS = ["401 without a credential", "401 with a token that nobody signed"]
TTL = 60  # seconds, as zappa_settings.json says
DENYING = b"""
def authorize(event, context):
    stage = event["methodArn"].rpartition("/GET/")[0]
    statement = {"Action": "execute-api:Invoke", "Effect": "Deny", "Resource": f"{stage}/*"}
    return {"principalId": "x", "policyDocument": {"Version": "2012-10-17", "Statement": [statement]}}
"""


@pytest.fixture(scope="module")
def told(account: Account, project: Path) -> Iterator[tuple[Stage, str]]:
    file = project / "deploy" / "environment.dev_auth.json"
    file.write_text(json.dumps(OTHERS))
    with deployed(account, project, "dev_auth") as told:
        yield told
    file.unlink()


@pytest.fixture
def stage(told: tuple[Stage, str]) -> Stage:
    return told[0]


def key(stage: Stage) -> str:
    """Return the key that setting up has made."""
    stored = stage.account.client("s3").get_object(Bucket=BUCKET, Key="dev_auth/environment.json")["Body"].read()
    return str(json.loads(stored)["QUOTES_JWT_KEY"])


def claims(**others: Any) -> dict[str, Any]:
    return {"sub": "alice", "exp": int(time.time()) + 600, "aud": AUDIENCE, "iss": ISSUER} | others


def token(stage: Stage, headers: dict[str, Any] | None = None, **others: Any) -> str:
    return jwt.encode(claims(**others), key(stage), "HS256", headers)


def bearing(value: str) -> tuple[str, str]:
    """Return the options of curl with which a request bears a token."""
    return "--header", f"Authorization: Bearer {value}"


def requests(stage: Stage) -> int:
    """Return how often the stage's application was asked so far; its authorizer is the same function."""
    stage.account.functions.join()
    return sum('"logger": "quotes.gateway"' in line for line in stage.account.logs(stage.function))


def refused(stage: Stage, value: str) -> bool:
    """Tell whether a token is refused, and the application not asked."""
    before, answer = requests(stage), stage.curl("/daily", *bearing(value))
    return (answer.status, answer.body, requests(stage)) == (401, b'{"message": "Unauthorized"}', before)


@contextlib.contextmanager
def changed(stage: Stage, files: dict[str, bytes], **variables: str) -> Iterator[None]:
    """Let the function have other files for a while, and other variables besides."""
    client, name = stage.account.client("lambda"), stage.function
    code = stage.account.functions.named(stage.arn).code_bytes
    before = client.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    packed, gone = io.BytesIO(), set(files)
    for path in map(PurePosixPath, files):  # bytecode is believed without a look at its source, so it goes with that
        gone.add(f"{path.parent}/__pycache__/{path.stem}.{sys.implementation.cache_tag}.pyc")
    with zipfile.ZipFile(io.BytesIO(code)) as whole, zipfile.ZipFile(packed, "w") as other:
        kept = {entry: whole.read(entry) for entry in whole.namelist() if entry not in gone}
        for path, content in (kept | files).items():
            entry = zipfile.ZipInfo(path)
            entry.external_attr = 0o644 << 16
            other.writestr(entry, content)
    client.update_function_code(FunctionName=name, ZipFile=packed.getvalue())
    client.update_function_configuration(FunctionName=name, Environment={"Variables": before | variables})
    yield
    client.update_function_code(FunctionName=name, ZipFile=code)
    client.update_function_configuration(FunctionName=name, Environment={"Variables": before})


def test_deploying_looks_from_outside_and_from_inside(told: tuple[Stage, str]):
    stage, said = told
    looked = [line.split("  ")[1:] for line in said.splitlines() if line.startswith("ok  ")]

    assert [url.removeprefix(stage.url) for url, _ in looked] == [
        "/health",
        "/health",
        "/health",
        "/quote?type=daily",
        "/quote?type=random",
    ]
    assert [how for _, how in looked[:2]] == REFUSALS
    assert re.fullmatch("[0-9a-f]{64}", key(stage))


def test_without_a_token_everything_is_refused_and_the_function_sees_nothing(stage: Stage):
    before = invocations(stage)

    assert answers(stage) == UNAUTHORIZED
    for value in (
        "",
        "Bearer",
        "Basic YWxpY2U6eA==",
        token(stage),
        f"Bearer {token(stage)} x",
        f"Bearer\t{token(stage)}",
    ):
        assert stage.curl("/daily", "--header", f"Authorization: {value}").status == 401
    for name in ("X-Authorization", "Proxy-Authorization", "X-Amz-Security-Token", "x-api-key"):
        assert stage.curl("/daily", "--header", f"{name}: Bearer {token(stage)}").status == 401
    for path in (f"/daily?Authorization=Bearer%20{token(stage)}", f"/daily?access_token={token(stage)}"):
        assert stage.curl(path).status == 401
    assert invocations(stage) == before


def test_with_a_token_everything_works(stage: Stage):
    bearer = bearing(token(stage))

    found = {path: stage.curl(path, *bearer) for path in ("/daily", "/quotes?q=bronte", "/", "/health", "/no/such")}
    assert [answer.status for answer in found.values()] == [200, 200, 200, 200, 404]
    assert found["/daily"].json["date"] == time.strftime("%Y-%m-%d", time.gmtime())
    assert not {401, 403} & {status for status, _ in answers(stage, *bearer)}
    for name, scheme in (("authorization", "bearer"), ("AUTHORIZATION", "BEARER"), ("Authorization", "bEaReR  ")):
        assert stage.curl("/daily", "--header", f"{name}: {scheme} {token(stage)}").status == 200


def test_the_readmes_commands_make_a_token_and_ask_with_it(stage: Stage, tmp_path: Path):
    (block,) = re.findall(r"^```sh\n(export QUOTES_JWT_KEY=.*?)^```", README, re.MULTILINE | re.DOTALL)
    stored = stage.account.client("s3").get_object(Bucket=BUCKET, Key="dev_auth/environment.json")["Body"].read()
    (tmp_path / "stored").write_bytes(stored)
    place = f"s3 cp s3://{BUCKET}/dev_auth/environment.json -"
    aws = f"aws() {{ test \"$*\" = '{place}' && cat {tmp_path}/stored; }}\n"
    api = stage.url.removeprefix("https://").partition(".")[0]
    script = aws + block.replace("<bucket>", BUCKET).replace("<id>", api).replace("curl ", "curl --silent ")

    ended = stage.account.run(stage.project, "bash", "-ec", script, **OTHERS)

    assert json.loads(ended.stdout)["date"] == time.strftime("%Y-%m-%d", time.gmtime())


def tampered(stage: Stage) -> str:
    head, _, signature = token(stage).split(".")
    return f"{head}.{token(stage, sub='root').split('.')[1]}.{signature}"


def unsigned(stage: Stage, algorithm: str, signature: str = "") -> str:
    return f"{forged(claims(), {'alg': algorithm, 'typ': 'JWT'}).rpartition('.')[0]}.{signature}"


WRONG: dict[str, Callable[[Stage], str]] = {
    "expired": lambda stage: token(stage, exp=int(time.time()) - 1),
    "without exp": lambda stage: jwt.encode({"sub": "alice", "aud": AUDIENCE, "iss": ISSUER}, key(stage), "HS256"),
    "not yet valid": lambda stage: token(stage, nbf=int(time.time()) + 60),
    "tampered": tampered,
    "another's signature": lambda stage: f"{token(stage).rpartition('.')[0]}.{token(stage, sub='x').split('.')[2]}",
    "without signature": lambda stage: f"{token(stage).rpartition('.')[0]}.",
    "alg none": lambda stage: unsigned(stage, "none"),
    "alg NoNe, signed": lambda stage: unsigned(stage, "NoNe", token(stage).split(".")[2]),
    "alg empty": lambda stage: unsigned(stage, ""),
    "another key": lambda _: jwt.encode(claims(), "f" * 32, "HS256"),
    "another hash": lambda stage: jwt.encode(claims(), key(stage), "HS512"),
    "RS256 with a key in its header": lambda _: jwt.encode(
        claims(), private(RSA), "RS256", {"jwk": json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(RSA.public_key()))}
    ),
    "another audience": lambda stage: token(stage, aud="others"),
    "another issuer": lambda stage: token(stage, iss="https://other.example"),
    "without audience": lambda stage: jwt.encode(
        {name: value for name, value in claims().items() if name != "aud"}, key(stage), "HS256"
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_token_that_is_not_right_is_refused_and_the_application_sees_nothing(stage: Stage, wrong: str):
    assert refused(stage, WRONG[wrong](stage))


def test_what_the_authorizer_said_holds_for_the_whole_stage_and_a_minute(account: Account, stage: Stage):
    bearer, gateway = bearing(token(stage, jti="once")), account.apis.authorizers
    clock = gateway.clock
    counted = [invocations(stage)]
    try:
        for later, paths in ((0, ("/daily", "/quotes", "/no/such/path")), (TTL - 1, ("/",)), (TTL + 1, ("/health",))):
            gateway.clock = lambda later=later: clock() + later
            assert not {stage.curl(path, *bearer).status for path in paths} & {401, 403}
            counted.append(invocations(stage))
    finally:
        gateway.clock = clock

    asked = [after - before for before, after in pairwise(counted)]
    assert asked == [1 + 3, 1, 1 + 1]


def test_a_policy_that_denies_keeps_out(stage: Stage):
    with changed(stage, {"quotes/authorizer.py": DENYING}):
        before, answer = requests(stage), stage.curl("/daily", *bearing(token(stage)))

    assert (answer.status, requests(stage)) == (403, before)
    why = "with an explicit deny in an identity-based policy"
    assert answer.json == {"Message": f"User is not authorized to access this resource {why}"}


def test_no_token_and_no_key_is_told(told: tuple[Stage, str]):
    stage, said = told
    values = [token(stage, jti="told"), token(stage, exp=1, jti="told"), tampered(stage)]
    for value in values:
        stage.curl(f"/quote?type=random&access_token={value}", *bearing(value))
    stage.account.functions.join()

    lines = "\n".join(stage.account.logs(stage.function))
    secrets = {part for value in values for part in value.split(".")[1:]} | {key(stage)}
    assert [secret for secret in secrets if secret in lines or secret in said] == []
    assert "A token was refused: ExpiredSignatureError." in lines


@pytest.fixture(scope="class")
def by_public_key(told: tuple[Stage, str]) -> Iterator[Stage]:
    """Let the stage check tokens by a public key for a while."""
    stage, _ = told
    settings, s3 = stage.project / "zappa_settings.json", stage.account.client("s3")
    file = stage.project / "deploy" / "environment.dev_auth.json"
    kept = {path: path.read_text() for path in (settings, file)}
    stored = s3.get_object(Bucket=BUCKET, Key="dev_auth/environment.json")["Body"].read()
    stages = json.loads(kept[settings])
    stages["dev_auth"]["aws_environment_variables"]["QUOTES_JWT_ALGORITHM"] = "RS256"
    settings.write_text(json.dumps(stages))
    file.write_text(json.dumps(OTHERS | {"QUOTES_JWT_KEY": public(RSA)}))
    run(stage.account, stage.project, "make setup STAGE=dev_auth")
    packages = Path(sysconfig.get_path("platlib"))
    files = (path for pattern in ("cryptography/**/*", "_cffi_backend.*") for path in packages.glob(pattern))
    native = {path.relative_to(packages).as_posix(): path for path in files if path.suffix in (".py", ".so")}
    assert all(name.startswith(NATIVE_SHIPPED) for name in native)
    with changed(stage, {name: path.read_bytes() for name, path in native.items()}, QUOTES_JWT_ALGORITHM="RS256"):
        yield stage
    for path, text in kept.items():
        path.write_text(text)
    s3.put_object(Bucket=BUCKET, Key="dev_auth/environment.json", Body=stored)
    stage.account.functions.discard(stage.arn)


class TestByPublicKey:
    def test_where_a_public_key_checks_nobody_signs_with_it(self, by_public_key: Stage):
        pem = public(RSA)
        der = base64.b64decode("".join(pem.splitlines()[1:-1])).decode("latin-1")

        assert by_public_key.curl("/daily", *bearing(jwt.encode(claims(), private(RSA), "RS256"))).status == 200
        assert refused(by_public_key, jwt.encode(claims(), private(OTHER_RSA), "RS256"))
        for secret in (pem, pem.strip(), pem.replace("\n", "\\n"), der, ""):
            assert refused(by_public_key, forged(claims(), key=secret))
            assert refused(by_public_key, forged(claims(), {"alg": "RS256", "typ": "JWT"}, key=secret))

    def test_without_the_private_key_looking_says_what_it_did_not_look_at(self, by_public_key: Stage):
        said = run(by_public_key.account, by_public_key.project, "make --silent smoke STAGE=dev_auth").splitlines()

        assert [line.split("  ")[-1] for line in said[:-1]] == REFUSALS
        assert said[-1].startswith(f"not checked: {by_public_key.url} with a valid token; ")
