"""A quote as a card: what is drawn, where, in which colours, whatever the quote says."""

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quotes.quote import Quote
from quotes.representations import NARROWEST, THEMES, WIDEST
from quotes.representations.card import COLOURS, MARK, draw
from quotes.representations.xml import one_line

SVG = "{http://www.w3.org/2000/svg}"
QUOTE = Quote("I am no bird.", "Charlotte Brontë", "Freedom", "Jane Eyre, Chapter XXIII (1847)", "j1")
DRAWN = {"svg", "title", "desc", "rect", "path", "g", "text"}
LINE_BREAKS = ("\n", "\r", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029")

ANY_TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=300)
WIDTHS = st.integers(NARROWEST, WIDEST)


def parsed(quote: Quote, theme: str = "light", width: int = 600) -> ET.Element:
    return ET.fromstring(draw(quote, theme, width))


def lines(card: ET.Element) -> list[ET.Element]:
    return list(card.iter(f"{SVG}text"))


def size_of(card: ET.Element) -> int:
    """Return the size of the quote's letters."""
    return int(next(group.attrib["font-size"] for group in card.iter(f"{SVG}g") if "font-size" in group.attrib))


def unspaced(text: str) -> str:
    return "".join(one_line(text).split())


def test_a_card_byte_for_byte():
    assert draw(QUOTE, "light", 240).decode() == (
        "<?xml version='1.0' encoding='utf-8'?>\n"
        '<svg xmlns="http://www.w3.org/2000/svg" role="img" width="240" height="207" viewBox="0 0 240 207">'
        "<title>Quote by Charlotte Brontë</title>"
        "<desc>I am no bird. — Charlotte Brontë, Jane Eyre, Chapter XXIII (1847)</desc>"
        '<rect x="0.5" y="0.5" width="239" height="206" rx="10" fill="#fffdf8" stroke="#e3dccd" />'
        f'<path d="{MARK}" fill="#c2a878" transform="translate(28 28) scale(0.29 0.29)" />'
        '<path d="M28 109.5H55" stroke="#c2a878" />'
        "<g font-family=\"Georgia, Gelasio, 'Noto Serif', serif\">"
        '<g font-size="21" fill="#23201b">'
        '<text x="28" y="82" textLength="120.6" lengthAdjust="spacingAndGlyphs">I am no bird.'
        "</text></g>"
        '<g font-size="16" fill="#23201b">'
        '<text x="28" y="139" textLength="136.1" lengthAdjust="spacingAndGlyphs">— Charlotte Brontë'
        "</text></g>"
        '<g font-size="13" fill="#6a6255">'
        '<text x="28" y="160" textLength="109.6" lengthAdjust="spacingAndGlyphs">Jane Eyre, Chapter'
        "</text>"
        '<text x="28" y="178" textLength="73.8" lengthAdjust="spacingAndGlyphs">XXIII (1847)'
        "</text></g></g></svg>\n"
    )


@pytest.mark.parametrize("theme", THEMES)
def test_a_theme_paints_with_its_colours_alone(theme: str):
    painted = {
        value
        for element in parsed(QUOTE, theme).iter()
        for name, value in element.attrib.items()
        if name in ("fill", "stroke")
    }

    assert painted == set(COLOURS[theme])


@pytest.mark.parametrize("theme", THEMES)
def test_text_stands_out_from_the_paper(theme: str):
    def luminance(colour: str) -> float:  # WCAG 2.2, relative luminance
        parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
        red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    for colour in (COLOURS[theme].ink, COLOURS[theme].muted):
        dark, bright = sorted((luminance(colour), luminance(COLOURS[theme].paper)))
        assert (bright + 0.05) / (dark + 0.05) >= 4.5


