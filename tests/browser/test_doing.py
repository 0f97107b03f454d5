"""What the page does: another quote, copying, sharing, searching, building a card, subscribing."""

import datetime as dt
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Site, Visit, awaited, served
from tests.injections import write_library

READING = {"permissions": ["clipboard-read", "clipboard-write"]}
NO_CLIPBOARD = "Object.defineProperty(navigator, 'clipboard', {value: undefined})"
NOT_SHARING = "navigator.share = async () => { window.dismissed = true; throw new DOMException('', 'AbortError'); }"
SHARING = "window.shared = []; navigator.share = async what => { shared.push(what); }"
ELEMENTS = "[...new Set(Array.from(document.querySelectorAll('*'), element => element.localName))].sort()"
NUMBER = "919028012345"


def copied(page: Page) -> str:
    return page.evaluate("navigator.clipboard.readText()")


def shown(page: Page) -> tuple[str, str]:
    return page.locator("blockquote").inner_text(), page.locator("#quote .author").inner_text()


def test_another_quote_at_a_click(visit: Callable[..., Visit], site: Site):
    page = visit(f"{site.url}/").page
    today, seen = shown(page), set()

    for _ in range(5):
        before = page.locator("blockquote").element_handle()
        page.get_by_role("button", name="Another one").click()
        page.wait_for_function("before => !before.isConnected", arg=before)
        seen.add(shown(page))

    assert len(seen) > 2
    expect(page.locator("#kind")).to_have_text("A random quote")
    expect(page.locator("#date")).to_be_hidden()
    expect(page.get_by_role("button", name="Another one")).to_be_focused()
    page.get_by_role("link", name="Back to today").click()
    assert shown(page) == today


def test_who_presses_twice_asks_once(visit: Callable[..., Visit], site: Site):
    opened = visit(f"{site.url}/")
    opened.page.route("**/quote?*", lambda route: None)  # is never answered

    for _ in range(2):
        opened.page.get_by_role("button", name="Another one").click()

    assert len([address for address in opened.requests if "/quote?" in address]) == 1


@pytest.mark.parametrize(
    ("script", "address"),
    [("", "/"), (NO_CLIPBOARD, "/?date={:%Y-%m-%d}")],  # two quotes, for they share the clipboard
    ids=["clipboard", "no clipboard"],
)
def test_copying_the_quote(visit: Callable[..., Visit], site: Site, script: str, address: str):
    yesterday = site.today - dt.timedelta(days=1)
    page = visit(f"{site.url}{address.format(yesterday)}", script=script, **READING).page
    quote = site.corpus.of_day(yesterday if "date" in address else site.today)

    page.get_by_role("button", name="Copy", exact=True).click()

    expect(page.get_by_role("status").filter(has_text="Copied.")).to_be_visible()
    page.locator("#markdown").evaluate("field => { field.readOnly = false; field.value = ''; field.focus(); }")
    page.keyboard.press("Control+V")
    expect(page.locator("#markdown")).to_have_value(f"{quote.quote}\n— {quote.author}")


def test_sharing_where_the_browser_cannot_copies_the_link(visit: Callable[..., Visit], site: Site):
    page = visit(f"{site.url}/", script="delete Navigator.prototype.share", **READING).page

    page.get_by_role("button", name="Share").click()

    expect(page.get_by_role("status").filter(has_text="Link copied.")).to_be_visible()
    assert copied(page) == f"{site.url}/?date={site.today}"


def test_sharing_where_the_browser_can(visit: Callable[..., Visit], site: Site):
    page = visit(f"{site.url}/", script=SHARING).page
    today = site.corpus.of_day(site.today)

    page.get_by_role("button", name="Share").click()

    page.wait_for_function("() => shared.length")
    assert page.evaluate("shared") == [
        {"text": f"{today.quote}\n— {today.author}", "url": f"{site.url}/?date={site.today}"}
    ]


