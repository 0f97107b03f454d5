"""Restrict API Gateway's cache, if a stage has one, to the quote of the day.

The cache ignores `Cache-Control`, and distinguishes requests only by its keys, of which Zappa's catch-all resource has
none. So for minutes it would give everybody the same random quote, or the same answer to a subscription. Therefore
`/daily` gets a resource of its own, with keys for everything its answer depends on, and nothing else is cached.
"""

from typing import Any

PATH = "daily"
KEYS = (
    "method.request.querystring.date",
    "method.request.querystring.format",
    "method.request.querystring.theme",
    "method.request.querystring.width",
    "method.request.header.Accept",
    "method.request.header.If-None-Match",
)


def keep_only_the_daily_quote(cli: Any) -> None:
    """Let the stage's cache keep nothing but the quote of the day (`callbacks.post`).

    See API Gateway's developer guide, "Cache settings for REST APIs".

    Args:
        cli: Zappa's command line, with the stage deployed.
    """
    if not cli.stage_config.get("cache_cluster_enabled"):
        return
    gateway, api = cli.zappa.apigateway_client, cli.zappa.get_api_id(cli.lambda_name)
    pages = gateway.get_paginator("get_resources").paginate(restApiId=api)
    resources = {item["path"]: item for page in pages for item in page["items"]}
    path = f"/{PATH}"
    if path in resources:  # replaced, as the stage may be closed by now; what is live changes only with a deployment
        gateway.delete_resource(restApiId=api, resourceId=resources[path]["id"])
    resource = gateway.create_resource(restApiId=api, parentId=resources["/"]["id"], pathPart=PATH)["id"]
    catch_all = {"restApiId": api, "resourceId": resources["/"]["id"], "httpMethod": "ANY"}
    method, integration = gateway.get_method(**catch_all), gateway.get_integration(**catch_all)
    for verb, keys in (("GET", KEYS), ("ANY", ())):
        _put_method(gateway, {"restApiId": api, "resourceId": resource, "httpMethod": verb}, method, integration, keys)
    size = str(cli.stage_config.get("cache_cluster_size", 0.5))
    gateway.create_deployment(restApiId=api, stageName=cli.api_stage, cacheClusterEnabled=True, cacheClusterSize=size)
    settings = {"/*/*/caching/enabled": "false", f"/~1{PATH}/GET/caching/enabled": "true"}
    settings[f"/~1{PATH}/GET/caching/ttlInSeconds"] = str(cli.stage_config.get("cache_cluster_ttl", 300))
    settings[f"/~1{PATH}/GET/caching/dataEncrypted"] = str(
        cli.stage_config.get("cache_cluster_encrypted", False)
    ).lower()
    changes = [{"op": "replace", "path": name, "value": value} for name, value in settings.items()]
    gateway.update_stage(restApiId=api, stageName=cli.api_stage, patchOperations=changes)


def _put_method(
    gateway: Any, where: dict[str, str], method: dict[str, Any], integration: dict[str, Any], keys: tuple[str, ...]
) -> None:
    """Create a method like Zappa's for the root, with cache keys."""
    known = ("authorizationType", "authorizerId", "apiKeyRequired")
    like = {name: method[name] for name in known if name in method}
    gateway.put_method(**where, **like, requestParameters=dict.fromkeys(keys, False))
    known = ("type", "uri", "credentials", "passthroughBehavior", "contentHandling", "timeoutInMillis")
    like = {name: integration[name] for name in known if name in integration}
    gateway.put_integration(
        **where, **like, integrationHttpMethod="POST", cacheKeyParameters=list(keys), cacheNamespace=PATH
    )
