"""Redaction of text for logs and email: whatever may be a number, a code, a token or a key is removed.

An exception's message may contain anything: a URL with its query, a header, a database row. The people who read it must
not see those. When in doubt, too much is removed rather than too little; types, places and words remain.
"""

import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus, unquote

SHORTEST_SECRET = 4  # characters; shorter ones would match inside ordinary words
LONGEST = 4000  # characters that are examined
CUT_AWAY = 64  # characters dropped before that cut, which may have split something confidential

_DATE = r"(?<![\d+-])(?:19|20)\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])(?!\d)"
_NAMES = (
    r"[\w-]{0,40}(?:api[_-]?key|mashape-key|rapidapi-key|token|secret)|passw\w{0,20}|pwd|credentials?|signature|"
    r"otp|mobile|phone"
)
_IS = r"['\"]?\s*[=:]\s*|['\"]\s*,\s*(?=['\"])"  # the latter in a pair, which is how libraries print headers
_RULES = tuple(
    (re.compile(pattern, re.IGNORECASE), replacement)
    for pattern, replacement in (
        (r"-----BEGIN [^-]*-----[^-]*(?:-----END [^-]*-----)?", "[key]"),
        (r"([a-z][a-z0-9+.-]{1,30}://)[^\s/'\"]*@", r"\1[user]@"),
        (r"\?[^\s'\"<>]{2,}", "?[query]"),
        (rf"\b(authorization|cookie)({_IS})(?:'[^']*'?|\"[^\"]*\"?|[^\r\n}}]+)", r"\1\2[hidden]"),
        (r"\b(bearer|basic|aws4-hmac-sha256)\s+[^\r\n'\"]+", r"\1 [token]"),
        (rf"(?<![\w-])({_NAMES})({_IS})(?:'[^']*'?|\"[^\"]*\"?|[^\s,;&'\"\])}}]+)", r"\1\2[hidden]"),
        (r"\beyJ[\w-]{5,}(?:\.[\w-]*)*", "[token]"),  # a JWT
        (r"(?<![\w+=-])(?=[\w+=-]*\d)(?=[\w+=-]*[a-z])[\w+=-]{20,}", "[token]"),
    )
)
_NUMBER = re.compile(rf"({_DATE})|\+?\d(?:[\s().\-\u2010-\u2015/]{{0,2}}\d){{5,}}|\d{{4,}}")


def redacted(text: str, secrets: Iterable[str] = (), longest: int = 2000) -> str:
    """Return a text without numbers, codes, tokens, keys and URL queries.

    Args:
        text: Any text.
        secrets: Values that must not appear, whatever they look like.
        longest: The maximum length of the result, in characters, apart from an ellipsis.
    """
    for secret in sorted(_written(secrets), key=len, reverse=True):  # one may be a prefix of another
        text = text.replace(secret, "[secret]")
    is_cut = len(text) > LONGEST
    if is_cut:
        text = text[: LONGEST - CUT_AWAY]
        text = text.rpartition(" ")[0] or text
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    text = _NUMBER.sub(lambda found: found[1] or "[number]", text)
    text = text.encode(errors="replace").decode()  # a lone surrogate cannot be encoded
    return f"{text[:longest]}…" if is_cut or len(text) > longest else text


def unrouted(path: str) -> str:
    """Return a path that matches no route, redacted for a log: it may be a query without its question mark.

    Args:
        path: The path, percent-encoded or not.
    """
    return quote(redacted(unquote(path), longest=200), safe="/[]")


def _written(secrets: Iterable[str]) -> set[str]:
    """Return the secrets in every spelling: as they are, and URL-encoded."""
    long = [secret for secret in secrets if len(secret) >= SHORTEST_SECRET]
    return {form for each in long for form in (each, quote(each, safe=""), quote(each), quote_plus(each))}
