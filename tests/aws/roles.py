"""Roles: the credentials that a function works with, and what they may be used for."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

from tests.aws.permissions import allows

A_DAY = 24 * 60 * 60  # seconds


class Credentials(NamedTuple):
    """Hold temporary credentials."""

    access_key_id: str
    secret_access_key: str
    session_token: str


class Roles:
    """Know the roles of an account.

    Args:
        account: The number of the account.
    """

    def __init__(self, account: str) -> None:
        self._account = account
        self._credentials: dict[str, Credentials] = {}

    def credentials(self, role: str) -> Credentials:
        """Return a role's credentials, the same for as long as the account lives.

        Args:
            role: Its ARN.
        """
        if role not in self._credentials:
            backend = sts_backends[self._account]["aws"]
            made = backend.assume_role("us-east-1", "function", role, "", A_DAY, "")
            self._credentials[role] = Credentials(made.access_key_id, made.secret_access_key, made.session_token)
        return self._credentials[role]

    def of(self, access_key_id: str) -> str | None:
        """Return the ARN of the role to which credentials belong; None where they are no role's."""
        return next((role for role, key in self._credentials.items() if key.access_key_id == access_key_id), None)

    def allows(self, role: str, action: str, resource: str) -> bool:
        """Tell whether a role's policies, inline and attached ones, allow an action now.

        Args:
            role: Its ARN.
            action: Such as `s3:GetObject`.
            resource: On what, an ARN.
        """
        return action == "sts:GetCallerIdentity" or allows(self._policies(role), action, resource)

    def _policies(self, role: str) -> Iterator[dict[str, Any]]:
        found = next((each for each in iam_backends[self._account]["aws"].get_roles() if each.arn == role), None)
        if found:
            for document in (*found.policies.values(), *(each.document for each in found.managed_policies.values())):
                yield json.loads(document)
