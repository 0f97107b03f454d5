"""Validation of the key that bearer tokens are verified with.

The settings do this at every start, so `cryptography` is only imported if there is a public key to examine.
"""

ALGORITHMS = ("HS256", "RS256", "ES256")
SHORTEST_SECRET = 32  # characters: a key for HS256 has to have at least 256 bits (RFC 7518, section 3.2)
SHORTEST_RSA = 2048  # bits (RFC 7518, section 3.3)
FORMATS_OF_PUBLIC_KEYS = ("ssh-", "ecdsa-", "{")  # OpenSSH, JWK


def parse(value: str) -> str:
    r"""Normalize a key; a PEM key may be given on one line, with `\n` for its line ends.

    Raises:
        ValueError: The key contains characters that neither a secret nor a PEM key has.
    """
    key = value.replace("\\n", "\n").replace("\r", "") if value.startswith("-----BEGIN ") else value
    if not (key.isascii() and key.replace("\n", "").isprintable()):
        raise ValueError("holds characters other than printable ASCII")
    return key


def check(key: str, algorithm: str) -> None:
    """Check that a key is suitable for an algorithm.

    A public key must never serve as a secret, because then anybody could sign with it (RFC 8725, section 2.1).

    Args:
        key: The key, as returned by `parse`.
        algorithm: One of `ALGORITHMS`.

    Raises:
        ValueError: The key is unsuitable; the message says why, without the key.
    """
    if algorithm == "HS256":
        _check_secret(key)
    else:
        _check_public_key(key, algorithm)


def _check_secret(key: str) -> None:
    if "-----BEGIN " in key or key.startswith(FORMATS_OF_PUBLIC_KEYS):
        raise ValueError("is a public or private key, but HS256 needs a secret; or set QUOTES_JWT_ALGORITHM")
    if "\n" in key:
        raise ValueError("holds characters other than printable ASCII")
    if len(key) < SHORTEST_SECRET:
        raise ValueError(f"needs at least {SHORTEST_SECRET} characters, such as `openssl rand -hex 32` prints")


def _check_public_key(key: str, algorithm: str) -> None:
    if "PRIVATE KEY-----" in key:
        raise ValueError("is a private key; the service needs the public one alone: `openssl pkey -pubout`")
    if not key.startswith("-----BEGIN ") or "PUBLIC KEY-----" not in key.splitlines()[0]:
        raise ValueError(f"is no public key in PEM (-----BEGIN PUBLIC KEY-----), which {algorithm} needs")
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
        from cryptography.hazmat.primitives.serialization import load_pem_public_key
    except ImportError:
        raise ValueError(f"cannot be used: {algorithm} needs the library cryptography, which is not here") from None
    try:
        public = load_pem_public_key(key.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("is damaged: no public key can be read from this PEM") from None
    if algorithm == "RS256" and not (isinstance(public, RSAPublicKey) and public.key_size >= SHORTEST_RSA):
        raise ValueError(f"is not a key of RSA with at least {SHORTEST_RSA} bits, which RS256 needs")
    if algorithm == "ES256" and not (
        isinstance(public, EllipticCurvePublicKey) and isinstance(public.curve, SECP256R1)
    ):
        raise ValueError("is not a key on the curve P-256, which ES256 needs")
