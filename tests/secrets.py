"""What looks like a secret, wherever it stands; examples that are none are listed here, each with where it is from."""

import re

PATTERNS = {
    "AWS access key": r"\b((?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16})\b",
    "AWS secret key": r"(?i:secret[\w\" ]{0,20})[\"']?\s*[:=,]\s*[\"']?([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])",
    "private key": r"(-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/=]{16,})",
    "hex beside its name": r"(?i:secret|key|token|passw(?:or)?d)\w{0,20}[\"']?\s*[:=,]\s*[\"']?([0-9a-fA-F]{32,})\b",
    "JWT": r"\b(eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{16,})",
    "token of a known service": r"\b(gh[pousr]_[A-Za-z0-9]{36}|glpat-[\w-]{20}|xox[abprs]-[\w-]{20,}|AIza[\w-]{35}|"
    r"sk_live_[A-Za-z0-9]{20,}|pypi-[\w-]{40,})",
    "password in a URL": r"\b[a-z][a-z0-9+]*://[^\s:/@\"'{}]{1,64}:([^\s:/@\"'{}$]{1,64})@[\w.\[]",
}
NONE_REALLY: frozenset[str] = frozenset(
    {
        "AKIAIOSFODNN7EXAMPLE",  # AWS's documentation
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",  # AWS's documentation
        "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",  # the same in the examples of Signature Version 4
        *(
            "password",
            "pass",
            "a-password",
            "secret",
            "s3cret",
            "s3cret-word",
        ),  # of URLs of databases in documents and tests
        *("s3cret#word", "%73%33cret-word", "[s3cret]", "pass%2Fword", "a%2Fb"),  # those that are hard to read
        *("0123456789abcdef" * 2, "fedcba9876543210" * 2),  # keys of codes and tokens in tests
    }
)

_COMPILED = {kind: re.compile(pattern) for kind, pattern in PATTERNS.items()}


def secrets_in(text: str) -> list[tuple[str, str]]:
    """Return what looks like a secret, each with its kind."""
    found = ((kind, match[1]) for kind, pattern in _COMPILED.items() for match in pattern.finditer(text))
    return [(kind, secret) for kind, secret in found if secret not in NONE_REALLY]
