"""API keys of a stage that requires them, and the usage plan that limits them.

Zappa creates a key but no usage plan, and without a plan no key is accepted. Each stage has a plan of its own: it has
the function's name, is bound to the stage, and takes its limits from `usage_plan` in the stage's settings.
"""

import re
from collections.abc import Iterator
from typing import Any

from deploy import stage
from deploy.stage import StageError

PLAN = {"throttle": {"rateLimit": 10, "burstLimit": 20}, "quota": {"limit": 10_000, "period": "DAY"}}
NAME = re.compile(r"[\w.@-]{1,64}", re.ASCII)
SMOKE = "smoke"  # the key with which `make smoke` comes in


def make(name: str, who: str) -> Iterator[str]:
    """Create somebody's key for a stage and print its value, which only AWS keeps.

    Args:
        name: The stage's name.
        who: The key's owner. A key that exists already is not printed again.

    Raises:
        StageError: The stage requires no key or is not deployed, or the owner's name is unusable.
    """
    cli = _stage_with_keys(name)
    if not NAME.fullmatch(who):
        raise StageError(f"Whose key? `make key STAGE={name} NAME=alice`; a name may have letters, digits and . @ _ -")
    plan = _plan(cli)
    yield _told(plan)
    value = _made(cli, plan, who)
    if value is None:
        again = f"make revoke STAGE={name} NAME={who}"
        yield f"key {who}: exists, and is not shown again; if it is lost, `{again}` and create another"
    else:
        yield f"key {who}: created; it works within a minute, as the header x-api-key, and is not shown again:"
        yield value


def listed(name: str) -> Iterator[str]:
    """List who has a key for a stage, without the values.

    Args:
        name: The stage's name.

    Raises:
        StageError: The stage requires no key.
    """
    cli = _stage_with_keys(name)
    plan = _found_plan(cli)
    bound = _bound(cli, plan) if plan else set()
    if plan:
        yield _told(plan)
    for key in sorted(_keys(cli), key=lambda key: str(key["name"])):
        who, made = key["name"].partition(":")[2], f"{key['createdDate']:%Y-%m-%d}"
        is_open = key["enabled"] and key["id"] in bound
        yield f"{who}  created {made}{'' if is_open else ', not accepted'}"


def revoke(name: str, who: str) -> Iterator[str]:
    """Delete somebody's key.

    Args:
        name: The stage's name.
        who: The key's owner.

    Raises:
        StageError: The stage requires no key, or there is no such key.
    """
    cli = _stage_with_keys(name)
    keys = _keys_of(cli, who)
    if not keys:
        raise StageError(f"There is no key of that name; `make keys STAGE={name}` lists them.")
    for key in keys:
        cli.zappa.apigateway_client.delete_api_key(apiKey=key["id"])
    yield f"key {who}: deleted"


def for_smoke(cli: Any) -> str:
    """Return the value of the key `smoke`; create the key, and the plan, if missing.

    Args:
        cli: Zappa's command line, with the settings of a deployed stage loaded.
    """
    gateway, plan = cli.zappa.apigateway_client, _plan(cli)
    made = _made(cli, plan, SMOKE)
    if made is not None:
        return made
    (key,) = (key for key in _keys_of(cli, SMOKE) if key["id"] in _bound(cli, plan))
    return str(gateway.get_api_key(apiKey=key["id"], includeValue=True)["value"])


def remove_all(cli: Any) -> Iterator[str]:
    """Delete a stage's keys and its plan, once the API is deleted.

    Args:
        cli: Zappa's command line, with the stage's settings loaded.
    """
    gateway = cli.zappa.apigateway_client
    for key in list(_keys(cli)):
        gateway.delete_api_key(apiKey=key["id"])
        yield f"key {key['name'].partition(':')[2]}: deleted"
    plan = _found_plan(cli)
    if plan:
        _unbind(gateway, plan, plan.get("apiStages", []))
        gateway.delete_usage_plan(usagePlanId=plan["id"])
        yield f"usage plan {plan['name']}: deleted"


