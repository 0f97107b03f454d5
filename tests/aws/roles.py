"""An account's identities (functions' roles, users, the deployer), and what each may do."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from moto.iam.models import Role, User, iam_backends
from moto.sts.models import sts_backends

from tests.aws.permissions import allows

A_DAY = 24 * 60 * 60  # seconds


class Credentials(NamedTuple):
    """Credentials."""

    access_key_id: str
    secret_access_key: str
    session_token: str


DEPLOYER = Credentials("DEPLOYER", "secret", "")  # owns the account and may do anything


class Identity(NamedTuple):
    """The owner of credentials: the account's root, a user or a role.

    Attributes:
        policies: The policies that apply to it; None if it may do anything.
    """

    credentials: Credentials
    account: str
    id: str
    arn: str
    policies: list[dict[str, Any]] | None


class Roles:
    """An account's roles and users.

    Args:
        account: The account's number.
    """

    def __init__(self, account: str) -> None:
        self._account = account
        self._credentials: dict[str, Credentials] = {}

    def credentials(self, role: str) -> Credentials:
        """Return a role's credentials, always the same ones.

        Args:
            role: The role's ARN.
        """
        if role not in self._credentials:
            backend = sts_backends[self._account]["aws"]
            made = backend.assume_role("us-east-1", "function", role, "", A_DAY, "")
            self._credentials[role] = Credentials(made.access_key_id, made.secret_access_key, made.session_token)
        return self._credentials[role]

    def of(self, access_key_id: str) -> str | None:
        """Return the ARN of the role that credentials belong to; None if they belong to no role."""
        return next((role for role, key in self._credentials.items() if key.access_key_id == access_key_id), None)

    def allows(self, role: str, action: str, resource: str) -> bool:
        """Tell whether a role's policies, inline and attached, currently allow an action.

        Args:
            role: The role's ARN.
            action: Such as `s3:GetObject`.
            resource: The resource's ARN.
        """
        return action == "sts:GetCallerIdentity" or allows(self._policies(role), action, resource)

    def identity(self, access_key_id: str) -> Identity | None:
        """Return the owner of a key; None if it is unknown or inactive."""
        if access_key_id == DEPLOYER.access_key_id:
            return Identity(DEPLOYER, self._account, self._account, f"arn:aws:iam::{self._account}:root", None)
        for arn, credentials in self._credentials.items():
            if credentials.access_key_id == access_key_id:
                return Identity(credentials, self._account, arn, arn, list(self._policies(arn)))
        for user in list(iam_backends[self._account]["aws"].users.values()):
            for key in user.access_keys:
                if (key.access_key_id, key.status) == (access_key_id, "Active"):
                    credentials = Credentials(access_key_id, key.secret_access_key, "")
                    return Identity(credentials, self._account, user.id, user.arn, list(_documents(user)))
        return None

    @staticmethod
    def permits(identity: Identity, action: str, resource: str) -> bool:
        """Tell whether an identity may do something.

        Args:
            identity: The identity.
            action: Such as `execute-api:Invoke`.
            resource: The resource's ARN.
        """
        return identity.policies is None or allows(identity.policies, action, resource)

    def _policies(self, role: str) -> Iterator[dict[str, Any]]:
        found = next((each for each in iam_backends[self._account]["aws"].get_roles() if each.arn == role), None)
        if found:
            yield from _documents(found)


def _documents(found: Role | User) -> Iterator[dict[str, Any]]:
    for document in (*found.policies.values(), *(each.document for each in found.managed_policies.values())):
        yield json.loads(document)
