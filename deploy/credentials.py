"""What lets the deployer into a stage that is closed, so that he can look whether it is well."""

from typing import Any

import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from requests.auth import AuthBase

from deploy import environment, keys, stage
from deploy.stage import StageError
from quotes import tokens

LIFE = 300  # seconds, of a token: longer than looking takes


class Header(AuthBase):
    """Let a request bear a header.

    Args:
        name: The header's.
        value: What it says.
    """

    def __init__(self, name: str, value: str) -> None:
        self._name, self._value = name, value

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add it."""
        request.headers[self._name] = self._value
        return request


class Signature(AuthBase):
    """Sign a request (Signature Version 4).

    Args:
        session: Whose credentials and region are used.
    """

    def __init__(self, session: Any) -> None:
        self._session = session

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign it."""
        signed = AWSRequest(request.method, request.url, data=request.body)
        key = self._session.get_credentials().get_frozen_credentials()
        SigV4Auth(key, "execute-api", self._session.region_name).add_auth(signed)
        request.headers.update(signed.headers)
        return request


def bearer(token: str) -> AuthBase:
    """Return what lets a request bear a token.

    Args:
        token: It.
    """
    return Header("Authorization", f"Bearer {token}")


def of_deployer(cli: Any) -> AuthBase | None:
    """Return what lets the deployer into a stage; None where everybody comes in, or he has no key to sign tokens with.

    Args:
        cli: Zappa's command line, with the settings of a deployed stage loaded.

    Raises:
        StageError: The stage lacks the key of tokens, or has one that is not usable.
    """
    if cli.iam_authorization:
        return Signature(cli.zappa.boto_session)
    if stage.takes_tokens(cli):
        settings = environment.settings(cli, environment.stored(cli.zappa.boto_client("s3"), cli) or {})
        if not settings.jwt_key:
            raise StageError(f"Nobody is let in without QUOTES_JWT_KEY: `make setup STAGE={cli.api_stage}` first.")
        return bearer(tokens.made(settings, "smoke", LIFE)) if settings.jwt_algorithm == "HS256" else None
    if cli.api_key_required:
        return Header("x-api-key", keys.for_smoke(cli))
    return None
