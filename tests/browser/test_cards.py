"""Cards as a browser draws them: nothing is cut, nothing overlaps, whatever they say."""

import base64
import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from quotes.corpus import Corpus
from quotes.quote import Quote
from quotes.representations import NARROWEST, THEMES, WIDEST
from quotes.representations.card import COLOURS, draw

WIDTHS = (NARROWEST, 480, WIDEST)
OVERHANG = 2.0  # pixels, that a letter may lean out of its line


def quote(words: str, author: str, source: str | None = None) -> Quote:
    return Quote(words, author, "Width", source)


QUOTES = {
    "Arabic": quote("اطلبوا العلم ولو في الصين، فإن طلب العلم فريضة على كل مسلم.", "الإمام علي", "نهج البلاغة"),
    "Hebrew": quote("אם אין אני לי, מי לי? וכשאני לעצמי, מה אני? ואם לא עכשיו, אימתי?", "הלל", "Avot 1:14"),
    "Chinese": quote("學而時習之、不亦說乎。有朋自遠方來、不亦樂乎。" * 3, "孔子", "《論語》學而第一"),
    "both ways": quote('He said "שלום עולם" and then (مرحبا 123) left: 50% of us.', "Ann עברית", "مصدر (1999)"),
    "verse": quote(
        "Tyger Tyger, burning bright,\nIn the forests of the night;\nWhat immortal hand or eye", "William Blake"
    ),
    "Thai": quote("ตนเป็นที่พึ่งแห่งตน คนอื่นใครเล่าจะเป็นที่พึ่งได้", "พระพุทธเจ้า", "ธรรมบท"),
    "emoji": quote("Laugh 😂 and the world 👨‍👩‍👧‍👦👩🏽‍🚀🏳️‍🌈🇩🇪🇮🇳👨‍👩‍👧‍👦 laughs. ❤️" * 3, "Ella 🌍", "🎉" * 40),
    "Russian": quote("Все счастливые семьи похожи друг на друга.", "Лев Толстой", "Анна Каренина (1877)"),  # noqa: RUF001
    "Hindi": quote("कर्मण्येवाधिकारस्ते मा फलेषु कदाचन। मा कर्मफलहेतुर्भूर्मा ते सङ्गोऽस्त्वकर्मणि॥", "व्यास", "२.४७"),
    "one long word": quote("Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogochxx", "W" * 60, "M" * 60),
    "thousands": quote("All that is gold does not glitter. " * 150, "J. R. R. " * 20, "Book, " * 40),
    "capitals": quote("WWWWWWWWWW MMMMMMMMMM @@@@@@@@@@ %%%%%%%%%% ŒŒŒŒŒŒŒŒ ————————", "MW"),
    "mixed": quote(
        "Almost everything measured → WWWW MMMM and a few, 学 and wwww, that were not. " * 4, "Жw", "MMMM Ж " * 9
    ),
    "one letter": quote("I", "X"),
}

MEASURE = """() => {
    const box = (element) => {
        const {x, y, width, height} = element.getBBox({stroke: false});
        return {left: x, top: y, right: x + width, bottom: y + height};
    };
    const told = (line) => ({told: +line.getAttribute("textLength"), drawn: line.getComputedTextLength()});
    const [mark, rule] = document.querySelectorAll("svg > path");
    const lines = [...document.querySelectorAll("text")];
    return {
        height: document.querySelector("svg").viewBox.baseVal.height,
        markHeight: mark.getBoundingClientRect().height,
        markTop: mark.getBoundingClientRect().top - document.querySelector("svg").getBoundingClientRect().top,
        rule: box(rule),
        lines: lines.map((line) => ({...box(line), ...told(line), text: line.textContent})),
    };
}"""

