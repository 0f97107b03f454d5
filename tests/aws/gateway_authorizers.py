"""Authorizers: functions that return a policy for a token (AWS, "Use API Gateway Lambda authorizers")."""

import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import TimeoutError as TookTooLong
from typing import Any

from moto.apigateway.models import Authorizer

from tests.aws.functions import Functions
from tests.aws.gateway_refusals import Refused
from tests.aws.permissions import effects
from tests.aws.proxy_events import Request, Route, header
from tests.aws.roles import Roles

PLACE = "method.request.header."
FUNCTION = re.compile(r"arn:aws:apigateway:[\w-]+:lambda:path/2015-03-31/functions/(.+)/invocations")
PATIENCE = 29  # seconds that an authorizer may take

Key = tuple[str, str, str, str]


class Authorizers:
    """Admit the requests that an authorizer's policy allows, and cache its answers.

    Args:
        functions: The account's functions.
        roles: Its roles.

    Attributes:
        clock: Tells the seconds by which answers expire.
    """

    def __init__(self, functions: Functions, roles: Roles) -> None:
        self.clock: Callable[[], float] = time.monotonic
        self._functions = functions
        self._roles = roles
        self._lock = threading.Lock()
        self._kept: dict[Key, tuple[float, Mapping[str, Any]]] = {}

    def admit(self, request: Request, route: Route, method: str, authorizer: Authorizer) -> dict[str, Any]:
        """Return what an event's `requestContext.authorizer` contains.

        Args:
            request: The request.
            route: Where it goes.
            method: The ARN of the method that is called.
            authorizer: The method's authorizer.

        Raises:
            Refused: The token is missing or malformed, or the authorizer refuses it.
        """
        if authorizer.type != "TOKEN":
            raise NotImplementedError(f"authorizers of the type {authorizer.type}")
        token = header(request.headers, str(authorizer.identity_source).removeprefix(PLACE).lower())
        expression = authorizer.identity_validation_expression
        if not token or expression and not re.fullmatch(expression, token):
            raise Refused(401, "Unauthorized", "UnauthorizedException")
        key = route.api_id, route.stage, str(authorizer.id), token
        with self._lock:
            until, answer = self._kept.get(key, (0.0, None))
        if answer is None or self.clock() >= until:
            answer = self._asked(authorizer, token, method)
            with self._lock:
                self._kept[key] = self.clock() + int(authorizer.authorizer_result_ttl or 0), answer
        found = effects([answer["policyDocument"]], "execute-api:Invoke", method)
        if found != {"Allow"}:
            why = " with an explicit deny in an identity-based policy" if found else ""
            message = f"User is not authorized to access this resource{why}"
            raise Refused(403, message, "AccessDeniedException", "Message")
        return {"principalId": answer["principalId"], **answer.get("context", {})}

    def _asked(self, authorizer: Authorizer, token: str, method: str) -> Mapping[str, Any]:
        """Invoke the authorizer's function, and return its answer if it is well-formed."""
        found = FUNCTION.fullmatch(str(authorizer.authorizer_uri))
        role = authorizer.authorizer_credentials
        broken = Refused(500, None, "AuthorizerConfigurationException")
        if not found or not role or not self._roles.allows(role, "lambda:InvokeFunction", found[1]):
            raise broken
        event = {"type": "TOKEN", "authorizationToken": token, "methodArn": method}
        try:
            outcome = self._functions.start(found[1], json.dumps(event).encode()).result(PATIENCE)
        except TookTooLong:
            raise broken from None
        answer = json.loads(outcome.payload)
        if outcome.failed and answer.get("errorMessage") == "Unauthorized":
            raise Refused(401, "Unauthorized", "UnauthorizedException")
        if outcome.failed or not _is_understood(answer):
            raise broken
        return dict(answer)


def _is_understood(answer: Any) -> bool:
    """Tell whether an authorizer's answer is well-formed; its context is flat (AWS, "Output from an authorizer")."""
    return (
        isinstance(answer, dict)
        and isinstance(answer.get("principalId"), str)
        and isinstance(answer.get("policyDocument"), dict)
        and all(isinstance(value, str | int | float | bool) for value in answer.get("context", {}).values())
    )
