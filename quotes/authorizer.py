"""Who may ask where a stage has an authorizer: whoever has a valid bearer token, nobody else.

API Gateway sends the header of a request and the ARN of what was asked for, and keeps the answer for that token
(`result_ttl`): so the policy is for the whole stage, not for the one path. See the API Gateway developer guide, "Input
to an API Gateway Lambda authorizer" and "Output from an API Gateway Lambda authorizer".
"""

import functools
import logging
import re
from collections.abc import Mapping
from typing import Any

from quotes import tokens
from quotes.errors import Unauthorized
from quotes.settings import Settings

NOBODY = "bearer"  # the gateway wants a name; a token without a subject has none

# RFC 6750, 2.1, with the scheme in any case as RFC 9110, 11.1 wants it.
_BEARER = re.compile(r"bearer +([\w-]+\.[\w-]*\.[\w-]*)", re.ASCII | re.IGNORECASE)
# arn:partition:execute-api:region:account:api/stage/method/path; a base path of a domain is not part of it.
_STAGE = re.compile(r"(arn:aws[a-z-]*:execute-api:[a-z0-9-]+:[0-9]{12}:[a-z0-9]+/\w[\w-]*)/", re.ASCII)

log = logging.getLogger(__name__)


def authorize(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Return the policy that lets the bearer of a valid token use the whole stage.

    Args:
        event: Of type TOKEN, with `authorizationToken` and `methodArn`.
        context: The invocation.

    Raises:
        Unauthorized: The token is missing or not to be trusted; the gateway then answers 401.
        SettingError: The settings are not usable.
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
