"""A domain of its own with a base path: what is linked there is found there."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.aws.account import Account
from tests.aws.stages import Stage, run

pytest_plugins = ("tests.aws.stages",)

BASE = "https://api.example.com/v1"
CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/00000000-0000-0000-0000-000000000000"


@pytest.fixture(scope="module")
def site(account: Account, project: Path) -> Iterator[Stage]:
    """Return a stage that is deployed and certified as the documentation says, as its domain shows it."""
    file = project / "zappa_settings.json"
    settings = json.loads(file.read_text())
    settings["based"] = {
        "extends": "dev",
        "remote_env": settings["dev"]["remote_env"].replace("/dev/", "/based/"),
        "aws_environment_variables": {
            "DATABASE_URL": settings["dev"]["aws_environment_variables"]["DATABASE_URL"].replace("/dev/", "/based/")
        },
        "domain": "api.example.com",
        "base_path": "v1",
        "certificate_arn": CERTIFICATE,
        "route53_enabled": True,
    }
    file.write_text(json.dumps(settings))
    zone = account.client("route53").create_hosted_zone(Name="example.com", CallerReference="base path")
    run(account, project, "make setup STAGE=based")
    run(account, project, "make deploy STAGE=based")
    run(account, project, "source .venv/bin/activate && zappa certify based --yes")
    yield Stage(account, project, "based", BASE)
    run(account, project, "echo y | make undeploy STAGE=based")
    account.client("route53").delete_hosted_zone(Id=zone["HostedZone"]["Id"])


def test_a_quote_is_answered_below_the_base_path_and_nothing_beside_it(site: Stage):
    daily = site.curl("/daily")

    assert (daily.status, daily.headers["content-type"]) == (200, "application/json")
    assert site.curl("/no/such/path").status == 404
    beside = Stage(site.account, site.project, site.name, BASE.removesuffix("/v1"))
    assert beside.curl("/daily").status == 403


def test_the_feed_links_to_what_is_there(site: Stage):
    feed = site.curl("/feed.atom").body.decode()

    links = dict(re.findall(r'<link rel="(\w+)"[^>]* href="([^"]+)"', feed.partition("<entry>")[0]))
    assert links["self"] == f"{BASE}/feed.atom"
    linked = re.findall(r'href="([^"]+)"', feed)
    assert {url.startswith(f"{BASE}/") for url in linked} == {True}
    assert {site.curl(url.removeprefix(BASE).replace("&amp;", "&")).status for url in linked} == {200}


def test_the_page_loads_and_links_to_what_is_there(site: Stage):
    page = site.curl("/", "--header", "Accept: text/html")

    found = set(re.findall(r'(?:href|src|action)="([^"#]+)"', page.body.decode()))
    paths = {url.removeprefix("https://api.example.com") for url in found if not url.startswith("https://github.com")}
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert {path for path in paths if not path.startswith("/v1")} == set()
    answered = {path: site.curl(path.removeprefix("/v1").replace("&amp;", "&")).status for path in paths}
    without_a_number = {"/v1/subscribe": 400, "/v1/unsubscribe": 400}  # what the forms send to
    assert {path: status for path, status in answered.items() if status != 200} == without_a_number


def test_how_to_confirm_and_the_document_name_the_domain(site: Stage):
    asked = site.curl("/subscribe?mobile=919028012345")

    assert asked.status == 202, asked.body
    assert f"use this URL with the OTP: {BASE}/subscribe?mobile=919028012345&otp=<OTP>" in asked.json["message"]
    assert site.curl("/openapi.json").json["servers"] == [{"url": "/v1"}]
