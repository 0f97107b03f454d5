"""Which keys the settings take for tokens, and how the others are refused: at the start, by a line with the name."""

import subprocess
import sys

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from quotes.errors import SettingError
from quotes.settings import Settings
from tests.test_authorizer import EC, RSA, SECRET, private, public

SHORT_RSA = rsa.generate_private_key(65537, 1024)
P384 = ec.generate_private_key(ec.SECP384R1())
ED25519 = ed25519.Ed25519PrivateKey.generate()

NO_SECRET = "is a public or private key, but HS256 needs a secret; or set QUOTES_JWT_ALGORITHM"
SHORT = "needs at least 32 characters, such as `openssl rand -hex 32` prints"
NOT_ASCII = "holds characters other than printable ASCII"
PRIVATE = "is a private key; the service needs the public one alone: `openssl pkey -pubout`"
DAMAGED = "is damaged: no public key can be read from this PEM"
NO_RSA = "is not a key of RSA with at least 2048 bits, which RS256 needs"
NO_P256 = "is not a key on the curve P-256, which ES256 needs"
NO_PEM = "is no public key in PEM (-----BEGIN PUBLIC KEY-----), which {} needs"


def read(key: str, algorithm: str) -> Settings:
    return Settings.from_environ({"QUOTES_JWT_KEY": key, "QUOTES_JWT_ALGORITHM": algorithm})


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.mark.parametrize(
    ("key", "algorithm", "kept"),
    [
        (SECRET, "HS256", SECRET),
        (r"0123456789abcdef\n0123456789abcdef", "HS256", r"0123456789abcdef\n0123456789abcdef"),
        (public(RSA), "RS256", public(RSA).strip()),
        (public(EC), "ES256", public(EC).strip()),
        (public(EC).replace("\n", r"\n"), "ES256", public(EC)),
        (public(EC).replace("\n", "\r\n"), "ES256", public(EC).strip()),
    ],
)
def test_a_key_that_fits_is_kept_and_never_shown(key: str, algorithm: str, kept: str):
    settings = read(key, algorithm)

    assert (settings.jwt_key, settings.jwt_algorithm) == (kept, algorithm)
    assert kept.splitlines()[-1] not in repr(settings)


@pytest.mark.parametrize(
    ("key", "algorithm", "reason"),
    [
        pytest.param(SECRET[:31], "HS256", SHORT, id="31 characters"),
        pytest.param("s3cret", "HS256", SHORT, id="a word"),
        pytest.param("\N{LATIN SMALL LETTER E WITH ACUTE}" * 32, "HS256", NOT_ASCII, id="not ASCII"),
        pytest.param(f"{SECRET}\n{SECRET}", "HS256", NOT_ASCII, id="two lines"),
        pytest.param(f"{SECRET}\x00", "HS256", NOT_ASCII, id="a null byte"),
        pytest.param(public(RSA), "HS256", NO_SECRET, id="a public key as a secret"),
        pytest.param(public(EC).replace("\n", r"\n"), "HS256", NO_SECRET, id="a public key on a line as a secret"),
        pytest.param(f"x {public(EC)}", "HS256", NO_SECRET, id="a public key after something else"),
        pytest.param(private(RSA), "HS256", NO_SECRET, id="a private key as a secret"),
        pytest.param(f"ssh-rsa {'A' * 300}", "HS256", NO_SECRET, id="a key of SSH as a secret"),
        pytest.param('{"kty": "RSA", "n": "0123456789abcdef"}', "HS256", NO_SECRET, id="a JWK as a secret"),
        pytest.param(SECRET, "RS256", NO_PEM.format("RS256"), id="a secret for RS256"),
        pytest.param(SECRET, "ES256", NO_PEM.format("ES256"), id="a secret for ES256"),
        pytest.param(private(RSA), "RS256", PRIVATE, id="a private key for RS256"),
        pytest.param(private(EC).replace("\n", r"\n"), "ES256", PRIVATE, id="a private key for ES256"),
        pytest.param(public(EC), "RS256", NO_RSA, id="a key of EC for RS256"),
        pytest.param(public(RSA), "ES256", NO_P256, id="a key of RSA for ES256"),
        pytest.param(pem(SHORT_RSA), "RS256", NO_RSA, id="a short key of RSA"),
        pytest.param(pem(P384), "ES256", NO_P256, id="another curve"),
        pytest.param(pem(ED25519), "ES256", NO_P256, id="Ed25519"),
        pytest.param(public(RSA)[:200], "RS256", DAMAGED, id="half a key"),
        pytest.param(
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
            "RS256",
            NO_PEM.format("RS256"),
            id="a certificate",
        ),
    ],
)
def test_a_key_that_does_not_fit_stops_the_start_and_is_not_shown(key: str, algorithm: str, reason: str):
    with pytest.raises(SettingError) as refusal:
        read(key, algorithm)

    assert str(refusal.value) == f"QUOTES_JWT_KEY: {reason}"


@pytest.mark.parametrize("algorithm", ["none", "hs256", "HS512", "EdDSA", "RS256,HS256"])
def test_another_algorithm_stops_the_start(algorithm: str):
    with pytest.raises(SettingError) as refusal:
        read(SECRET, algorithm)

    assert str(refusal.value) == "QUOTES_JWT_ALGORITHM: is none of HS256, RS256, ES256"


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({}, "[]"),
        ({"QUOTES_JWT_ALGORITHM": "RS256"}, "[]"),
        ({"QUOTES_JWT_KEY": SECRET}, "[]"),
        ({"QUOTES_JWT_KEY": public(EC), "QUOTES_JWT_ALGORITHM": "ES256"}, "['cryptography']"),
    ],
)
def test_reading_the_settings_loads_no_library_before_there_is_a_public_key(environ: dict[str, str], told: str):
    look = "from quotes.settings import Settings; Settings.from_environ(); import sys\n"
    look += "print([name for name in ('jwt', 'cryptography', 'falcon') if name in sys.modules])"

    asked = subprocess.run([sys.executable, "-c", look], env=environ, capture_output=True, text=True, check=True)

    assert asked.stdout == f"{told}\n"


def test_the_authorizer_loads_neither_falcon_nor_what_answers_requests():
    look = "import quotes.authorizer, sys; print([name for name in sys.modules if name in "
    look += "('falcon', 'jwt', 'peewee', 'boto3', 'zappa', 'requests', 'quotes.resources', 'quotes.service')])"

    asked = subprocess.run([sys.executable, "-c", look], env={}, capture_output=True, text=True, check=True)

    assert asked.stdout == "[]\n"
