"""API keys and usage plans (AWS, "Usage plans and API keys for REST APIs in API Gateway")."""

import hmac
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from moto.apigateway.models import APIGatewayBackend, ApiKey, UsagePlan, apigateway_backends

from tests.aws.gateway_refusals import Refused
from tests.aws.proxy_events import Request, Route, header

PERIODS = {
    "DAY": "%Y-%m-%d",
    "WEEK": "%G-%V",
    "MONTH": "%Y-%m",
}  # a quota's periods, as formats that differ between them


class Keys:
    """Admit requests with a key that is bound to the stage, within the limits of its plan.

    Args:
        account: The account's number.

    Attributes:
        clock: Tells the seconds since 1970 by which plans count.
    """

    def __init__(self, account: str) -> None:
        self.clock: Callable[[], float] = time.time
        self._account = account
        self._lock = threading.Lock()
        self._left: dict[tuple[str, str], tuple[float, float]] = {}  # tokens in the bucket, and when
        self._used: dict[tuple[str, str, str], int] = {}

    def admit(self, request: Request, route: Route, region: str) -> dict[str, str]:
        """Return what an event says of the request's key.

        Args:
            request: The request.
            route: Where it goes.
            region: The API's region.

        Raises:
            Refused: The key is missing, unknown or not bound to the stage, or has reached its limit.
        """
        value = header(request.headers, "x-api-key")
        with self._lock:
            found = next(self._bound(apigateway_backends[self._account][region], value, route), None)
            if not found:
                raise Refused(403, "Forbidden", "ForbiddenException")
            key, plan = found
            self._count(key, plan)
        return {"apiKey": key.value, "apiKeyId": key.id}

    @staticmethod
    def _bound(gateway: APIGatewayBackend, value: str, route: Route) -> Iterator[tuple[ApiKey, UsagePlan]]:
        """Yield the key with a value, with each plan that binds it to the stage."""
        for key in gateway.keys.values():
            if key.enabled and hmac.compare_digest(key.value.encode(), value.encode()):
                for plan in gateway.get_usage_plans(key.id):
                    stages = {(each["apiId"], each["stage"]) for each in plan.api_stages}
                    if (route.api_id, route.stage) in stages:
                        yield key, plan

    def _count(self, key: ApiKey, plan: UsagePlan) -> None:
        """Count a request: throttling is a token bucket, a quota is a counter for each period."""
        now, place = self.clock(), (key.id, plan.id)
        if plan.throttle:
            most, rate = float(plan.throttle.get("burstLimit", 1)), float(plan.throttle.get("rateLimit", 1))
            left, before = self._left.get(place, (most, now))
            left = min(most, left + (now - before) * rate)
            if left < 1:
                raise Refused(429, "Too Many Requests", "TooManyRequestsException")
            self._left[place] = left - 1, now
        if plan.quota:
            period = (*place, datetime.fromtimestamp(now, UTC).strftime(PERIODS[plan.quota["period"]]))
            if self._used.get(period, 0) >= int(plan.quota["limit"]):
                raise Refused(429, "Limit Exceeded", "LimitExceededException")
            self._used[period] = self._used.get(period, 0) + 1
