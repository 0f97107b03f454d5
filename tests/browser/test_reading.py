"""The page as it is read: at 320 and 1280 pixels, light and dark, with and without JavaScript, and with axe's rules."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.browser.conftest import SIZES, Site, Visit, served

SCHEMES = ["light", "dark"]
LARGEST = 50_000  # bytes, of all that is loaded but the card


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Return the service below a stage's prefix."""
    with served(tmp_path_factory.mktemp("staged"), mounted="/dev") as site:
        yield site


def reads_well(visit: Visit, site: Site) -> None:
    """Hold a page to what is there without any script."""
    page, today = visit.page, site.corpus.of_day(site.today)
    expect(page.locator("blockquote")).to_have_text(today.quote)
    expect(page.locator("#quote .author")).to_have_text(today.author)
    expect(page.locator("#date")).to_have_attribute("datetime", site.today.isoformat())
    expect(page.locator("#days li")).to_have_count(30)
    expect(page.locator("#api pre")).to_contain_text(f"{site.url}/daily")
    width, inner = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert width <= inner


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("size", SIZES)
def test_it_reads_well_and_axe_finds_nothing(visit: Callable[..., Visit], site: Site, size: str, scheme: str):
    opened = visit(f"{site.url}/", size, color_scheme=scheme, reduced_motion="reduce")
    page = opened.page

    reads_well(opened, site)
    expect(page.get_by_role("status")).to_have_count(6)  # there before they say something, or nobody hears it
    page.locator("summary").click()
    page.locator("#q").fill("love")
    expect(page.locator("#results li")).to_have_count(10)
    page.locator("#confirm").evaluate("form => form.hidden = false")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert (
        page.evaluate("getComputedStyle(document.body).backgroundColor")
        == {
            "light": "rgb(251, 248, 242)",
            "dark": "rgb(23, 20, 17)",
        }[scheme]
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("size", SIZES)
def test_axe_finds_nothing_without_the_script_either(visit: Callable[..., Visit], site: Site, size: str, scheme: str):
    # axe is a script itself, so it cannot look at a page that has none at all.
    opened = visit(f"{site.url}/?q=love", size, color_scheme=scheme, withheld="**/page.js*")

    reads_well(opened, site)
    expect(opened.page.get_by_role("button", name="Copy", exact=True)).to_be_hidden()
    found = Axe().run(opened.page)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("size", SIZES)
def test_it_reads_well_without_javascript(visit: Callable[..., Visit], site: Site, size: str):
    opened = visit(f"{site.url}/", size, java_script_enabled=False)
    page = opened.page

    reads_well(opened, site)
    assert page.locator("button:visible").all_inner_texts() == [
        "Another one",
        "Search",
        "Show the card",
        "Send a code",
        "Unsubscribe this number",
    ]
    page.get_by_role("button", name="Another one").click()
    expect(page.locator("#kind")).to_have_text("A random quote")
    page.get_by_role("link", name="Back to today").click()
    expect(page.locator("#kind")).to_have_text("Quote of the day")
    page.locator("#days .when").first.click()
    expect(page.locator("blockquote")).to_have_text(page.locator("#days li p").first.inner_text())
    assert "date=" in page.url
    page.locator("#q").fill("men to rocks")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("#results mark")).to_have_text(["men", "to", "rocks"])
    page.get_by_role("link", name="What are men to rocks and mountains?").click()
    expect(page.locator("blockquote")).to_have_text("What are men to rocks and mountains?")


def test_everything_works_below_a_stage(visit: Callable[..., Visit], staged: Site):
    opened = visit(staged.url)  # /dev, without a slash
    page = opened.page

    reads_well(opened, staged)
    page.get_by_role("button", name="Another one").click()
    expect(page.locator("#kind")).to_have_text("A random quote")
    page.locator("#q").fill("love")
    expect(page.locator("#results li")).to_have_count(10)
    page.get_by_role("link", name="More", exact=True).click()
    expect(page.locator("#results li")).to_have_count(20)
    page.locator("#preview").scroll_into_view_if_needed()
    page.wait_for_function("() => document.getElementById('preview').naturalWidth > 0")
    page.locator("#days .when").first.click()
    page.get_by_role("link", name="Back to today").click()
    assert page.url == f"{staged.url}/"
    assert {address for address in opened.requests if not address.startswith(staged.url)} == set()


def test_keys_alone_reach_everything(visit: Callable[..., Visit], site: Site):
    page = visit(f"{site.url}/").page

    reached = []
    for _ in range(60):
        page.keyboard.press("Tab")
        at = page.evaluate(
            "(e => e.id || e.dataset.copy && `copy ${e.dataset.copy}` || e.getAttribute('href') || e.value"
            " || e.innerText)(document.activeElement)"
        )
        if at in reached or not at:
            break
        reached.append(at)
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert reached[0] == "#main"
    assert {"copy", "share", "q", "width", "copy markdown", "html", "mobile", "Send a code", "random"} <= set(reached)

    page.goto(f"{site.url}/")
    expect(page.locator(".skip")).not_to_be_in_viewport()
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_it_is_small_with_all_that_it_loads(visit: Callable[..., Visit], site: Site):
    sizes: dict[str, int] = {}
    page = visit(f"{site.url}/").page
    page.on("response", lambda answer: sizes.update({answer.url: len(answer.body())}))
    page.goto(f"{site.url}/?show=random", wait_until="networkidle")

    loaded = {address: size for address, size in sizes.items() if "format=svg" not in address}
    assert {Path(address.partition("?")[0]).name for address in loaded} >= {"style.css", "page.js"}
    assert sum(loaded.values()) < LARGEST