def test_who_does_not_share_after_all_is_told_nothing(visit: Callable[..., Visit], site: Site):
    page = visit(f"{site.url}/", script=NOT_SHARING).page

    page.get_by_role("button", name="Share").click()

    page.wait_for_function("() => window.dismissed && !document.querySelector('[aria-busy]')")
    expect(page.locator("#told")).to_have_text("")


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


def test_what_was_found_opens_and_can_be_shared(visit: Callable[..., Visit], site: Site):
    page = visit(f"{site.url}/", script="delete Navigator.prototype.share", **READING).page

    page.locator("#q").fill("men to rocks and mountains")
    page.get_by_role("link", name="What are men to rocks and mountains?").click()

    expect(page.locator("blockquote")).to_have_text("What are men to rocks and mountains?")
    page.get_by_role("button", name="Share").click()
    expect(page.get_by_role("status").filter(has_text="Link copied.")).to_be_visible()
    assert copied(page) == f"{site.url}/?quote=f3fe5b2d"

    page.go_back()
    expect(page.locator("#q")).to_have_value("men to rocks and mountains")
    expect(page.locator("#results li")).to_have_count(1)


def test_nothing_found_is_said(visit: Callable[..., Visit], site: Site):
    opened = visit(f"{site.url}/")
    page = opened.page

    page.locator("#q").fill("xyzzy <b>plugh</b>")
    expect(page.locator("#found")).to_have_text("Nothing found.")
    page.locator("#q").fill("???")
    expect(page.locator("#found")).to_have_text("This has no letter and no digit to search for.")

    assert [text for text in opened.complaints if "status of 400" not in text] == []
    opened.complaints.clear()


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


def test_a_card_is_built_and_shown(visit: Callable[..., Visit], site: Site):
    page = visit(f"{site.url}/", **READING).page
    without_script = [page.locator(field).input_value() for field in ("#markdown", "#html")]

    page.get_by_label("Dark").check()
    page.get_by_label("Light").check()
    assert [page.locator(field).input_value() for field in ("#markdown", "#html")] == without_script
    page.get_by_label("Dark").check()
    page.get_by_label(re.compile("Width")).fill("400")

    card = f"{site.url}/daily?format=svg&theme=dark&width=400"
    expect(page.locator("#preview")).to_have_attribute("src", card.removeprefix(re.match(r"http://[^/]*", card)[0]))
    page.locator("#preview").scroll_into_view_if_needed()
    page.wait_for_function("() => document.getElementById('preview').naturalWidth === 400")
    expect(page.locator("#markdown")).to_have_value(f"[![Quote of the day]({card})]({site.url}/)")
    page.get_by_role("button", name="Copy the Markdown").click()
    expect(page.locator(".code").first.get_by_role("status")).to_have_text("Copied.")
    assert copied(page) == f"[![Quote of the day]({card})]({site.url}/)"
    page.get_by_role("button", name="Copy the HTML").click()
    expect(page.locator(".code").last.get_by_role("status")).to_have_text("Copied.")
    html = copied(page)
    assert html == page.locator("#html").input_value()
    page.evaluate("html => document.body.insertAdjacentHTML('beforeend', `<div id=pasted>${html}</div>`)", html)
    expect(page.locator("#pasted a")).to_have_attribute("href", f"{site.url}/")
    expect(page.locator("#pasted img")).to_have_attribute("src", card)


def test_a_card_as_the_readers_theme_is(visit: Callable[..., Visit], site: Site):
    page = visit(f"{site.url}/", color_scheme="dark").page

    page.get_by_label("As the reader").check()

    expect(page.locator("#preview")).to_have_attribute("src", "/daily?format=svg&theme=dark&width=600")
    html = page.locator("#html").input_value()
    expect(page.locator("#markdown")).to_have_value(html)
    page.evaluate("html => document.body.insertAdjacentHTML('beforeend', `<div id=pasted>${html}</div>`)", html)
    address = f"{site.url}/daily?format=svg&theme="
    expect(page.locator("#pasted img")).to_have_attribute("src", f"{address}light&width=600")
    page.wait_for_function(
        "src => document.querySelector('#pasted img').currentSrc === src", arg=f"{address}dark&width=600"
    )


