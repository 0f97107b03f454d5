"""A stage's cache (AWS, "Cache settings for REST APIs").

An answer is identified only by the values of the integration's cache keys.
"""

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from moto.apigateway.models import Integration, Method, Stage

from tests.aws.proxy_events import Request, Route, header

Key = tuple[str, ...]


class Cache:
    """Keep functions' answers for as long as a method's settings say."""

    def __init__(self) -> None:
        self._kept: dict[Key, tuple[float, bytes]] = {}

    def get(self, key: Key) -> bytes | None:
        """Return a cached answer; None if there is none or it has expired."""
        until, payload = self._kept.get(key, (0.0, b""))
        return payload if time.monotonic() < until else None

    def put(self, key: Key, payload: bytes, seconds: float) -> None:
        """Keep an answer."""
        self._kept[key] = time.monotonic() + seconds, payload


def seconds(stage: Stage, method: Method, resource: str) -> float | None:
    """Return how long a method's answers are cached; None if they are not.

    Args:
        stage: Where the method is deployed.
        method: The method. Only GET is cached, unless the method has settings of its own.
        resource: The resource's path.
    """
    own = resource.replace("~", "~0").replace("/", "~1")
    settings: Mapping[str, Mapping[str, Any]] = stage.method_settings
    general = settings.get("*/*") if method.http_method in ("GET", "ANY") else None
    found = settings.get(f"{own}/{method.http_method}") or general
    return found["cacheTtlInSeconds"] if stage.cache_cluster_enabled and found and found["cachingEnabled"] else None


def key(request: Request, route: Route, integration: Integration) -> Key:
    """Return the cache key of a request.

    Args:
        request: The request.
        route: Where it goes.
        integration: The integration that names the keys.
    """
    headers = {name.lower(): header(request.headers, name.lower()) for name, _ in request.headers}
    query = dict(parse_qsl(request.query, keep_blank_values=True))
    places = {"header": headers, "path": route.parameters, "querystring": query}
    values = []
    for parameter in integration.cache_key_parameters:
        _, _, place, name = parameter.split(".", 3)
        values.append(places[place].get(name.lower() if place == "header" else name, ""))
    return route.api_id, route.stage, integration.cache_namespace or route.resource_id, request.method, *values
