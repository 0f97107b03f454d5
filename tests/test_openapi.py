"""The OpenAPI document says what the service does: its routes, parameters, examples and answers, and no more."""

import itertools
import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from falcon import testing
from falcon.inspect import inspect_routes
from openapi_spec_validator import OpenAPIV31SpecValidator  # comes with moto[server]

from quotes.documentation_resources import document
from quotes.resources import create_api
from quotes.settings import Settings
from quotes.subscription_resources import DONE
from tests.test_import import server

DOCUMENT = json.loads(document())
PATHS = DOCUMENT["paths"]
FILES = {"/docs/{name}", "/static/{name}"}  # of the pages; they are theirs alone
ROOT = Path(__file__).parent.parent
CHECKS = Path(__file__).parent / "schemathesis.toml"
REQUIRED = {"mobile": "919028012345"}
FILLED_IN = {"/quotes/{id}": "/quotes/f3fe5b2d"}


def resolved(thing: dict[str, Any]) -> dict[str, Any]:
    """Return what a reference names, or the thing itself."""
    while "$ref" in thing:
        *_, kind, name = thing["$ref"].split("/")
        thing = DOCUMENT["components"][kind][name]
    return thing


def parameters(path: str) -> set[str]:
    """Return the names of the query parameters that are documented for `GET`."""
    found = (resolved(parameter) for parameter in PATHS[path]["get"].get("parameters", ()))
    return {parameter["name"] for parameter in found if parameter["in"] == "query"}


EVERY_PARAMETER = sorted(set().union(*(parameters(path) for path in PATHS)))


def examples(thing: Any) -> Iterator[tuple[str, Any]]:
    """Yield the path and the answer of every example that is an answer to a request."""
    if isinstance(thing, dict):
        if str(thing.get("summary", "")).startswith("/") and "value" in thing:
            yield thing["summary"], thing["value"]
        for inner in thing.values():
            yield from examples(inner)
    elif isinstance(thing, list):
        for inner in thing:
            yield from examples(inner)


@pytest.fixture
def client(make_service) -> testing.TestClient:
    return testing.TestClient(create_api(Settings(diagnostics=True), make_service()))


def test_every_route_and_method_is_documented_and_no_other(make_service):
    routes = inspect_routes(create_api(Settings(diagnostics=True), make_service()))
    answered = {
        route.path.replace(":path}", "}"): {method.method for method in route.methods if not method.internal}
        - {"HEAD", "OPTIONS"}
        for route in routes
        if route.path not in FILES
    }

    assert {path: {method.upper() for method in methods} for path, methods in PATHS.items()} == answered


@pytest.mark.parametrize("name", EVERY_PARAMETER)
@pytest.mark.parametrize("path", sorted(PATHS))
def test_a_parameter_is_understood_where_it_is_documented_and_nowhere_else(
    client: testing.TestClient, path: str, name: str
):
    required = {name: REQUIRED[name] for name in parameters(path) & REQUIRED.keys()}
    url = FILLED_IN.get(path, path)

    query = "&".join(f"{key}={value}" for key, value in (required | {name: "1"}).items())
    twice = [
        client.simulate_get(url, query_string=f"{query}&{name}=1", headers={"Accept": accept})
        for accept in ("application/json", "text/html, */*;q=0.1")  # the page has parameters of its own
    ]

    refused = {answer.json["detail"] for answer in twice if answer.status_code == 400}
    assert refused == ({f"The parameter '{name}' is given twice."} if name in parameters(path) else set())


@pytest.mark.parametrize(("url", "value"), [pytest.param(*found, id=found[0]) for found in examples(DOCUMENT)])
def test_an_example_is_what_is_answered(client: testing.TestClient, url: str, value: Any):
    path, _, query = url.partition("?")

    answer = client.simulate_get(path, query_string=query)

    assert (answer.text if isinstance(value, str) else answer.json) == value


ANSWERS = [
    "/",
    "/?count=0",
    "/?author=nobody",
    "/quote",
    "/quote?type=random",
    "/daily?format=svg",
    "/daily?date=2020-02-29",
    "/quotes",
    "/quotes?limit=0",
    "/quotes/f3fe5b2d",
    "/quotes/f3fe5b2e",
    "/authors",
    "/categories",
    "/feed.atom",
    "/subscribe?mobile=61491570006",
    "/subscribe?mobile=1",
    "/health",
    "/openapi.json",
    "/docs",
    "/async-failure",
]
EVERYWHERE = {  # said once, in words; or the server's own
    "access-control-allow-origin",
    "access-control-expose-headers",
    "content-length",
    "content-security-policy",
    "content-type",
    "referrer-policy",
    "x-content-type-options",
}


@pytest.mark.parametrize("url", ANSWERS)
def test_status_headers_and_type_of_an_answer_are_documented(client: testing.TestClient, url: str):
    path = "/quotes/{id}" if url.startswith("/quotes/") else url.partition("?")[0]
    for accept, tag in itertools.product(("*/*", "text/html", "image/png"), ('"another"', "*")):
        answer = client.simulate_get(url, headers={"Accept": accept, "If-None-Match": tag})

        documented = resolved(PATHS[path]["get"]["responses"][str(answer.status_code)])
        headers = {name.lower(): resolved(header) for name, header in documented.get("headers", {}).items()}
        required = {name for name, header in headers.items() if header.get("required")}
        assert required <= set(answer.headers) - EVERYWHERE <= set(headers)
        media_type = answer.headers.get("Content-Type", "").partition(";")[0]
        assert media_type in documented["content"] if answer.content else "content" not in documented


def test_the_document_is_openapi():
    assert list(OpenAPIV31SpecValidator(DOCUMENT).iter_errors()) == []


def test_the_messages_of_who_has_confirmed_are_those_that_are_sent():
    examples_of_done = DOCUMENT["components"]["responses"]["Done"]["content"]["application/json"]["examples"]

    assert [example["value"]["message"] for example in examples_of_done.values()] == list(DONE.values())


def test_the_running_service_answers_as_documented(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        free_port = str(probe.getsockname()[1])
    environ = {"PORT": free_port, "QUOTES_DIAGNOSTICS": "1", "LOG_LEVEL": "CRITICAL", "PYTHONPATH": str(ROOT)}
    with server([sys.executable, "-m", "quotes", "serve"], environ, tmp_path) as (_, port):
        command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(CHECKS), "run"]
        command.append(f"http://127.0.0.1:{port}/openapi.json")
        ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stdout
    (tested,) = re.findall(r"Tested: (\d+)", ended.stdout)
    assert int(tested) >= len(PATHS), ended.stdout