def _stage_with_keys(name: str) -> Any:
    cli = stage.loaded(name)
    if not cli.api_key_required:
        raise StageError(f"The stage {name} requires no key: `api_key_required` is not set.")
    return cli


def _plan(cli: Any) -> Any:
    """Return the stage's plan, after creating it or bringing limits and bindings up to date."""
    gateway, wanted = cli.zappa.apigateway_client, PLAN | cli.stage_config.get("usage_plan", {})
    api = cli.zappa.get_api_id(cli.lambda_name)
    if not api:
        raise StageError(f"The stage {cli.api_stage} has no API: `make deploy STAGE={cli.api_stage}` first.")
    own = {"apiId": api, "stage": cli.api_stage}
    plan = _found_plan(cli)
    if not plan:
        return gateway.create_usage_plan(name=cli.lambda_name, apiStages=[own], **wanted)
    places = [{"apiId": each["apiId"], "stage": each["stage"]} for each in plan.get("apiStages", [])]
    _unbind(gateway, plan, [each for each in places if each != own])  # an API that has been replaced
    values = {f"/{kind}/{field}": str(value) for kind in wanted for field, value in wanted[kind].items()}
    changes = [{"op": "replace", "path": path, "value": value} for path, value in values.items()]
    if own not in places:
        changes.append({"op": "add", "path": "/apiStages", "value": f"{api}:{cli.api_stage}"})
    return gateway.update_usage_plan(usagePlanId=plan["id"], patchOperations=changes)


def _found_plan(cli: Any) -> Any:
    pages = cli.zappa.apigateway_client.get_paginator("get_usage_plans").paginate()
    return next((plan for page in pages for plan in page["items"] if plan["name"] == cli.lambda_name), None)


def _unbind(gateway: Any, plan: Any, places: list[dict[str, Any]]) -> None:
    changes = [{"op": "remove", "path": "/apiStages", "value": f"{each['apiId']}:{each['stage']}"} for each in places]
    if changes:
        gateway.update_usage_plan(usagePlanId=plan["id"], patchOperations=changes)


def _made(cli: Any, plan: Any, who: str) -> str | None:
    """Return the value of a new key; None if there is one. An unbound key was left by an interruption: replace it."""
    gateway, bound = cli.zappa.apigateway_client, _bound(cli, plan)
    for key in _keys_of(cli, who):
        if key["id"] in bound:
            return None
        gateway.delete_api_key(apiKey=key["id"])
    key = gateway.create_api_key(name=f"{cli.lambda_name}:{who}", enabled=True)
    gateway.create_usage_plan_key(usagePlanId=plan["id"], keyId=key["id"], keyType="API_KEY")
    return str(key["value"])


def _keys(cli: Any) -> Iterator[Any]:
    """Yield the stage's keys, without their values."""
    prefix = f"{cli.lambda_name}:"
    for page in cli.zappa.apigateway_client.get_paginator("get_api_keys").paginate(nameQuery=prefix):
        yield from (key for key in page["items"] if key["name"].startswith(prefix))


def _keys_of(cli: Any, who: str) -> list[Any]:
    return [key for key in _keys(cli) if key["name"] == f"{cli.lambda_name}:{who}"]


def _bound(cli: Any, plan: Any) -> set[str]:
    """Return the ids of the keys in a plan."""
    pages = cli.zappa.apigateway_client.get_paginator("get_usage_plan_keys").paginate(usagePlanId=plan["id"])
    return {key["id"] for page in pages for key in page["items"]}


def _told(plan: Any) -> str:
    throttle, quota = plan["throttle"], plan["quota"]
    pace = f"{throttle['rateLimit']:g} requests a second, {throttle['burstLimit']} at once"
    return f"usage plan {plan['name']}: each key {pace}, {quota['limit']} a {quota['period'].lower()}"
