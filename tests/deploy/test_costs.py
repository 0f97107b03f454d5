"""What a stage costs: the README's table is the computed one, and the computation adds up."""

import pytest

from deploy.costs import Use, costs, table
from deploy.stage import SETTINGS


def test_the_readme_has_the_table():
    assert table() in (SETTINGS.parent / "README.md").read_text(encoding="utf-8")


def test_a_million_requests_without_cache():
    assert costs(Use(1_000_000)) == pytest.approx(
        {
            "Lambda": 0.20 + (1e6 * 0.003 + 1e4 * 0.3) * 1.0 * 0.0000166667,
            "API Gateway": 3.50,
            "its cache": 0.0,
            "S3": 1e4 * 2 * 0.4e-6 + 30 * 5e-6,
            "logs": 0.35,
            "transfer": 0.0,
        }
    )


def test_more_than_a_tier_costs_less_each():
    assert costs(Use(433e6))["API Gateway"] == pytest.approx(333 * 3.50 + 100 * 2.80)


def test_what_the_cache_answers_invokes_nothing():
    without, with_cache = costs(Use(1e8)), costs(Use(1e8, cached=0.5))

    assert with_cache["its cache"] == pytest.approx(14.60)
    for service in ("Lambda", "logs"):
        assert with_cache[service] == pytest.approx(without[service] / 2)
    assert with_cache["API Gateway"] == without["API Gateway"]