def test_what_a_quote_says_is_never_markup():
    evil = "</text><script>alert('1')</script><image href=\"x\"/>&lt;&#0;]]><!-- -->"
    card = parsed(Quote(evil, evil, evil, evil, evil))

    assert {element.tag.removeprefix(SVG) for element in card.iter()} == DRAWN
    assert card.findtext(f"{SVG}title") == f"Quote by {evil}"
    assert card.findtext(f"{SVG}desc") == f"{evil} — {evil}, {evil}"
    assert unspaced("".join(line.text or "" for line in lines(card))) == unspaced(f"{evil}—{evil}{evil}")


def test_what_xml_cannot_say_is_left_out():
    card = parsed(Quote("No\x00 \x1bbell\x07\ufffe rings\ud800.", "A\x0cnon", "Sound"))

    assert [line.text for line in lines(card)] == ["No bell rings.", "— Anon"]


def test_what_would_turn_the_text_around_is_left_out():
    card = parsed(Quote("Left \u202eto right.", "\u2066Anon\u2069", "Sense"))

    assert [line.text for line in lines(card)] == ["Left to right.", "— Anon"]


def test_a_poem_keeps_its_lines():
    card = parsed(Quote("Roses are red,\n\n  violets   are\tblue.\r\n", "Anon", "Love"))

    assert [line.text for line in lines(card)] == ["Roses are red,", "violets are blue.", "— Anon"]


def test_a_card_without_source_ends_with_the_author():
    card = parsed(QUOTE._replace(source=None))

    assert [line.text for line in lines(card)] == ["I am no bird.", "— Charlotte Brontë"]
    assert card.findtext(f"{SVG}desc") == "I am no bird. — Charlotte Brontë"
    assert int(card.attrib["height"]) < int(parsed(QUOTE).attrib["height"])


def test_what_is_written_from_right_to_left_begins_at_the_right():
    card = parsed(Quote("اطلبوا العلم ولو في الصين", "Anon", "Learning"), width=400)
    text = card.find(f"{SVG}g")

    assert text is not None
    assert text.attrib["direction"] == "rtl"
    assert {line.attrib["x"] for line in lines(card)} == {"364"}


@pytest.mark.parametrize("width", [NARROWEST, 480, WIDEST])
def test_letters_get_smaller_with_the_length_and_then_the_card_higher(width: int):
    cards = [parsed(QUOTE._replace(quote="No word is lost. " * n), width=width) for n in (1, 4, 16, 64, 256)]
    sizes = [size_of(card) for card in cards]
    heights = [int(card.attrib["height"]) for card in cards]

    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > sizes[-1] >= 16
    assert heights == sorted(heights)


def test_a_word_gets_smaller_before_it_is_cut():
    word = Quote("Donaudampfschifffahrtsgesellschaftskapitänswitwenrentenantrag", "Anon", "Words")

    assert [line.text for line in lines(parsed(word, width=600))] == [word.quote, "— Anon"]
    assert [line.text for line in lines(parsed(word, width=240))] == [
        "Donaudampfschifffahrtsg",
        "esellschaftskapitänswitwe",
        "nrentenantrag",
        "— Anon",
    ]


@given(st.builds(Quote, ANY_TEXT, ANY_TEXT, ANY_TEXT, st.none() | ANY_TEXT), st.sampled_from(THEMES), WIDTHS)
@settings(deadline=None, max_examples=150)
def test_whatever_it_says_all_of_it_is_drawn_within_the_margins(quote: Quote, theme: str, width: int):
    card = parsed(quote, theme, width)
    drawn, height, margin = lines(card), int(card.attrib["height"]), round(16 + width * 0.05)

    assert {element.tag.removeprefix(SVG) for element in card.iter()} <= DRAWN
    said = (quote.quote, "—", quote.author, quote.source or "")
    assert "".join(unspaced(line.text or "") for line in drawn) == "".join(map(unspaced, said))
    assert all(float(line.attrib.get("textLength", 0)) <= width - 2 * margin for line in drawn)
    assert {int(line.attrib["x"]) for line in drawn} <= {margin, width - margin}
    below = [int(line.attrib["y"]) for line in drawn]
    assert below == sorted(set(below))
    assert not below or below[-1] < height - margin / 2
    assert draw(quote, theme, width) == draw(quote, theme, width)
