"""Compute what a stage costs a month from AWS's public prices; `python -m deploy.costs` prints the README's table."""

from typing import NamedTuple

# US dollars in us-east-1, November 2026: aws.amazon.com, pricing pages of lambda, api-gateway, s3 and cloudwatch.
LAMBDA_REQUEST = 0.20 / 1e6
LAMBDA_GB_SECOND = 0.0000166667
GATEWAY_TIERS = ((333e6, 3.50 / 1e6), (667e6, 2.80 / 1e6), (float("inf"), 2.38 / 1e6))  # REST API, by requests
CACHE_HOUR = 0.02  # of 0.5 GB
S3_GET, S3_PUT = 0.40 / 1e6, 5.0 / 1e6
LOG_GB = 0.50  # ingested
TRANSFER_GB, TRANSFER_FREE_GB = 0.09, 100

HOURS = 730  # in a month
DAYS = 30


class Use(NamedTuple):
    """How much a stage is used.

    Attributes:
        requests: Per month.
        cached: The share of them that the gateway's cache answers; 0 without a cache.
    """

    requests: float
    cached: float = 0.0


MEMORY = 1.0  # GB
WARM, COLD = 0.003, 0.3  # seconds billed for a request, and additionally for a cold start
COLD_SHARE = 0.01  # of the invocations
ANSWER, LOG = 0.8e3, 0.7e3  # bytes per request, headers included
GETS_A_START = 2  # the remote environment and the state


def costs(use: Use) -> dict[str, float]:
    """Return what each service costs a month in US dollars, without deducting AWS's free allowances."""
    invocations = use.requests * (1 - use.cached)
    starts = invocations * COLD_SHARE
    seconds = invocations * WARM + starts * COLD
    gateway, left = 0.0, use.requests
    for size, price in GATEWAY_TIERS:
        gateway += min(left, size) * price
        left -= min(left, size)
    transfer = max(0.0, use.requests * ANSWER / 1e9 - TRANSFER_FREE_GB)
    return {
        "Lambda": invocations * LAMBDA_REQUEST + seconds * MEMORY * LAMBDA_GB_SECOND,
        "API Gateway": gateway,
        "its cache": CACHE_HOUR * HOURS if use.cached else 0.0,
        "S3": starts * GETS_A_START * S3_GET + DAYS * S3_PUT,
        "logs": invocations * LOG / 1e9 * LOG_GB,
        "transfer": transfer * TRANSFER_GB,
    }


def table() -> str:
    """Return the README's table."""
    uses = [Use(requests, cached) for requests in (1e4, 1e6, 1e8) for cached in (0.0, 0.5)]
    rows = [costs(use) for use in uses]
    lines = [
        f"| requests a month | cache | {' | '.join(rows[0])} | total |",
        f"|--:|---|{'--:|' * (len(rows[0]) + 1)}",
    ]
    for use, row in zip(uses, rows, strict=True):
        amounts = [f"${amount:,.2f}" for amount in (*row.values(), sum(row.values()))]
        lines.append(f"| {use.requests:,.0f} | {'on' if use.cached else 'off'} | {' | '.join(amounts)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(table(), end="")
