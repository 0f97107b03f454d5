"""The page's files over HTTP."""

import pytest
from falcon import testing

from quotes.static_files import FOLDER, MEDIA_TYPES, addresses

DOCUMENTATIONS = "docs.js"  # sent at its own address
KEPT, LOOKED_AT = "public, max-age=31536000, immutable", "no-cache"


@pytest.mark.parametrize("name", MEDIA_TYPES)
def test_a_file_is_kept_for_good_at_the_address_that_holds_its_hash(client: testing.TestClient, name: str):
    answer = client.simulate_get(f"/static/{addresses()[name]}")

    assert (answer.status_code, answer.content) == (200, (FOLDER / name).read_bytes())
    assert answer.headers["Content-Type"] == MEDIA_TYPES[name]
    assert answer.headers["Cache-Control"] == KEPT
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("query", ["", "v=0123456789ab", "v=", "x=1"])
def test_at_another_address_it_has_to_be_looked_at_each_time(client: testing.TestClient, query: str):
    answer = client.simulate_get("/static/style.css", query_string=query)

    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, LOOKED_AT)
    assert answer.content == (FOLDER / "style.css").read_bytes()


def test_it_is_not_sent_again_to_who_has_it(client: testing.TestClient):
    etag = client.simulate_get("/static/page.js").headers["ETag"]
    answer = client.simulate_get("/static/page.js", headers={"If-None-Match": etag})

    assert (answer.status_code, answer.content) == (304, b"")


@pytest.mark.parametrize(
    "name", ["", "none.css", "__init__.py", "..", "..%2Fresources.py", "..%2f..%2fPipfile", "style.css%00", "STYLE.CSS"]
)
def test_nothing_else_is_a_file(client: testing.TestClient, name: str):
    answer = client.simulate_get(f"/static/{name}")

    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/problem+json")


def test_every_file_in_the_folder_is_sent():
    assert {path.name for path in FOLDER.iterdir()} - {DOCUMENTATIONS} == set(MEDIA_TYPES)
