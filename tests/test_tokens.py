"""Tokens that are made for trying: what is in them, and why some cannot be made."""

from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from quotes import tokens
from quotes.__main__ import main
from quotes.errors import TokenError
from quotes.settings import Settings
from tests.conftest import NOON
from tests.test_authorizer import EC, OTHER_RSA, RSA, SECRET, PrivateKey, private, public

NOW = int(NOON.timestamp())
NO_KEY = "no unencrypted private key of RS256 in PEM is in that file"
OTHER_KEY = "QUOTES_JWT_KEY is not the public half of the key in that file"
ENCRYPTED = RSA.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"word")).decode()


@pytest.fixture(autouse=True)
def environ(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Set the key; return what sets more."""
    for name in ("QUOTES_JWT_ALGORITHM", "QUOTES_JWT_AUDIENCE", "QUOTES_JWT_ISSUER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("QUOTES_JWT_KEY", SECRET)
    return monkeypatch


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return the token that the command prints, and nothing else."""
    assert main(["token", *arguments]) == 0
    output, errors = capsys.readouterr()
    assert errors == ""
    assert output.count("\n") == 1
    return output.removesuffix("\n")


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return what the command says instead of a token."""
    assert main(["token", *arguments]) == 1
    output, errors = capsys.readouterr()
    assert output == ""
    return errors


def decoded(token: str, key: str = SECRET, algorithm: str = "HS256") -> tuple[dict[str, Any], dict[str, Any]]:
    complete = jwt.decode_complete(
        token, key, [algorithm], {"verify_exp": False, "verify_aud": False, "verify_iat": False}
    )
    return complete["header"], complete["payload"]


def test_the_claims_that_are_set_are_in_it():
    settings = Settings(jwt_algorithm="ES256", jwt_audience="quotes", jwt_issuer="https://login.example.org/")

    token = tokens.made(settings, "alice", 60, private(EC), lambda: NOW + 0.9)

    assert decoded(token, public(EC), "ES256") == (
        {"alg": "ES256", "typ": "JWT"},
        {"sub": "alice", "iat": NOW, "exp": NOW + 60, "aud": "quotes", "iss": "https://login.example.org/"},
    )


@pytest.mark.parametrize(
    ("arguments", "subject", "seconds"),
    [
        ((), "test", 3600),
        (("--subject", "alice", "--expires", "60"), "alice", 60),
        (("--subject", "\N{SNOWMAN} é", "--expires", "31622400"), "\N{SNOWMAN} é", 31622400),
    ],
)
def test_the_command_prints_a_token_that_the_authorizer_takes(
    arguments: tuple[str, ...], subject: str, seconds: int, capsys: pytest.CaptureFixture[str]
):
    token = printed(capsys, *arguments)

    header, payload = decoded(token)
    begin = payload["iat"]
    assert header == {"alg": "HS256", "typ": "JWT"}
    assert payload == {"sub": subject, "iat": begin, "exp": begin + seconds}
    assert tokens.verified(token, Settings(jwt_key=SECRET)) == payload


@pytest.mark.parametrize(("algorithm", "key"), [("RS256", RSA), ("ES256", EC)])
@pytest.mark.parametrize("is_public_key_set", [True, False])
def test_the_command_signs_with_a_private_key(
    algorithm: str,
    key: PrivateKey,
    is_public_key_set: bool,
    environ: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
):
    (tmp_path / "private.pem").write_text(private(key))
    environ.setenv("QUOTES_JWT_ALGORITHM", algorithm)
    environ.setenv("QUOTES_JWT_KEY", public(key) if is_public_key_set else "")

    token = printed(capsys, "--key", f"{tmp_path}/private.pem")

    settings = Settings(jwt_key=public(key), jwt_algorithm=algorithm)
    assert tokens.verified(token, settings)["sub"] == "test"


def test_without_a_secret_there_is_none(environ: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    environ.delenv("QUOTES_JWT_KEY")

    assert told(capsys) == "quotes: QUOTES_JWT_KEY: is not set; `openssl rand -hex 32` makes one for HS256\n"


@pytest.mark.parametrize("expires", ["0", "-1", "1.5", "x", "", "31622401", "1" * 5000])
def test_it_has_to_end(expires: str, capsys: pytest.CaptureFixture[str]):
    told_of = told(capsys, f"--expires={expires}")

    assert told_of == "quotes: The parameter 'expires' is not a whole number from 1 to 31622400.\n"


def test_a_secret_needs_no_file(capsys: pytest.CaptureFixture[str]):
    reason = "--key is for RS256 and ES256, and QUOTES_JWT_ALGORITHM is HS256"

    assert told(capsys, "--key", "private.pem") == f"quotes: no token: {reason}.\n"


def test_a_public_key_needs_the_file_of_the_private_one(
    environ: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    environ.setenv("QUOTES_JWT_ALGORITHM", "RS256")
    environ.setenv("QUOTES_JWT_KEY", public(RSA))

    reason = "QUOTES_JWT_ALGORITHM is RS256, so --key has to name the private key"
    assert told(capsys) == f"quotes: no token: {reason}.\n"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(None, "{file} cannot be read: No such file or directory", id="no file"),
        pytest.param(b"\xff\xfe", "{file} cannot be read: it is no PEM", id="bytes"),
        pytest.param(b"", NO_KEY, id="nothing"),
        pytest.param(b"rubbish", NO_KEY, id="rubbish"),
        pytest.param(public(RSA).encode(), NO_KEY, id="the public key"),
        pytest.param(private(EC).encode(), NO_KEY, id="of another algorithm"),
        pytest.param(ENCRYPTED.encode(), NO_KEY, id="encrypted"),
        pytest.param(private(OTHER_RSA).encode(), OTHER_KEY, id="another key"),
    ],
)
def test_a_file_that_cannot_sign_is_told(
    content: bytes | None, reason: str, environ: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    environ.setenv("QUOTES_JWT_ALGORITHM", "RS256")
    environ.setenv("QUOTES_JWT_KEY", public(RSA))
    file = tmp_path / "private.pem"
    if content is not None:
        file.write_bytes(content)

    assert told(capsys, "--key", str(file)) == f"quotes: no token: {reason.format(file=file)}.\n"


def test_a_token_that_would_be_too_long_is_not_made():
    with pytest.raises(TokenError) as refusal:
        tokens.made(Settings(jwt_key=SECRET), "a" * 8000, 60)

    assert str(refusal.value) == "no token: the authorizer would refuse it, for it is too long."
