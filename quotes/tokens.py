"""Bearer tokens: JSON Web Tokens (RFC 7519), checked as the settings say, never as the token says (RFC 8725)."""

import logging
import time
from collections.abc import Callable
from typing import Any

from quotes.errors import SettingError, TokenError, Unauthorized
from quotes.settings import Settings

LONGEST = 8192  # characters; API Gateway takes at most 10,240 bytes of headers in all

log = logging.getLogger(__name__)


def verified(token: str, settings: Settings) -> dict[str, Any]:
    """Return what a token claims, if everything about it is right.

    The log tells which rule a refused one broke, and nothing of its content. There is no leeway: the clock of a
    function is synchronized, and that of whoever made the token should be.

    Args:
        token: Of somebody who asks.
        settings: The key, the algorithm, the audience and the issuer.

    Raises:
        Unauthorized: It is not to be trusted, or there is no key to check it with.
    """
    import jwt

    if not settings.jwt_key or len(token) > LONGEST:
        raise Unauthorized
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            settings.jwt_key,
            algorithms=[settings.jwt_algorithm],
            audience=settings.jwt_audience,
            issuer=settings.jwt_issuer,
            options={"require": ["exp"]},
        )
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        log.info("A token was refused: %s.", type(error).__name__)
        raise Unauthorized from None
    # PyJWT would take a string of digits; a time is a JSON number (RFC 7519, 2).
    if not all(type(claims[name]) in (int, float) for name in ("exp", "nbf", "iat") if name in claims):
        log.info("A token was refused: a time in it is no number.")
        raise Unauthorized
    return claims


def made(
    settings: Settings,
    subject: str,
    expires: int,
    private_key: str | None = None,
    now: Callable[[], float] = time.time,
) -> str:
    """Return a token that the authorizer with these settings takes, for trying it.

    Args:
        settings: The key of HS256, the algorithm, the audience and the issuer.
        subject: Whom it is for.
        expires: In how many seconds.
        private_key: What signs with RS256 and ES256, in PEM.
        now: Tells the time in seconds since 1970.

    Raises:
        SettingError: There is no key to sign with.
        TokenError: It cannot be signed, or would be refused.
    """
    import jwt

    is_secret = settings.jwt_algorithm == "HS256"
    key = settings.jwt_key if is_secret else private_key or ""
    if is_secret and not key:
        raise SettingError("QUOTES_JWT_KEY", "is not set; `openssl rand -hex 32` makes one for HS256")
    claims = {"sub": subject, "iat": int(now()), "exp": int(now()) + expires}
    claims |= {"aud": settings.jwt_audience} if settings.jwt_audience else {}
    claims |= {"iss": settings.jwt_issuer} if settings.jwt_issuer else {}
    try:
        token = jwt.encode(claims, key, settings.jwt_algorithm)
    except NotImplementedError:
        raise TokenError(f"{settings.jwt_algorithm} needs the library cryptography, which is not here") from None
    except (jwt.PyJWTError, AttributeError, TypeError, ValueError):  # AttributeError: for a public key
        raise TokenError(f"no unencrypted private key of {settings.jwt_algorithm} in PEM is in that file") from None
    try:
        if settings.jwt_key:
            verified(token, settings)
    except Unauthorized:
        if private_key:
            raise TokenError("QUOTES_JWT_KEY is not the public half of the key in that file") from None
        raise TokenError("the authorizer would refuse it, for it is too long") from None
    return token
