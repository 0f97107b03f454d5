"""The cache that a stage may have (AWS, "Cache settings for REST APIs").

An answer is found by the values of what its integration names as keys, and by nothing else.
"""

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from moto.apigateway.models import Integration, Method, Stage

from tests.aws.proxy_events import Request, Route, header

Key = tuple[str, ...]


class Cache:
    """Keep what functions answered, for as long as a method's settings say."""

    def __init__(self) -> None:
        self._kept: dict[Key, tuple[float, bytes]] = {}

    def get(self, key: Key) -> bytes | None:
        """Return an answer that is kept; None where there is none, or none any longer."""
        until, payload = self._kept.get(key, (0.0, b""))
        return payload if time.monotonic() < until else None

    def put(self, key: Key, payload: bytes, seconds: float) -> None:
        """Keep an answer."""
        self._kept[key] = time.monotonic() + seconds, payload


def seconds(stage: Stage, method: Method, resource: str) -> float | None:
    """Return for how long a method's answers are kept; None for not at all.

    Args:
        stage: Where the method is deployed.
        method: It; unless it is said of one itself, only GET is kept.
        resource: The resource's path.
    """
    own = resource.replace("~", "~0").replace("/", "~1")
    settings: Mapping[str, Mapping[str, Any]] = stage.method_settings
    general = settings.get("*/*") if method.http_method in ("GET", "ANY") else None
    found = settings.get(f"{own}/{method.http_method}") or general
    return found["cacheTtlInSeconds"] if stage.cache_cluster_enabled and found and found["cachingEnabled"] else None


def key(request: Request, route: Route, integration: Integration) -> Key:
    """Return by what an answer is found.

    Args:
        request: What is asked.
        route: Where it goes.
        integration: What names the keys.
    """
    headers = {name.lower(): header(request.headers, name.lower()) for name, _ in request.headers}
    query = dict(parse_qsl(request.query, keep_blank_values=True))
    places = {"header": headers, "path": route.parameters, "querystring": query}
    values = []
    for parameter in integration.cache_key_parameters:
        _, _, place, name = parameter.split(".", 3)
        values.append(places[place].get(name.lower() if place == "header" else name, ""))
    return route.api_id, route.stage, integration.cache_namespace or route.resource_id, request.method, *values
