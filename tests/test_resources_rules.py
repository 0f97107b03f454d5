"""What holds for every quote over HTTP: which representation is answered, and which parameters are refused."""

import pytest
from falcon import testing

QUOTES = ["/", "/quote", "/quote?type=random", "/daily"]
JSON, TEXT, SVG = "application/json", "text/plain; charset=utf-8", "image/svg+xml"
PARAMETERS = ["type", "format", "theme", "width", "date", "category", "author", "min_length", "max_length", "count"]
OF_PATHS = [
    *(("/quote", name) for name in PARAMETERS),
    *(("/quotes", name) for name in ["q", "author", "category", "limit", "cursor", "highlight"]),
    *(("/quotes/5123f758", name) for name in ["format", "theme", "width"]),
    ("/authors", "limit"),
    ("/categories", "limit"),
]


@pytest.mark.parametrize("path", QUOTES)
@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (None, JSON),
        ("", JSON),
        ("*/*", JSON),
        ("application/json", JSON),
        ("application/*", JSON),
        ("application/json; charset=utf-8", JSON),
        ("APPLICATION/Json", JSON),
        ("text/plain;q=0.5, application/json", JSON),
        ("text/plain", TEXT),
        ("text/*", TEXT),
        ("Text/Plain", TEXT),
        ("text/plain;charset=utf-8", TEXT),
        ("text/plain; charset=UTF-8", TEXT),
        ("text/plain, */*;q=0.1", TEXT),
        ("text/plain;q=0.5, application/json;q=0.1", TEXT),
        ("application/json;q=0, */*", TEXT),
        ("image/svg+xml", SVG),
        ("image/*", SVG),
        ("image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8", SVG),  # Chromium's, for <img>
        ("image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5", SVG),  # Firefox's
        ("application/json;q=0, text/plain;q=0, text/html;q=0, */*", SVG),
    ],
)
def test_the_representation_is_what_accept_prefers(
    client: testing.TestClient, path: str, accept: str | None, content_type: str
):
    answer = client.simulate_get(path, headers={} if accept is None else {"Accept": accept})

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, content_type)
    assert answer.headers["Vary"] == "Accept"


@pytest.mark.parametrize("path", ["/quote", "/daily"])
def test_a_browser_that_opens_a_quote_is_shown_json(client: testing.TestClient, path: str):
    answer = client.simulate_get(
        path, headers={"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
    )

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, JSON)


@pytest.mark.parametrize("path", QUOTES)
@pytest.mark.parametrize("accept", ["image/png", "application/json;q=0", "*/*;q=0", "rubbish", "text/plain;q=x"])
def test_an_accept_that_nothing_fits_is_406(client: testing.TestClient, path: str, accept: str):
    answer = client.simulate_get(path, headers={"Accept": accept})

    assert answer.status_code == 406
    assert answer.headers["Vary"] == "Accept"
    assert (
        answer.json["detail"] == "This is available as application/json or text/plain; charset=utf-8 or image/svg+xml."
    )


@pytest.mark.parametrize("path", [*QUOTES, "/quotes/5123f758"])
@pytest.mark.parametrize(
    "query", ["format=xml", "format=svg&format=svg", "width=1", "count=2&count=3&theme", "type=weekly&theme="]
)
def test_an_error_varies_like_what_it_stands_for(client: testing.TestClient, path: str, query: str):
    answer = client.simulate_get(f"{path}{'&' if '?' in path else '?'}{query}")

    assert answer.status_code == 400
    assert answer.headers["Vary"] == "Accept"


@pytest.mark.parametrize("path", ["/", "/quote", "/daily"])
@pytest.mark.parametrize("accept", ["application/json", "text/plain", "text/html", "rubbish"])
@pytest.mark.parametrize(("form", "content_type"), [("json", JSON), ("text", TEXT), ("svg", SVG)])
def test_format_wins_over_accept(client: testing.TestClient, path: str, accept: str, form: str, content_type: str):
    answer = client.simulate_get(path, params={"format": form}, headers={"Accept": accept})

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, content_type)
    assert answer.headers["Vary"] == "Accept"


@pytest.mark.parametrize("path", ["/", "/quote", "/daily"])
@pytest.mark.parametrize("form", ["xml", "text/plain", "json,text", "../json", " json", "svg "])
def test_an_unknown_format_is_400(client: testing.TestClient, path: str, form: str):
    answer = client.simulate_get(path, params={"format": form})

    assert answer.status_code == 400
    assert answer.json["detail"] == "The parameter 'format' is none of json, text, svg."


@pytest.mark.parametrize("kind", ["Daily", "RANDOM", "weekly", "daily,random", "0", " daily", "random "])
def test_any_other_type_is_400(client: testing.TestClient, kind: str):
    answer = client.simulate_get("/quote", params={"type": kind})

    assert answer.status_code == 400
    assert answer.json["title"] == "Invalid Quote type"
    assert answer.json["detail"] == "Supported types are 'daily' or 'random'."


