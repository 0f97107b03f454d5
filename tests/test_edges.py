"""What is too large or makes no sense is refused before any resource sees it, and every answer forbids the same."""

import io

import pytest
from falcon import testing

from quotes.edges import LONGEST_BODY

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
OF_EVERY_ANSWER = {
    "Access-Control-Allow-Origin": "*",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def problem(title: str, status: int, detail: str) -> dict[str, object]:
    slug = title.lower().replace(" ", "-")
    kind = f"urn:problem-type:{slug}" if title == "Invalid Host" else "about:blank"
    return {"type": kind, "title": title, "status": status, "detail": detail}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/daily", 200),
        ("HEAD", "/quote?type=random", 200),
        ("GET", "/daily?format=text", 200),
        ("GET", "/health", 200),
        ("GET", "/quote?type=weekly", 400),
        ("GET", "/nowhere", 404),
        ("POST", "/daily", 405),
        ("OPTIONS", "/daily", 200),
        ("GET", "/daily#\0", 404),
    ],
)
def test_every_answer_forbids_a_browser_what_it_is_not_for(
    client: testing.TestClient, method: str, path: str, status: int
):
    answer = client.simulate_request(method, path)

    assert answer.status_code == status
    assert {name: answer.headers.get(name) for name in OF_EVERY_ANSWER} == OF_EVERY_ANSWER
    assert "Strict-Transport-Security" not in answer.headers


@pytest.mark.parametrize("query", ["date=9999-12-31", "quote=none", "show=all"])
def test_an_error_of_the_page_is_no_page(client: testing.TestClient, query: str):
    answer = client.simulate_get("/", query_string=query, headers={"Accept": "text/html"})

    assert answer.headers["Content-Type"] == "application/problem+json"
    assert {name: answer.headers.get(name) for name in OF_EVERY_ANSWER} == OF_EVERY_ANSWER


def test_only_what_came_by_https_says_that_the_host_has_https(client: testing.TestClient):
    assert client.simulate_get("/daily", protocol="https").headers["Strict-Transport-Security"] == "max-age=31536000"


def test_no_answer_tells_what_runs_here(client: testing.TestClient):
    answer = client.simulate_get("/nowhere")

    assert not {"server", "x-powered-by", "via"} & {name.lower() for name in answer.headers}


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["/", "/daily", "/subscribe", "/nowhere"])
def test_a_body_that_is_too_long_is_refused_everywhere_unread(client: testing.TestClient, method: str, path: str):
    class Unreadable(io.BytesIO):
        def read(self, *_: object) -> bytes:
            raise AssertionError("it was read")

    told = {"CONTENT_LENGTH": str(LONGEST_BODY + 1), "wsgi.input": Unreadable()}
    answer = client.simulate_request(method, path, headers=FORM, extras=told)

    assert answer.status_code == 413
    if method != "HEAD":
        assert answer.json == problem("Request Entity Too Large", 413, "A body may have at most 10000 bytes.")
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_body_of_the_longest_length_is_read(client: testing.TestClient):
    body = "mobile=919028012345&".ljust(LONGEST_BODY, "x")

    assert client.simulate_post("/subscribe", headers=FORM, body=body).status_code == 202


@pytest.mark.parametrize("path", ["/", "/subscribe", "/nowhere"])
def test_a_body_whose_length_is_not_told_is_refused(client: testing.TestClient, path: str):
    answer = client.simulate_post(path, headers=FORM, extras={"HTTP_TRANSFER_ENCODING": "chunked"})

    assert answer.status_code == 411
    assert answer.json == problem(
        "Length Required", 411, "Send the body with its length, in the header Content-Length."
    )


def test_a_body_that_ends_early_does_nothing(client: testing.TestClient, caplog: pytest.LogCaptureFixture):
    told = {"CONTENT_LENGTH": "25", "wsgi.input": io.BytesIO(b"mobile=919028012345")}
    answer = client.simulate_post("/subscribe", headers=FORM, extras=told)

    assert answer.status_code == 400
    assert answer.json == problem("Bad Request", 400, "The body ended after 19 of 25 bytes.")
    assert "SMS" not in caplog.text


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:8000",
        "quotes.example.com",
        "my_service:80",
        "192.0.2.1:8000",
        "[::1]",
        "[2001:db8::1]:80",
    ],
)
def test_a_host_that_may_be_one_is_taken(client: testing.TestClient, host: str):
    answer = client.simulate_get("/subscribe", params={"mobile": "919028012345"}, headers={"Host": host})

    assert answer.status_code == 202
    assert answer.json["message"].endswith(f" http://{host}/subscribe?mobile=919028012345&otp=<OTP>")


@pytest.mark.parametrize(
    "host",
    [
        *("", "a b", "a/b", "evil.example/@localhost", "user@host", 'x"onload=', "<b>", "a,b", "h:port", "h:123456"),
        *("\xe9", "::1", "[::1", "[x]", "a" * 300, "h?x", "h#x", "h\tx"),
    ],
)
@pytest.mark.parametrize("path", ["/daily", "/nowhere"])
def test_a_host_that_is_none_is_400(client: testing.TestClient, host: str, path: str):
    answer = client.simulate_get(path, extras={"HTTP_HOST": host})

    assert answer.status_code == 400
    assert answer.json == problem("Invalid Host", 400, "The header Host is not a host's name.")


def test_headers_of_a_proxy_do_not_say_which_host_it_is(client: testing.TestClient):
    forged = {"X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example", "X-Forwarded-Prefix": "/evil"}
    answer = client.simulate_get("/subscribe", params={"mobile": "919028012345"}, headers=forged)

    assert "evil" not in answer.text
