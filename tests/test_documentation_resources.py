"""The OpenAPI document and the page that shows it: whole, and right below a stage's prefix."""

import pytest
from falcon import testing

from quotes import __version__
from quotes.documentation_resources import FILES, POLICY
from quotes.resources import create_api
from quotes.settings import Settings


def test_the_document_says_where_the_service_is(client: testing.TestClient):
    at_root = client.simulate_get("/openapi.json")
    below_a_stage = client.simulate_get("/openapi.json", root_path="/dev")

    assert at_root.status_code == 200
    assert at_root.headers["Content-Type"] == "application/json"
    assert at_root.headers["Cache-Control"] == "public, max-age=3600"
    assert at_root.headers["Access-Control-Allow-Origin"] == "*"
    assert at_root.json["info"]["version"] == __version__
    assert at_root.json["servers"] == [{"url": "/"}]
    assert below_a_stage.json["servers"] == [{"url": "/dev"}]
    assert at_root.headers["ETag"] != below_a_stage.headers["ETag"]
    assert client.simulate_get("/openapi.json", headers={"If-None-Match": at_root.headers["ETag"]}).status_code == 304


def test_the_document_names_the_public_url_and_no_host_that_a_client_makes_up():
    client = testing.TestClient(create_api(Settings(public_url="https://quotes.example.com/api")))

    answer = client.simulate_get("/openapi.json", host="evil.example.net")

    assert answer.json["servers"] == [{"url": "https://quotes.example.com/api"}]
    assert 'src="/api/docs/docs.js"' in client.simulate_get("/docs").text


@pytest.mark.parametrize("root", ["", "/dev", '/"><script>'])
def test_the_page_loads_what_is_here_and_nothing_else(client: testing.TestClient, root: str):
    page = client.simulate_get("/docs", root_path=root)

    assert page.status_code == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.headers["Content-Security-Policy"] == POLICY
    assert page.headers["Cache-Control"] == "public, max-age=3600"
    escaped = root.replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")
    assert f'data-document="{escaped}/openapi.json"' in page.text
    assert f'href="{escaped}/static/icon.svg?v=' in page.text  # else browsers look for /favicon.ico, outside a stage
    assert page.text.count("<script") == 2
    assert "http" not in page.text


@pytest.mark.parametrize("name", [*FILES, "docs.js"])
def test_the_files_of_the_page_are_answered_and_kept(client: testing.TestClient, name: str):
    answer = client.simulate_get(f"/docs/{name}")

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == FILES.get(name, "text/javascript; charset=utf-8")
    assert answer.headers["Cache-Control"] == "public, max-age=3600"
    assert len(answer.content) > 100
    again = client.simulate_get(f"/docs/{name}", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.simulate_head(f"/docs/{name}").headers["ETag"] == answer.headers["ETag"]


@pytest.mark.parametrize("name", ["swagger-ui.js", "..%2f..%2fsettings.py", "%2e%2e", ""])
def test_no_other_file_is_answered(client: testing.TestClient, name: str):
    answer = client.simulate_get(f"/docs/{name}")

    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"