# The box around every pixel of the picture that is neither paper nor its rounded edge.
INK = """async ([source, paper]) => {
    const picture = new Image();
    picture.src = source;
    await picture.decode();
    const canvas = document.createElement("canvas");
    const [width, height] = [canvas.width, canvas.height] = [picture.naturalWidth, picture.naturalHeight];
    const context = canvas.getContext("2d", {willReadFrequently: true});
    context.drawImage(picture, 0, 0);
    const pixels = context.getImageData(0, 0, width, height).data;
    const ink = {left: width, top: height, right: 0, bottom: 0};
    for (let y = 4; y < height - 4; y++) for (let x = 4; x < width - 4; x++) {
        const at = 4 * (y * width + x);
        if (paper.every((part, n) => Math.abs(part - pixels[at + n]) < 12)) continue;
        if (ink.left > x) ink.left = x;
        if (ink.top > y) ink.top = y;
        if (ink.right <= x) ink.right = x + 1;
        if (ink.bottom <= y) ink.bottom = y + 1;
    }
    return {width, height, ...ink};
}"""


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    """Return a page to draw on."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    yield context.new_page()
    context.close()


@pytest.fixture(scope="module")
def quotes(corpus: Corpus) -> dict[str, Quote]:
    """Return what is hard to set, and the shortest and the longest quote of the library."""
    return QUOTES | {"shortest": corpus.numbered(0), "longest": corpus.numbered(corpus.size - 1)}


def margin_of(width: int) -> int:
    return round(16 + width * 0.05)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", [*QUOTES, "shortest", "longest"])
def test_every_line_is_within_the_margins_and_overlaps_no_other(
    page: Page, quotes: dict[str, Quote], name: str, width: int
):
    page.set_content(draw(quotes[name], "light", width).decode().partition("\n")[2])

    found: dict[str, Any] = page.evaluate(MEASURE)

    margin, lines = margin_of(width), found["lines"]
    for line in lines:
        assert line["left"] >= margin - OVERHANG, line
        assert line["right"] <= width - margin + OVERHANG, line
        if line["told"]:  # the fonts' widths were measured, and whatever font is here, this is what it takes
            assert line["drawn"] == pytest.approx(line["told"], abs=OVERHANG)
    assert found["markTop"] + found["markHeight"] <= lines[0]["top"] + OVERHANG
    above = [line for line in lines if line["bottom"] <= found["rule"]["top"] + OVERHANG]
    below = [line for line in lines if line["top"] >= found["rule"]["bottom"] - OVERHANG]
    assert above + below == lines
    assert above
    assert below
    for upper, lower in itertools.pairwise(lines):
        assert upper["bottom"] <= lower["top"] + OVERHANG, (upper, lower)
    assert lines[-1]["bottom"] <= found["height"] - margin / 2


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_what_is_painted_stays_within_the_margins_as_a_picture(
    page: Page, quotes: dict[str, Quote], theme: str, width: int
):
    page.set_content("<title>Pictures</title>")
    paper = list(bytes.fromhex(COLOURS[theme].paper[1:]))
    for name, quote in quotes.items():
        card = draw(quote, theme, width)
        source = f"data:image/svg+xml;base64,{base64.b64encode(card).decode()}"

        ink: dict[str, int] = page.evaluate(INK, [source, paper])

        margin = margin_of(width)
        assert ink["width"] == width, name
        assert ink["left"] >= margin - OVERHANG, (name, ink)
        assert ink["right"] <= width - margin + OVERHANG, (name, ink)
        assert ink["top"] >= margin - OVERHANG, (name, ink)
        assert ink["bottom"] <= ink["height"] - margin / 2, (name, ink)


def test_a_card_that_is_opened_as_a_page_may_load_nothing(page: Page, client: Any):
    answer = client.simulate_get("/daily?format=svg")
    page.route(
        "http://cards.test/*",
        lambda route: route.fulfill(status=200, headers=dict(answer.headers), body=answer.content),
    )
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))

    page.goto("http://cards.test/daily")

    assert page.evaluate("document.documentElement.localName") == "svg"
    assert page.evaluate("document.title") == "Quote by Friedrich Nietzsche"
    assert said == []
