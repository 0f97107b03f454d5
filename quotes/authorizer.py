"""The gateway's authorizer: only clients with a valid bearer token may use a stage that has it.

API Gateway passes the token and the ARN of the requested method, and caches the policy per token (`result_ttl`). So the
policy has to cover the whole stage, not just the requested path. See the API Gateway developer guide, "Input to an API
Gateway Lambda authorizer" and "Output from an API Gateway Lambda authorizer".
"""

import functools
import logging
import re
from collections.abc import Mapping
from typing import Any

from quotes import tokens
from quotes.errors import Unauthorized
from quotes.settings import Settings

NOBODY = "bearer"  # the gateway requires a principal, but a token may have no subject

# RFC 6750, section 2.1; the scheme is case-insensitive (RFC 9110, section 11.1).
_BEARER = re.compile(r"bearer +([\w-]+\.[\w-]*\.[\w-]*)", re.ASCII | re.IGNORECASE)
# arn:partition:execute-api:region:account:api/stage/method/path; a custom domain's base path is not part of it.
_STAGE = re.compile(r"(arn:aws[a-z-]*:execute-api:[a-z0-9-]+:[0-9]{12}:[a-z0-9]+/\w[\w-]*)/", re.ASCII)

log = logging.getLogger(__name__)


def authorize(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Return a policy that allows the bearer of a valid token to use the whole stage.

    Args:
        event: An event of type TOKEN, with `authorizationToken` and `methodArn`.
        context: The invocation.

    Raises:
        Unauthorized: The token is missing or invalid; the gateway then answers 401.
        SettingError: A setting is unusable.
    """
    settings = Settings.from_environ()
    if not settings.jwt_key:
        _say_that_nobody_may()
        raise Unauthorized
    bearer = _BEARER.fullmatch(_text(event, "authorizationToken"))
    stage = _STAGE.match(_text(event, "methodArn"))
    if not bearer or not stage:
        raise Unauthorized
    claims = tokens.verified(bearer[1], settings)
    statement = {"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": f"{stage[1]}/*"}
    return {
        "principalId": claims.get("sub") or NOBODY,
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
    }


def _text(event: Mapping[str, Any], name: str) -> str:
    value = event.get(name)
    return value if isinstance(value, str) else ""


@functools.cache
def _say_that_nobody_may() -> None:
    log.error("QUOTES_JWT_KEY is not set, so every token is refused.")
