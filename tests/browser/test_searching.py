"""Searching on the page: what is found while typing, more of it, and what is said where nothing can be."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Route, expect

from tests.browser.conftest import Site, Visit, served
from tests.injections import write_library

ELEMENTS = "[...new Set(Array.from(document.querySelectorAll('*'), element => element.localName))].sort()"


def test_searching_while_typing(visit: Callable[..., Visit], site: Site):
    opened = visit(f"{site.url}/")
    page, found, results = opened.page, opened.page.locator("#found"), opened.page.locator("#results li")

    page.locator("#q").press_sequentially("beauty jo", delay=20)

    expect(page.locator("#results mark", has_text="John")).to_have_count(1)  # not what "beauty" alone has found
    expect(results.filter(has_text="A thing of beauty is a joy for ever")).to_have_count(1)
    assert set(page.locator("#results mark").all_inner_texts()) == {"beauty", "joy", "John"}
    expect(found).to_contain_text(re.compile("quote"))
    assert page.url == f"{site.url}/?q=beauty+jo"
    asked = [address for address in opened.requests if "/quotes?" in address]
    assert len(asked) < len("beauty jo")

    page.locator("#q").fill("")
    expect(results).to_have_count(0)
    expect(found).to_have_text("")
    assert page.url == f"{site.url}/"


def test_more_of_what_was_found(visit: Callable[..., Visit], site: Site):
    page = visit(f"{site.url}/").page
    results, more = page.locator("#results li"), page.get_by_role("link", name="More", exact=True)

    page.locator("#q").fill("love")
    expect(results).to_have_count(10)
    total = int(page.locator("#found").inner_text().split()[0])
    while more.is_visible():
        count = results.count()
        more.click()
        expect(results.nth(count).get_by_role("link")).to_be_focused()

    texts = results.all_inner_texts()
    assert len(texts) == len(set(texts)) == total > 20


def test_only_the_latest_search_is_shown(visit: Callable[..., Visit], site: Site):
    page = visit(f"{site.url}/").page
    results, query = page.locator("#results li"), page.locator("#q")

    query.fill("love")
    expect(results).to_have_count(10)
    page.route("**/quotes?*", lambda route: None)  # is never answered
    with page.expect_request("**/quotes?*cursor=*"):
        page.get_by_role("link", name="More", exact=True).click()
    query.fill("")
    expect(results).to_have_count(0)
    expect(page.locator("#found")).to_have_text("")

    page.unroute("**/quotes?*")
    late: list[Route] = []
    page.route("**/quotes?q=wisdom*", lambda route: late.append(route))  # noqa: PLW0108 -- it sets attributes
    with page.expect_request("**/quotes?q=wisdom*"):
        query.fill("wisdom")
    query.fill("keats beauty")
    expect(page.locator("#found")).to_have_text("One quote.")
    late[0].fulfill(json={"results": [], "total": 0, "next": None})
    page.get_by_role("button", name="Another one").click()
    expect(page.locator("#kind")).to_have_text("A random quote")
    expect(page.locator("#found")).to_have_text("One quote.")


def test_nothing_found_is_said(visit: Callable[..., Visit], site: Site):
    page = visit(f"{site.url}/").page

    page.locator("#q").fill("xyzzy <b>plugh</b>")
    expect(page.locator("#found")).to_have_text("Nothing found.")
    page.locator("#q").fill("men to rocks and mountains")
    expect(page.locator("#found")).to_have_text("One quote.")
    page.locator("#q").fill('"')  # as somebody begins a phrase
    expect(page.locator("#found")).to_have_text("Nothing found.")


def test_what_quotes_say_is_never_done(visit: Callable[..., Visit], tmp_path: Path):
    lines = write_library(tmp_path)
    with served(tmp_path, library=tmp_path / "library.jsonl") as site:
        page = visit(f"{site.url}/?q=attack").page
        elements = page.evaluate(ELEMENTS)

        page.locator("#q").press("Enter")
        for count in (10, 20, 30, len(lines)):
            expect(page.locator("#results li")).to_have_count(count)
            if count < len(lines):
                page.get_by_role("link", name="More", exact=True).click()
        page.get_by_role("button", name="Another one").click()
        expect(page.locator("#kind")).to_have_text("A random quote")

        assert set(page.locator("#results .whole").all_text_contents()) == {line["quote"] for line in lines}
        assert page.evaluate(ELEMENTS) == elements
        assert page.evaluate("window.hit") is None


@pytest.mark.parametrize(
    ("status", "told"),
    [(200, "The service cannot be reached. Are you online?"), (502, "The service answered 502.")],
    ids=["a hotel's page", "a proxy's page"],
)
def test_what_is_no_answer_of_the_service_is_told(visit: Callable[..., Visit], site: Site, status: int, told: str):
    opened = visit(f"{site.url}/")
    opened.page.route("**/quotes?*", lambda route: route.fulfill(status=status, body="<p>Hello</p>"))

    opened.page.locator("#q").fill("love")

    expect(opened.page.locator("#found")).to_have_text(told)
    assert [text for text in opened.complaints if "status of 502" not in text] == []
    opened.complaints.clear()
