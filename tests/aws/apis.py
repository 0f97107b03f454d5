"""An account's REST APIs: which method a request calls, and how it is answered."""

import json
import re
from collections.abc import Iterator
from concurrent.futures import TimeoutError as TookTooLong
from dataclasses import replace
from typing import NamedTuple

from moto.apigateway.models import BasePathMapping, Method, RestAPI, Stage, apigateway_backends

from tests.aws import gateway_cache
from tests.aws.functions import Functions
from tests.aws.gateway_authorizers import FUNCTION, Authorizers
from tests.aws.gateway_gaps import snapshot
from tests.aws.gateway_keys import Keys
from tests.aws.gateway_refusals import Refused
from tests.aws.gateway_signatures import Signatures
from tests.aws.permissions import lets_in
from tests.aws.proxy_events import Malformed, Request, Response, Route, event, refusal, response
from tests.aws.roles import Roles

OWN_NAME = re.compile(r"(\w+)\.execute-api\.([\w-]+)\.amazonaws\.com")
PATIENCE = 29_000  # milliseconds, unless an integration has its own time-out

INTERNAL = "Internal server error"


class Target(NamedTuple):
    """What a request calls."""

    stage: Stage
    method: Method
    route: Route


class Apis:
    """Answer requests to the account's APIs, at their own host names and at custom domains.

    Args:
        account: The account's number.
        functions: Its functions.
        roles: Its roles.

    Attributes:
        authorizers: Admits requests by tokens.
        keys: Admits requests by API keys.
    """

    def __init__(self, account: str, functions: Functions, roles: Roles) -> None:
        self._account = account
        self._functions = functions
        self._roles = roles
        self._cache = gateway_cache.Cache()
        self._signatures = Signatures(roles)
        self.authorizers = Authorizers(functions, roles)
        self.keys = Keys(account)

    def know(self, host: str) -> bool:
        """Tell whether a host is an API's. All of API Gateway's own are, even if the API has been deleted."""
        return bool(OWN_NAME.fullmatch(host)) or any(True for _ in self._mappings(host))

    def answer(self, request: Request) -> Response:
        """Answer a request as API Gateway does."""
        found = OWN_NAME.fullmatch(request.host)
        if found:
            api = apigateway_backends[self._account][found[2]].apis.get(found[1])
            stage, _, rest = request.path.removeprefix("/").partition("/")
            path = event_path = f"/{rest}"
        else:
            mapping = self._mapping(request)
            api, stage = (self._api(mapping), mapping.stage) if mapping else (None, "")
            base = "" if not mapping or mapping.base_path == "(none)" else f"/{mapping.base_path}"
            path, event_path = request.path.removeprefix(base) or "/", request.path
        if not api:
            return refusal(403, "Forbidden", "ForbiddenException")
        target = self._target(api, stage, path, event_path, request.method)
        if not target:
            return refusal(403, "Missing Authentication Token", "MissingAuthenticationTokenException")
        try:
            target = self._admitted(target, request, path, api)
        except Refused as refused:
            return refused.response
        return self._integrated(target, request)

    def _admitted(self, target: Target, request: Request, path: str, api: RestAPI) -> Target:
        """Return where a request goes, with what is known of the caller: authorization first, then the API key."""
        route, kind = target.route, target.method.authorization_type
        place = f"{api.region_name}:{self._account}:{route.api_id}/{route.stage}/{request.method}{path}"
        arn = f"arn:aws:execute-api:{place}"
        caller: dict[str, str] = {}
        if kind == "AWS_IAM":
            caller |= self._signatures.admit(request, arn, api.region_name)
        elif kind == "CUSTOM":
            authorizer = api.authorizers[target.method.authorizer_id]
            route = replace(route, authorizer=self.authorizers.admit(request, route, arn, authorizer))
        elif kind != "NONE":
            raise NotImplementedError(f"authorization by {kind}")
        if target.method.api_key_required:
            caller |= self.keys.admit(request, route, api.region_name)
        return target._replace(route=replace(route, caller=caller))

    def _integrated(self, target: Target, request: Request) -> Response:
        integration = target.method.method_integration
        found = FUNCTION.fullmatch(integration.uri) if integration else None
        if not integration or not found or not self._may_invoke(target, found[1], integration.credentials):
            return refusal(500, INTERNAL, "InternalServerErrorException")
        kept_by = gateway_cache.key(request, target.route, integration)
        keep = gateway_cache.seconds(target.stage, target.method, target.route.resource)
        payload = self._cache.get(kept_by) if keep else None
        if payload is None:
            running = self._functions.start(found[1], json.dumps(event(request, target.route)).encode())
            try:
                outcome = running.result(int(integration.timeout_in_millis or PATIENCE) / 1000)
            except TookTooLong:
                return refusal(504, "Endpoint request timed out", "InternalServerErrorException")
            if outcome.failed:
                return refusal(502, INTERNAL, "InternalServerErrorException")
            payload = outcome.payload
            if keep:
                self._cache.put(kept_by, payload, keep)
        try:
            return response(payload, request, target.route)
        except Malformed:
            return refusal(502, INTERNAL, "InternalServerErrorException")

    def _may_invoke(self, target: Target, arn: str, role: str | None) -> bool:
        """Tell whether the gateway may invoke a function: by a role, or by the function's own policy."""
        if not self._functions.exists(arn):
            return False
        if role:
            return self._roles.allows(role, "lambda:InvokeFunction", arn)
        function, route = self._functions.named(arn), target.route
        method = f"{route.stage}/{target.method.http_method}{route.resource}"
        source = f"arn:aws:execute-api:{function.region}:{self._account}:{route.api_id}/{method}"
        policy, own = {"Statement": function.policy.statements}, function.function_arn
        return lets_in(policy, "apigateway.amazonaws.com", source, "lambda:InvokeFunction", own)

    def _target(self, api: RestAPI, stage: str, path: str, event_path: str, verb: str) -> Target | None:
        if stage not in api.stages:
            return None
        deployed = snapshot(api, api.stages[stage])
        for resource, (resource_id, methods) in sorted(deployed.methods.items(), key=lambda each: _generality(each[0])):
            parameters = _parameters(resource, path)
            method = methods.get(verb) or methods.get("ANY")
            if parameters is not None and method:
                route = Route(
                    self._account,
                    api.id,
                    stage,
                    resource_id,
                    resource,
                    event_path,
                    api.stages[stage].variables,
                    parameters,
                    deployed.binary,
                    deployed.smallest_compressed,
                )
                return Target(api.stages[stage], method, route)
        return None

    def _mappings(self, host: str) -> Iterator[BasePathMapping]:
        for backend in list(apigateway_backends[self._account].values()):
            if host in backend.domain_names:
                yield from backend.base_path_mappings.get(host, {}).values()

    def _mapping(self, request: Request) -> BasePathMapping | None:
        first = request.path.split("/")[1]
        mappings = {mapping.base_path: mapping for mapping in self._mappings(request.host)}
        return mappings.get(first) or mappings.get("(none)")

    def _api(self, mapping: BasePathMapping) -> RestAPI | None:
        apis = (backend.apis for backend in list(apigateway_backends[self._account].values()))
        return next((known[mapping.rest_api_id] for known in apis if mapping.rest_api_id in known), None)


def _generality(resource: str) -> tuple[int, int]:
    return resource.count("+}"), resource.count("{")


def _parameters(template: str, path: str) -> dict[str, str] | None:
    """Return the parameters that a resource's path has in a request's; None if the paths do not match."""
    parts = re.split(r"\{(\w+\+?)\}", template)
    pattern = "".join(
        re.escape(part) if index % 2 == 0 else f"(?P<{part.rstrip('+')}>{'.+' if part.endswith('+') else '[^/]+'})"
        for index, part in enumerate(parts)
    )
    found = re.fullmatch(pattern, path) or re.fullmatch(pattern, path.removesuffix("/"))
    return found.groupdict() if found else None
