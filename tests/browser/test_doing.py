"""What the page does: another quote, copying, sharing, building a card, subscribing."""

import datetime as dt
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Site, Visit, awaited

READING = {"permissions": ["clipboard-read", "clipboard-write"]}
NO_CLIPBOARD = "Object.defineProperty(navigator, 'clipboard', {value: undefined})"
NOT_SHARING = "navigator.share = async () => { window.dismissed = true; throw new DOMException('', 'AbortError'); }"
SHARING = "window.shared = []; navigator.share = async what => { shared.push(what); }"
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


def test_the_api_is_tried_where_it_is_read(visit: Callable[..., Visit], site: Site):
    page = visit(f"{site.url}/docs").page
    daily = page.locator("#operations-Quotes-daily")
    daily.locator(".opblock-summary-control").click()

    for form, begins in (("text", site.corpus.of_day(site.today).quote), ("svg", "<svg ")):
        daily.locator("[data-param-name=format] select").select_option(form)
        daily.get_by_role("button", name="Execute").click()

        expect(daily.locator(".live-responses-table")).to_contain_text(begins)
