"""Who is let in by a bearer token: whoever has a right one, and nobody by any trick with it."""

import base64
import contextlib
import hashlib
import hmac
import json
import logging
import string
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quotes import authorizer
from quotes.authorizer import authorize
from quotes.errors import Unauthorized

SECRET = "0123456789abcdef" * 2
STAGE = "arn:aws:execute-api:us-east-1:123456789012:abcdef1234/dev_auth"
ALPHABET = f"{string.ascii_letters}{string.digits}-_"

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
RSA: PrivateKey = rsa.generate_private_key(65537, 2048)
OTHER_RSA: PrivateKey = rsa.generate_private_key(65537, 2048)
EC: PrivateKey = ec.generate_private_key(ec.SECP256R1())
OTHER_EC: PrivateKey = ec.generate_private_key(ec.SECP256R1())


def private(key: PrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def public(key: PrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.fixture(autouse=True)
def environ(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Set the key; return what sets more."""
    for name in ("QUOTES_JWT_ALGORITHM", "QUOTES_JWT_AUDIENCE", "QUOTES_JWT_ISSUER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("QUOTES_JWT_KEY", SECRET)
    return monkeypatch


def event(header: Any, arn: Any = f"{STAGE}/GET/quote") -> dict[str, Any]:
    """Return what API Gateway sends (developer guide, "Input to an API Gateway Lambda authorizer")."""
    return {"type": "TOKEN", "authorizationToken": header, "methodArn": arn}


def policy(subject: str = "alice", stage: str = STAGE) -> dict[str, Any]:
    """Return what API Gateway is to get (developer guide, "Output from an API Gateway Lambda authorizer")."""
    return {
        "principalId": subject,
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [{"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": f"{stage}/*"}],
        },
    }


def claims(**others: Any) -> dict[str, Any]:
    return {"sub": "alice", "exp": int(time.time()) + 600} | others


def without_exp(**others: Any) -> dict[str, Any]:
    return {"sub": "alice"} | others


def token(key: str = SECRET, algorithm: str = "HS256", headers: dict[str, Any] | None = None, **others: Any) -> str:
    return jwt.encode(claims(**others), key, algorithm, headers)


def part(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def forged(payload: Any, header: Any = None, key: str = SECRET) -> str:
    """Return a token made by hand, with any header and payload, signed by HMAC: what PyJWT would not make."""
    head = {"alg": "HS256", "typ": "JWT"} if header is None else header
    parts = [part(item if isinstance(item, bytes) else json.dumps(item).encode()) for item in (head, payload)]
    signed = ".".join(parts)
    return f"{signed}.{part(hmac.digest(key.encode(), signed.encode(), hashlib.sha256))}"


def refused(given: dict[str, Any]) -> None:
    """Check that somebody is refused as the gateway wants it: by an exception with this very message."""
    with pytest.raises(Unauthorized) as refusal:
        authorize(given, None)
    assert str(refusal.value) == "Unauthorized"
    assert refusal.value.__cause__ is None
    assert refusal.value.__suppress_context__ or refusal.value.__context__ is None


def test_the_bearer_of_a_right_token_may_use_the_whole_stage():
    assert authorize(event(f"Bearer {token()}"), None) == policy()


@pytest.mark.parametrize("scheme", ["bearer ", "BEARER ", "Bearer   "])
def test_the_scheme_may_be_written_in_any_case_and_set_off_by_several_spaces(scheme: str):
    assert authorize(event(f"{scheme}{token()}"), None) == policy()


@pytest.mark.parametrize(
    ("stage", "rest"),
    [
        (STAGE, "GET/"),
        (STAGE, "POST/subscribe"),
        (STAGE, "GET/base/quotes/a%2Fb/dev/x"),
        (STAGE, "GET/quotes/*\n?"),
        ("arn:aws-cn:execute-api:cn-north-1:123456789012:abcdef1234/dev", "GET/quote"),
        ("arn:aws-us-gov:execute-api:us-gov-west-1:123456789012:abcdef1234/production", "GET/quote"),
        ("arn:aws:execute-api:ap-south-1:000000000001:z/test-invoke-stage", "GET/"),
    ],
)
def test_the_policy_is_for_the_stage_whatever_path_was_asked_for(stage: str, rest: str):
    assert authorize(event(f"Bearer {token()}", f"{stage}/{rest}"), None) == policy(stage=stage)


@pytest.mark.parametrize(
    "arn",
    [
        "",
        None,
        7,
        STAGE,
        f" {STAGE}/GET/",
        "arn:aws:execute-api:us-east-1:123456789012:*/*/GET/",
        "arn:aws:execute-api:us-east-1:123456789012:abcdef1234/*/GET/",
        "arn:aws:lambda:us-east-1:123456789012:function:quotes-dev/x/y",
        "arn:aws:execute-api:us-east-1::abcdef1234/dev/GET/",
    ],
)
def test_nobody_is_let_in_where_it_is_not_clear_what_was_asked_for(arn: Any):
    refused(event(f"Bearer {token()}", arn))


@pytest.mark.parametrize("name", ["type", "authorizationToken", "methodArn"])
def test_what_is_missing_from_an_event_lets_nobody_in(name: str):
    given = event(f"Bearer {token()}")
    del given[name]

    if name == "type":
        assert authorize(given, None) == policy()
    else:
        refused(given)


def test_a_token_without_a_subject_has_a_name_all_the_same():
    assert authorize(event(f"Bearer {forged({'exp': time.time() + 9})}"), None) == policy("bearer")


@pytest.mark.parametrize(
    "header",
    [
        None,
        7,
        b"Bearer x",
        ["Bearer x"],
        "",
        " ",
        "Bearer",
        "Bearer ",
        "Bearer ..",
        "Bearer a.b.c",
        "Bearer \x00\xff\ud800.☃.é",
        "Basic YWxpY2U6cGFzc3dvcmQ=",
        "{token}",
        "Bearer{token}",
        " Bearer {token}",
        "Bearer {token} ",
        "Bearer {token}\n",
        "Bearer\t{token}",
        "Bearer\u00a0{token}",
        "Bearer {token},{token}",
        "Bearer {token} {token}",
        "Bearer Bearer {token}",
        "Bearer {token}.",
        "Bearer {token}=",
        "Bearer .{token}",
        "Token {token}",
        "Bearer \uff45yJ{token}",
    ],
)
def test_a_header_that_holds_no_token_in_its_right_form_is_refused(header: Any):
    refused(event(header.replace("{token}", token()) if isinstance(header, str) else header))


def at(seconds: float) -> float:
    return time.time() + seconds


WRONG = {
    "expired": lambda: token(exp=at(-1)),
    "expires now": lambda: token(exp=int(time.time())),
    "expired long ago": lambda: token(exp=0),
    "expired before the epoch": lambda: token(exp=-1e300),
    "not yet valid": lambda: token(nbf=at(60)),
    "of the future": lambda: token(iat=at(60)),
    "no exp": lambda: forged(without_exp()),
    "exp null": lambda: forged(claims(exp=None)),
    "exp a string": lambda: forged(claims(exp=str(int(at(600))))),
    "exp true": lambda: forged(claims(exp=True)),
    "exp a list": lambda: forged(claims(exp=[at(600)])),
    "exp an object": lambda: forged(claims(exp={})),
    "exp infinite": lambda: forged(b'{"exp": 1e999}'),
    "exp Infinity": lambda: forged(b'{"exp": Infinity}'),
    "exp not a number": lambda: forged(b'{"exp": NaN}'),
    "exp of too many digits": lambda: forged(b'{"exp": 1' + b"0" * 5000 + b"}"),
    "exp twice": lambda: forged(b'{"exp": 9999999999, "exp": 1}'),
    "nbf a string": lambda: forged(claims(nbf="0")),
    "iat a string": lambda: forged(claims(iat="0")),
    "sub a number": lambda: forged(claims(sub=7)),
    "sub an object": lambda: forged(claims(sub={"a": "b"})),
    "sub null": lambda: forged(claims(sub=None)),
    "jti a number": lambda: forged(claims(jti=7)),
    "for somebody": lambda: token(aud="others"),
    "another key": lambda: token("f" * 32),
    "an empty key": lambda: forged(claims(), key=""),
    "another hash": lambda: token("0123456789abcdef" * 4, "HS512"),
    "the hash of another kind": lambda: token(SECRET * 2, "HS384"),
    "RS256": lambda: token(private(RSA), "RS256"),
    "ES256": lambda: token(private(EC), "ES256"),
    "payload a list": lambda: forged([1]),
    "payload a string": lambda: forged("exp"),
    "payload null": lambda: forged(None),
    "payload no JSON": lambda: forged(b"{"),
    "payload no UTF-8": lambda: forged(b'{"exp": 9999999999, "sub": "\xff"}'),
    "payload nested deeply": lambda: forged(b"[" * 2500),
    "header nested deeply": lambda: forged(claims(), b"[" * 2500),
    "header of nested objects": lambda: forged(claims(), b'{"a":' * 900),
    "header a list": lambda: forged(claims(), ["HS256"]),
    "header no JSON": lambda: forged(claims(), b"HS256"),
    "header no UTF-8": lambda: forged(claims(), b"\xff\xfe"),
    "header without alg": lambda: forged(claims(), {"typ": "JWT"}),
    "alg a list": lambda: forged(claims(), {"alg": ["HS256"]}),
    "alg an object": lambda: forged(claims(), {"alg": {}}),
    "alg in lower case": lambda: forged(claims(), {"alg": "hs256"}),
    "alg with a space": lambda: forged(claims(), {"alg": "HS256 "}),
    "kid a number": lambda: forged(claims(), {"alg": "HS256", "kid": 7}),
    "critical, unknown": lambda: forged(claims(), {"alg": "HS256", "crit": ["x"], "x": 1}),
    "payload not encoded": lambda: forged(claims(), {"alg": "HS256", "b64": False, "crit": ["b64"]}),
    "huge": lambda: token(sub="a" * 7000),
    "huge, unsigned": lambda: f"{'a' * 3_000_000}.{'b' * 3_000_000}.{'c' * 3_000_000}",
    "two parts": lambda: token().rpartition(".")[0],
    "no signature": lambda: f"{token().rpartition('.')[0]}.",
    "five parts (JWE)": lambda: f"{token()}.a.b",
    "the signature's last bit": lambda: changed(token(), -2),
    "the payload": lambda: changed(token(), token().index(".") + 5),
    "the header": lambda: changed(token(), 5),
    "the payload of another": lambda: spliced(token(), token(sub="root")),
}


def changed(text: str, index: int) -> str:
    """Return a token with another character at one place."""
    other = "A" if text[index] != "A" else "Q"
    changed = list(text)
    changed[index] = other
    return "".join(changed)


def spliced(one: str, other: str) -> str:
    """Return a token with the payload of another."""
    (head, _, signature), (_, payload, _) = one.split("."), other.split(".")
    return f"{head}.{payload}.{signature}"


@pytest.mark.parametrize("kind", WRONG)
def test_a_token_that_is_wrong_in_any_way_is_refused(kind: str):
    refused(event(f"Bearer {WRONG[kind]()}"))


@pytest.mark.parametrize("spelling", ["none", "None", "NONE", "nOnE", "none ", "", "null", None])
@pytest.mark.parametrize("key", [SECRET, "RSA"])
def test_a_token_that_says_it_needs_no_signature_is_refused(
    spelling: str | None, key: str, environ: pytest.MonkeyPatch
):
    if key == "RSA":
        environ.setenv("QUOTES_JWT_KEY", public(RSA))
        environ.setenv("QUOTES_JWT_ALGORITHM", "RS256")
    signed = forged(claims(), {"alg": spelling, "typ": "JWT"})

    refused(event(f"Bearer {signed}"))
    refused(event(f"Bearer {signed.rpartition('.')[0]}."))


@pytest.mark.parametrize(("algorithm", "key", "other"), [("RS256", RSA, OTHER_RSA), ("ES256", EC, OTHER_EC)])
class TestPublicKeys:
    @pytest.fixture(autouse=True)
    def _key(self, environ: pytest.MonkeyPatch, algorithm: str, key: PrivateKey):
        environ.setenv("QUOTES_JWT_ALGORITHM", algorithm)
        environ.setenv("QUOTES_JWT_KEY", public(key))

    def test_who_signs_with_the_private_key_is_let_in(self, algorithm: str, key: PrivateKey, other: PrivateKey):
        assert authorize(event(f"Bearer {token(private(key), algorithm)}"), None) == policy()

    def test_the_key_may_stand_on_one_line(
        self, environ: pytest.MonkeyPatch, algorithm: str, key: PrivateKey, other: PrivateKey
    ):
        environ.setenv("QUOTES_JWT_KEY", public(key).replace("\n", "\\n"))

        assert authorize(event(f"Bearer {token(private(key), algorithm)}"), None) == policy()

    def test_who_signs_with_another_is_not(self, algorithm: str, key: PrivateKey, other: PrivateKey):
        refused(event(f"Bearer {token(private(other), algorithm)}"))

    @pytest.mark.parametrize("change", [str, str.strip, lambda key: key.replace("\n", "\\n")])
    def test_the_public_key_is_no_secret_to_sign_with(
        self, algorithm: str, key: PrivateKey, other: PrivateKey, change: Any
    ):
        for alg in ("HS256", "HS384", algorithm):
            refused(event(f"Bearer {forged(claims(), {'alg': alg, 'typ': 'JWT'}, change(public(key)))}"))

    def test_a_key_that_a_token_brings_along_is_not_used(self, algorithm: str, key: PrivateKey, other: PrivateKey):
        maker = jwt.get_algorithm_by_name(algorithm)
        headers = {
            "jwk": json.loads(maker.to_jwk(other.public_key())),
            "jku": "http://127.0.0.1:9/keys.json",
            "x5u": "http://127.0.0.1:9/certificate.pem",
            "kid": "../../../../dev/null",
        }

        refused(event(f"Bearer {token(private(other), algorithm, headers)}"))
        assert authorize(event(f"Bearer {token(private(key), algorithm, headers)}"), None) == policy()

    def test_an_empty_signature_and_one_of_zeros_are_refused(self, algorithm: str, key: PrivateKey, other: PrivateKey):
        signed = token(private(key), algorithm).rpartition(".")[0]

        for signature in (b"", bytes(64), bytes(256)):
            refused(event(f"Bearer {signed}.{part(signature)}"))


@pytest.mark.parametrize("aud", ["quotes", ["quotes"], ["others", "quotes"]])
def test_a_token_for_our_audience_is_taken(aud: Any, environ: pytest.MonkeyPatch):
    environ.setenv("QUOTES_JWT_AUDIENCE", "quotes")

    assert authorize(event(f"Bearer {token(aud=aud)}"), None) == policy()


@pytest.mark.parametrize(
    "aud", ["others", "Quotes", "quotes ", "", [], ["others"], ["quotes", 7], {"quotes": 1}, None, 7]
)
def test_a_token_for_another_audience_or_for_none_is_refused(aud: Any, environ: pytest.MonkeyPatch):
    environ.setenv("QUOTES_JWT_AUDIENCE", "quotes")

    refused(event(f"Bearer {forged(claims(aud=aud))}"))
    refused(event(f"Bearer {token()}"))


def test_a_token_of_our_issuer_is_taken(environ: pytest.MonkeyPatch):
    environ.setenv("QUOTES_JWT_ISSUER", "https://login.example.org/")

    assert authorize(event(f"Bearer {token(iss='https://login.example.org/')}"), None) == policy()


@pytest.mark.parametrize("iss", ["https://login.example.org", "login", "", ["https://login.example.org/"], None, 7, {}])
def test_a_token_of_another_issuer_or_of_none_is_refused(iss: Any, environ: pytest.MonkeyPatch):
    environ.setenv("QUOTES_JWT_ISSUER", "https://login.example.org/")

    refused(event(f"Bearer {forged(claims(iss=iss))}"))
    refused(event(f"Bearer {token()}"))


def test_without_a_key_nobody_is_let_in_and_the_log_says_so_once(
    environ: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    environ.delenv("QUOTES_JWT_KEY")
    authorizer._say_that_nobody_may.cache_clear()

    for signed in (token(), forged(claims(), key=""), forged(claims(), {"alg": "none"}, "")):
        refused(event(f"Bearer {signed}"))

    assert caplog.messages == ["QUOTES_JWT_KEY is not set, so every token is refused."]


@pytest.mark.parametrize("kind", [*WRONG, "right"])
def test_nothing_of_a_token_is_logged(kind: str, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    given = WRONG[kind]() if kind in WRONG else token()

    with contextlib.suppress(Unauthorized):
        authorize(event(f"Bearer {given}"), None)

    told = "\n".join(str(vars(record)) for record in caplog.records)
    assert [piece for piece in given.split(".") if len(piece) > 3 and piece in told] == []
    assert "alice" not in told
    assert SECRET not in told
    assert len(caplog.records) <= 1


def test_the_log_says_which_rule_a_token_broke(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)

    for kind in ("expired", "another key", "no exp", "exp a string"):
        refused(event(f"Bearer {WRONG[kind]()}"))

    assert caplog.messages == [
        "A token was refused: ExpiredSignatureError.",
        "A token was refused: InvalidSignatureError.",
        "A token was refused: MissingRequiredClaimError.",
        "A token was refused: a time in it is no number.",
    ]


many = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@many
@given(st.text() | st.binary().map(lambda raw: f"Bearer {raw.decode('latin-1')}"))
def test_rubbish_is_refused(header: str):
    refused(event(header))


@many
@given(st.text(ALPHABET), st.text(ALPHABET), st.text(ALPHABET))
def test_what_only_looks_like_a_token_is_refused(head: str, payload: str, signature: str):
    refused(event(f"Bearer {head}.{payload}.{signature}"))


@many
@given(st.data())
def test_no_character_of_a_token_can_be_changed(data: st.DataObject):
    signed = token()
    index = data.draw(st.integers(0, len(signed) - 2))  # two bits of the last one mean nothing
    other = data.draw(st.sampled_from(ALPHABET + "."))

    changed = f"{signed[:index]}{other}{signed[index + 1 :]}"
    if changed == signed:
        assert authorize(event(f"Bearer {changed}"), None) == policy()
    else:
        refused(event(f"Bearer {changed}"))


@many
@given(st.dictionaries(st.sampled_from(["alg", "kid", "crit", "b64", "jwk", "typ", "zip", "enc", "cty"]), JSON))
def test_whatever_a_signed_header_holds_it_lets_nobody_in_by_another_algorithm(header: dict[str, Any]):
    refused(event(f"Bearer {forged(claims(), header)}"))


@many
@given(
    st.dictionaries(st.sampled_from(["exp", "nbf", "iat", "aud", "iss", "sub", "jti", "roles"]), JSON),
)
def test_whatever_a_signed_token_claims_it_lets_in_only_with_a_time_to_end(payload: dict[str, Any]):
    given = event(f"Bearer {forged(payload)}")

    try:
        answer = authorize(given, None)
    except Unauthorized:
        return
    assert type(payload["exp"]) in (int, float)
    assert payload["exp"] > time.time() - 60
    assert answer == policy(payload.get("sub") or "bearer")