@pytest.mark.parametrize(("path", "name"), OF_PATHS)
@pytest.mark.parametrize(
    ("query", "reason"),
    [
        pytest.param("{0}=1&{0}=1", "is given twice", id="given twice"),
        pytest.param("{0}=1&x=2&{0}=3", "is given twice", id="given twice, apart"),
        pytest.param("{0}=", "is empty", id="empty"),
        pytest.param("{0}", "is empty", id="without a value"),
        pytest.param("{0}=+%20+", "is empty", id="spaces"),
        pytest.param("{0}=" + 201 * "1", "is longer than 200 characters", id="over-long"),
        pytest.param("{0}=" + 100_000 * "%C3%A9", "is longer than 200 characters", id="enormous"),
        pytest.param("{0}=%FF", "is not UTF-8", id="no UTF-8"),
        pytest.param("{0}=a%C3", "is not UTF-8", id="cut UTF-8"),
        pytest.param("{0}=%C0%AF", "is not UTF-8", id="overlong UTF-8"),
        pytest.param("{0}=%ED%A0%80", "is not UTF-8", id="surrogate"),
        pytest.param("{0}=a%00b", "holds control characters", id="NUL"),
        pytest.param("{0}=a%0Ab", "holds control characters", id="line feed"),
        pytest.param("{0}=a%7Fb", "holds control characters", id="DEL"),
    ],
)
def test_a_parameter_that_no_value_can_be_read_from_is_400_and_named(
    client: testing.TestClient, path: str, name: str, query: str, reason: str
):
    answer = client.simulate_get(path, query_string=query.format(name))

    assert answer.status_code == 400
    assert answer.json["title"] == "Invalid parameter"
    assert answer.json["detail"] == f"The parameter '{name}' {reason}."


NOT_NUMBERS = {
    "Arabic-Indic": "\u0663",
    "Devanagari": "\u0969",
    "fullwidth": "\uff13",
    "superscript": "\u00b2",
    "mixed": "1\u0660",
    "word": "three",
    "sign": "+3",
    "negative": "-3",
    "fraction": "3.0",
    "exponent": "1e1",
    "hexadecimal": "0x3",
    "underscore": "1_0",
    "two": "1 2",
    "a space before": " 3",  # as an unencoded + is read
    "a space behind": "3 ",
    "long": "1" * 10,
}


@pytest.mark.parametrize(
    ("name", "limits"), [("count", "1 to 50"), ("min_length", "0 to 999999999"), ("max_length", "0 to 999999999")]
)
@pytest.mark.parametrize("value", NOT_NUMBERS.values(), ids=NOT_NUMBERS)
def test_numbers_are_ascii_digits_only(client: testing.TestClient, name: str, limits: str, value: str):
    answer = client.simulate_get("/quote", params={"type": "random", name: value})

    assert answer.status_code == 400
    assert answer.json["detail"] == f"The parameter '{name}' is not a whole number from {limits}."


@pytest.mark.parametrize("count", ["0", "51", "999999999"])
def test_a_count_is_1_to_50(client: testing.TestClient, count: str):
    answer = client.simulate_get("/quote", params={"type": "random", "count": count})

    assert answer.status_code == 400
    assert answer.json["detail"] == "The parameter 'count' is not a whole number from 1 to 50."


@pytest.mark.parametrize(
    "path", ["/", "/quote", "/daily", "/health", "/quotes", "/quotes/5123f758", "/authors", "/categories"]
)
@pytest.mark.parametrize(
    "query",
    ["x=1&x=2", "x=", "x", "x=" + 5000 * "1", "x=%FF", "%FF=1", "x=%00", "=", "&&", "TYPE=x", "%", "x=%zz&%u00"],
)
def test_unknown_parameters_are_ignored_even_when_malformed(client: testing.TestClient, path: str, query: str):
    assert client.simulate_get(path, query_string=query).status_code == 200


@pytest.mark.parametrize(
    "url", ["/daily?type=x&count=x&author=%FF", "/?type=x&date=x&date=%FF", "/health?format=x&type=&date=x"]
)
def test_a_path_ignores_what_only_another_path_knows(client: testing.TestClient, url: str):
    assert client.simulate_get(url).status_code == 200


def test_names_of_parameters_may_be_encoded_like_their_values(client: testing.TestClient):
    answer = client.simulate_get("/quote", query_string="%74ype=%72andom&co%75nt=%32")

    assert (answer.status_code, len(answer.json)) == (200, 2)


@pytest.mark.parametrize("day", ["yesterday", "2026-02-30", "9999-12-31"])
def test_a_day_is_refused_also_where_it_would_not_matter(client: testing.TestClient, day: str):
    answer = client.simulate_get("/quote", params={"type": "random", "date": day})

    assert answer.status_code == 400
    assert answer.json["detail"].startswith("The parameter 'date' ")


@pytest.mark.parametrize("name", ["min_length", "max_length", "count"])
def test_a_number_is_refused_also_where_it_would_not_matter(client: testing.TestClient, name: str):
    answer = client.simulate_get("/quote", params={"type": "daily", name: "many"})

    assert answer.status_code == 400
    assert answer.json["detail"].startswith(f"The parameter '{name}' is not a whole number from ")
    assert client.simulate_get("/quote", params={"type": "daily", name: "5"}).json == client.simulate_get("/daily").json
