"""The credentials with which the deployer checks a closed stage."""

from typing import Any

import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from requests.auth import AuthBase

from deploy import environment, keys, stage
from deploy.stage import StageError
from quotes import tokens

LIFE = 300  # seconds that a token is valid: longer than the check takes


class Header(AuthBase):
    """Add a header to a request.

    Args:
        name: The header's name.
        value: Its value.
    """

    def __init__(self, name: str, value: str) -> None:
        self._name, self._value = name, value

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the header."""
        request.headers[self._name] = self._value
        return request


class Signature(AuthBase):
    """Sign a request (Signature Version 4).

    Args:
        session: The boto3 session with the credentials and the region.
    """

    def __init__(self, session: Any) -> None:
        self._session = session

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign the request."""
        signed = AWSRequest(request.method, request.url, data=request.body)
        key = self._session.get_credentials().get_frozen_credentials()
        SigV4Auth(key, "execute-api", self._session.region_name).add_auth(signed)
        request.headers.update(signed.headers)
        return request


def bearer(token: str) -> AuthBase:
    """Return what adds a bearer token to a request.

    Args:
        token: The token.
    """
    return Header("Authorization", f"Bearer {token}")


def of_deployer(cli: Any) -> AuthBase | None:
    """Return the deployer's credential for a stage; None if the stage is open, or its tokens are signed elsewhere.

    Args:
        cli: Zappa's command line, with the settings of a deployed stage loaded.

    Raises:
        StageError: The stage has no key for tokens, or an unusable one.
    """
    if cli.iam_authorization:
        return Signature(cli.zappa.boto_session)
    if stage.takes_tokens(cli):
        settings = environment.settings(cli, environment.stored(cli.zappa.boto_client("s3"), cli) or {})
        if not settings.jwt_key:
            raise StageError(
                f"Without QUOTES_JWT_KEY every token is refused: run `make setup STAGE={cli.api_stage}` first."
            )
        return bearer(tokens.made(settings, "smoke", LIFE)) if settings.jwt_algorithm == "HS256" else None
    if cli.api_key_required:
        return Header("x-api-key", keys.for_smoke(cli))
    return None
