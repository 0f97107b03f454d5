"""Whether policies allow a call: only if it is allowed and not denied (AWS, "Policy evaluation logic")."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

KNOWN = {"Sid", "Effect", "Action", "Resource", "NotResource", "Principal", "Condition"}


def allows(policies: Iterable[Mapping[str, Any]], action: str, resource: str) -> bool:
    """Tell whether the policies of an identity allow an action on a resource.

    Args:
        policies: Policy documents.
        action: Such as `s3:GetObject`.
        resource: An ARN, or `*` if the action has no resources.
    """
    return effects(policies, action, resource) == {"Allow"}


def effects(policies: Iterable[Mapping[str, Any]], action: str, resource: str) -> set[str]:
    """Return what policies say of an action on a resource: `Allow`, `Deny`, both or nothing."""
    return {
        statement["Effect"]
        for policy in policies
        for statement in _many(policy["Statement"])
        if _applies(statement, action, resource)
    }


def lets_in(policy: Mapping[str, Any], service: str, source: str, action: str, resource: str) -> bool:
    """Tell whether a resource's policy allows a service to act on it.

    Args:
        policy: The document.
        service: The principal, such as `events.amazonaws.com`.
        source: The ARN on whose behalf the service acts.
        action: Such as `lambda:InvokeFunction`.
        resource: The resource's ARN.
    """
    return any(
        statement["Effect"] == "Allow"
        and statement["Principal"].get("Service") == service
        and matches(_source(statement), source)
        and matches(statement["Action"], action)
        and resource in _many(statement["Resource"])
        for statement in policy["Statement"]
    )


def matches(patterns: str | list[str], text: str) -> bool:
    """Tell whether a text matches one of some patterns with * and ?."""
    escaped = (re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".") for pattern in _many(patterns))
    return any(re.fullmatch(pattern, text, re.DOTALL) for pattern in escaped)


def _applies(statement: Mapping[str, Any], action: str, resource: str) -> bool:
    assert KNOWN - {"Condition", "Principal"} >= statement.keys(), f"not understood here: {statement}"
    actions = [pattern.lower() for pattern in _many(statement["Action"])]
    is_meant = (
        matches(statement["Resource"], resource)
        if "Resource" in statement
        else not matches(statement["NotResource"], resource)
    )
    return matches(actions, action.lower()) and is_meant


def _source(statement: Mapping[str, Any]) -> str | list[str]:
    condition = statement.get("Condition", {})
    assert statement.keys() <= KNOWN, f"not understood here: {statement}"
    for operator in ("ArnLike", "ArnEquals", "StringEquals", "StringLike"):
        for name, value in condition.get(operator, {}).items():
            if name.lower() == "aws:sourcearn":
                return value
    return "*"


def _many(one_or_many: Any) -> list[Any]:
    return one_or_many if isinstance(one_or_many, list) else [one_or_many]
