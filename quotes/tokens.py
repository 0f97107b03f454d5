"""Bearer tokens: JSON Web Tokens (RFC 7519), checked as the settings say, never as the token says (RFC 8725)."""

import logging
from typing import Any

from quotes.errors import Unauthorized
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
    except (jwt.InvalidTokenError, ValueError) as error:
        log.info("A token was refused: %s.", type(error).__name__)
        raise Unauthorized from None
    # PyJWT would take a string of digits; a time is a JSON number (RFC 7519, 2).
    if not all(type(claims[name]) in (int, float) for name in ("exp", "nbf", "iat") if name in claims):
        log.info("A token was refused: a time in it is no number.")
        raise Unauthorized
    return claims
