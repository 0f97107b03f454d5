"""What moto lacks of API Gateway: snapshots of deployments, stage caches, and half of the properties."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any, NamedTuple

import pytest
from moto.apigateway.exceptions import BadRequestException
from moto.apigateway.models import (
    APIGatewayBackend,
    Authorizer,
    Deployment,
    Method,
    RestAPI,
    Stage,
    apigateway_backends,
)
from moto.apigateway.responses import APIGatewayResponse
from moto.cloudformation.exceptions import ValidationError
from moto.core.common_models import CloudFormationModel

AUTHORIZATION_TYPES = ("NONE", "AWS_IAM", "CUSTOM", "COGNITO_USER_POOLS")


class Snapshot(NamedTuple):
    """An API as it was deployed: later changes are not served before the next deployment.

    Attributes:
        binary: The binary media types.
        smallest_compressed: The fewest bytes of an answer that is compressed; None for never.
        methods: By the resource's path, its id and its methods by verb.
    """

    binary: tuple[str, ...]
    smallest_compressed: int | None
    methods: dict[str, tuple[str, dict[str, Method]]]


def close(moto: pytest.MonkeyPatch) -> None:
    """Close the gaps until the patch is undone."""
    moto.setattr(RestAPI, "apply_patch_operations", _patch_api)
    moto.setattr(RestAPI, "create_authorizer", _with_expression(RestAPI.create_authorizer))
    moto.setattr(RestAPI, "create_deployment", _deployed(RestAPI.create_deployment))
    moto.setattr(RestAPI, "delete_from_cloudformation_json", classmethod(_delete_api))
    moto.setattr(APIGatewayBackend, "delete_usage_plan", _delete_plan)
    moto.setattr(Method, "create_from_cloudformation_json", classmethod(_make_method))
    moto.setattr(APIGatewayResponse, "create_deployment", _with_cache(APIGatewayResponse.create_deployment))
    moto.setattr(APIGatewayResponse, "put_integration", _with_key(APIGatewayResponse.put_integration))


def snapshot(api: RestAPI, stage: Stage) -> Snapshot:
    """Return what a stage serves."""
    found: Snapshot = api.deployments[stage.deployment_id].snapshot
    return found


class CloudFormationAuthorizer(CloudFormationModel):
    """The authorizer as a CloudFormation resource, which moto lacks; it finds this class by its base."""

    @staticmethod
    def cloudformation_name_type() -> str:
        """Return the property with the name; empty because CloudFormation does not generate one."""
        return ""

    @staticmethod
    def cloudformation_type() -> str:
        """Return the resource's type."""
        return "AWS::ApiGateway::Authorizer"

    @classmethod
    def create_from_cloudformation_json(
        cls,
        resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
        **kwargs: Any,
    ) -> "CloudFormationAuthorizer":
        """Create the authorizer."""
        given = cloudformation_json["Properties"]
        made: Authorizer = apigateway_backends[account_id][region_name].create_authorizer(
            given["RestApiId"],
            given["Name"],
            given["Type"],
            provider_arns=given.get("ProviderARNs"),
            authorizer_uri=given.get("AuthorizerUri"),
            authorizer_credentials=given.get("AuthorizerCredentials"),
            identity_source=given.get("IdentitySource"),
            authorizer_result_ttl=given.get("AuthorizerResultTtlInSeconds", 300),
            identiy_validation_expression=given.get("IdentityValidationExpression"),
        )
        authorizer = cls()
        authorizer.physical_resource_id = made.id
        return authorizer

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: Any,
        new_resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
    ) -> "CloudFormationAuthorizer":
        """Replace the authorizer with a new one."""
        return cls.create_from_cloudformation_json(new_resource_name, cloudformation_json, account_id, region_name)

    @classmethod
    def delete_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str
    ) -> None:
        """Do nothing: it is deleted with its API."""


def _make_method(
    cls: type[Method],
    resource_name: str,
    cloudformation_json: dict[str, Any],
    account_id: str,
    region_name: str,
    **kwargs: Any,
) -> Method:
    """Create a method with what moto leaves out: authorizer, role, time-out, cache key."""
    given, backend = cloudformation_json["Properties"], apigateway_backends[account_id][region_name]
    resource = given["ResourceId"]
    if resource == given["RestApiId"]:
        resource = backend.apis[resource].root_resource_id
    place = given["RestApiId"], resource, given["HttpMethod"]
    if given["AuthorizationType"] not in AUTHORIZATION_TYPES:
        raise ValidationError(message="Invalid authorization type specified. Please specify one of the allowed values.")
    method: Method = backend.put_method(
        *place,
        authorization_type=given["AuthorizationType"],
        api_key_required=str(given.get("ApiKeyRequired", "")).lower() == "true",
        authorizer_id=given.get("AuthorizerId"),
    )
    wanted = given["Integration"]
    integration = backend.put_integration(
        *place,
        integration_type=wanted["Type"],
        uri=wanted.get("Uri", ""),
        integration_method=wanted.get("IntegrationHttpMethod", "POST"),
        credentials=wanted.get("Credentials"),
        request_templates=wanted.get("RequestTemplates"),
        timeout_in_millis=wanted.get("TimeoutInMillis"),
        cache_namespace=wanted.get("CacheNamespace"),
    )
    integration.cache_key_parameters = wanted.get("CacheKeyParameters", [])
    return method