def test_who_comes_back_finds_a_card_and_the_code_for_it(visit: Callable[..., Visit], site: Site):
    page = visit(f"{site.url}/?show=random").page  # is not kept as it was left

    page.get_by_label("Dark").check()
    page.get_by_label(re.compile("Width")).fill("400")
    page.goto(f"{site.url}/static/icon.svg")
    page.go_back()

    is_dark = page.get_by_label("Dark").is_checked()
    card = f"format=svg&theme={'dark' if is_dark else 'light'}&width={page.locator('#width').input_value()}"
    expect(page.locator("#preview")).to_have_attribute("src", f"/daily?{card}")
    assert f"?{card})" in page.locator("#markdown").input_value()
    assert f'{card}"'.replace("&", "&amp;") in page.locator("#html").input_value()


def test_subscribing_and_unsubscribing_with_a_code(visit: Callable[..., Visit], site: Site):
    opened = visit(f"{site.url}/")
    page = opened.page
    number, code, told = page.locator("#mobile"), page.locator("#otp"), page.locator("#texted")

    number.fill("+91 90280 12345")
    number.press("Enter")
    expect(told).to_have_text("A code is on its way to your phone.")
    expect(code).to_be_focused()
    code.fill(site.code(NUMBER))
    code.press("Enter")
    expect(told).to_contain_text("comes by text from now on.")
    expect(code).to_be_hidden()
    expect(number).to_have_value("")

    first = site.code(NUMBER)
    number.fill("+91 90280 12345")
    page.get_by_role("button", name="Unsubscribe this number").click()
    expect(code).to_be_focused()
    code.fill(awaited(lambda: site.code(NUMBER) != first and site.code(NUMBER)))
    page.get_by_role("button", name="Confirm").click()
    expect(told).to_have_text("Done: no more texts come to this number.")

    assert not [address for address in opened.requests if NUMBER[2:] in address]


def test_a_wrong_number_and_a_wrong_code_are_told(visit: Callable[..., Visit], site: Site):
    opened = visit(f"{site.url}/")
    page, told = opened.page, opened.page.locator("#texted")

    page.locator("#mobile").fill("12")
    page.get_by_role("button", name="Send a code").click()
    expect(told).to_contain_text("This is not a mobile number; write it with its country code")
    page.locator("#mobile").fill("+91 90280 54321")
    page.get_by_role("button", name="Send a code").click()
    right = site.code("919028054321")
    page.locator("#otp").fill("000000" if right != "000000" else "000001")
    page.get_by_role("button", name="Confirm").click()
    expect(told).to_contain_text("The code")
    page.locator("#otp").fill(right)
    page.get_by_role("button", name="Confirm").click()
    expect(told).to_contain_text("comes by text from now on.")

    refused = [text for text in opened.complaints if "status of 400" in text]
    assert len(refused) == len(opened.complaints) == 2
    opened.complaints.clear()


def test_without_a_connection_it_says_so_and_stays(visit: Callable[..., Visit], site: Site):
    opened = visit(f"{site.url}/")
    page, before = opened.page, shown(opened.page)
    page.context.set_offline(True)

    page.get_by_role("button", name="Another one").click()
    page.locator("#q").fill("love")
    page.locator("#mobile").fill("+91 90280 12345")
    page.get_by_role("button", name="Send a code").click()
    for place in ("#told", "#found", "#texted"):
        expect(page.locator(place)).to_have_text("The service cannot be reached. Are you online?")

    assert shown(page) == before
    expect(page.locator("#confirm")).to_be_hidden()
    assert all("ERR_INTERNET_DISCONNECTED" in text for text in opened.complaints)
    opened.complaints.clear()


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
