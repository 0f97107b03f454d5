"""Bearer tokens: JSON Web Tokens (RFC 7519), verified by the rules of the settings, never the token's (RFC 8725)."""

import logging
import time
from collections.abc import Callable
from typing import Any

from quotes.errors import SettingError, TokenError, Unauthorized
from quotes.settings import Settings

LONGEST = 8192  # characters; API Gateway accepts at most 10,240 bytes of headers in total

log = logging.getLogger(__name__)


def verified(token: str, settings: Settings) -> dict[str, Any]:
    """Verify a token and return its claims.

    The log says which rule a rejected token violates, but nothing of its content. There is no leeway for clock skew:
    Lambda's clock is synchronized, and the issuer's should be.

    Args:
        token: The client's token.
        settings: Have the key, the algorithm, the audience and the issuer.

    Raises:
        Unauthorized: The token is invalid, or no key is set.
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
    # PyJWT also accepts a string of digits, but a NumericDate is a JSON number (RFC 7519, section 2).
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
    """Create a token that an authorizer with the same settings accepts, for testing.

    Args:
        settings: Have the key for HS256, the algorithm, the audience and the issuer.
        subject: The `sub` claim.
        expires: The lifetime, in seconds.
        private_key: The key for RS256 or ES256, in PEM.
        now: The clock, in seconds since 1970.

    Raises:
        SettingError: The key for HS256 is not set.
        TokenError: The token cannot be signed, or the authorizer would reject it.
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
    except (jwt.PyJWTError, AttributeError, TypeError, ValueError):  # AttributeError: it is a public key
        raise TokenError(f"no unencrypted private key of {settings.jwt_algorithm} in PEM is in that file") from None
    try:
        if settings.jwt_key:
            verified(token, settings)
    except Unauthorized:
        if private_key:
            raise TokenError("QUOTES_JWT_KEY is not the public half of the key in that file") from None
        raise TokenError("the authorizer would refuse it, for it is too long") from None
    return token