def _delete_api(
    cls: type[RestAPI], resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str
) -> None:
    """Delete an API with its stack, and remove its stages from usage plans."""
    backend = apigateway_backends[account_id][region_name]
    backend.apis.pop(resource_name, None)
    for plan in backend.usage_plans.values():
        plan.api_stages = [each for each in plan.api_stages if each["apiId"] != resource_name]


def _delete_plan(backend: APIGatewayBackend, usage_plan_id: str) -> None:
    """Delete a usage plan, unless a stage is bound to it; moto deletes it anyway."""
    stages = ", ".join(f"{each['apiId']}:{each['stage']}" for each in backend.get_usage_plan(usage_plan_id).api_stages)
    if stages:
        message = f"Cannot delete Usage Plan {usage_plan_id} because there are API Stages associated with it, including"
        raise BadRequestException(f"{message} {stages}")
    backend.usage_plans.pop(usage_plan_id)
    backend.usage_plan_keys.pop(usage_plan_id, None)


def _patch_api(api: RestAPI, operations: list[dict[str, Any]]) -> None:
    """Change an API (AWS, "Patch operations": RestApi); moto supports half of the operations."""
    for each in operations:
        kind, path, value = each["op"], each["path"], each.get("value")
        name, _, member = path.removeprefix("/").partition("/")
        member = member.replace("~1", "/").replace("~0", "~")
        if name == "binaryMediaTypes" and kind == "add":
            api.binaryMediaTypes.append(member)
        elif name == "binaryMediaTypes" and kind == "remove":
            api.binaryMediaTypes.remove(member)
        elif name == "minimumCompressionSize" and kind == "replace":
            api.minimum_compression_size = int(value) if value else None
        elif name in ("description", "name", "policy") and kind == "replace":
            setattr(api, name, value)
        else:
            raise BadRequestException(f"Patch operation not known here: {each}")


def _with_expression(create: Callable[..., Authorizer]) -> Callable[..., Authorizer]:
    """Create an authorizer with its validation expression, which moto loses by a misspelling."""

    def made(api: RestAPI, *given: Any, **named: Any) -> Authorizer:
        authorizer = create(api, *given, **named)
        authorizer.identity_validation_expression = named.get("identiy_validation_expression")
        return authorizer

    return made


def _deployed(create: Callable[..., Deployment]) -> Callable[..., Deployment]:
    """Deploy an API, and keep the settings of an existing stage; moto replaces the stage."""

    def deployed(api: RestAPI, name: str, description: str, stage_variables: Any = None) -> Deployment:
        before = api.stages.get(name)
        deployment = create(api, name, description, stage_variables)
        methods = {each.get_path(): (each.id, deepcopy(each.resource_methods)) for each in api.resources.values()}
        deployment.snapshot = Snapshot(tuple(api.binaryMediaTypes), api.minimum_compression_size, methods)
        if before:
            before.deployment_id = deployment.id
            before.variables = stage_variables or before.variables
            api.stages[name] = before
        return deployment

    return deployed


def _with_cache(create: Callable[[APIGatewayResponse], Any]) -> Callable[[APIGatewayResponse], Any]:
    """Deploy, and create the stage's cache if requested."""

    def deployed(request: APIGatewayResponse) -> Any:
        answer = create(request)
        api, stage = request.path.split("/")[2], request._get_param("stageName")
        cached = request._get_param("cacheClusterEnabled")
        if stage and cached is not None:
            value = [{"op": "replace", "path": "/cacheClusterEnabled", "value": str(cached)}]
            request.backend.update_stage(api, stage, value)
        return answer

    return deployed


def _with_key(put: Callable[[APIGatewayResponse], Any]) -> Callable[[APIGatewayResponse], Any]:
    """Create an integration with its cache keys."""

    def made(request: APIGatewayResponse) -> Any:
        answer = put(request)
        _, _, api, _, resource, _, verb, *_ = request.path.split("/")
        keys = request._get_param("cacheKeyParameters", [])
        request.backend.get_integration(api, resource, verb).cache_key_parameters = keys
        return answer

    return made
