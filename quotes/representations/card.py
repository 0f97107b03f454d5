"""A quote as a card: an SVG image for any page, whose text fits whatever its length and script.

A card loads nothing, so it works where images must be self-contained: behind GitHub's proxy, in `<img>`, in email. Text
is set in Georgia, or the viewer's substitute, in lines of measured width. If that width is exact, the line declares it,
so that a wider substitute is condensed rather than overflowing (SVG 2, section 11.5, `textLength`).
"""

from typing import NamedTuple

from quotes.quote import Quote
from quotes.representations import xml
from quotes.representations.characters import EM, is_right_to_left, is_tall
from quotes.representations.typesetting import Line, Piece, cut, even_lines, lines, pieces

FONTS = "Georgia, Gelasio, 'Noto Serif', serif"
LARGEST_SHARE = 0.4  # of the card's width: the height at which a quote's font is made smaller
ASCENT, DESCENT = 0.95, 0.3  # of the font size: the space above and below the baseline
LOOSE = 1.75  # times the font size: the line height of tall scripts
_DROP = "c-16 7-27 23-27 41 0 13 8 21 18 21 9 0 16-7 16-16 0-9-6-15-14-15-2 0-4 0-5 1 1-11 7-21 16-26z"
MARK = f"M27 0{_DROP}M69 0{_DROP}"  # an opening quotation mark, 62 high


class Colours(NamedTuple):
    """Define the colours of a theme; the contrast of text is at least 4.5:1 (WCAG 2.2, 1.4.3)."""

    paper: str
    edge: str
    ink: str
    muted: str
    ornament: str


COLOURS = {
    "light": Colours(paper="#fffdf8", edge="#e3dccd", ink="#23201b", muted="#6a6255", ornament="#c2a878"),
    "dark": Colours(paper="#1d1b18", edge="#3d3830", ink="#ece6da", muted="#a89f90", ornament="#8d7850"),
}


class Block(NamedTuple):
    """Represent a block of lines in one font size.

    Attributes:
        lines: The lines, from top to bottom.
        size: The font size, in pixels.
        step: The line height, in pixels.
    """

    lines: list[Line]
    size: int
    step: int

    @property
    def height(self) -> int:
        """Return the height of the block, in pixels."""
        return len(self.lines) * self.step


def draw(quote: Quote, theme: str, width: int) -> bytes:
    """Draw a card.

    Args:
        quote: The quote.
        theme: The colours, a key of `COLOURS`.
        width: The width, in pixels; the height follows from the text.
    """
    colours, margin = COLOURS[theme], round(16 + width * 0.05)
    measure = width - 2 * margin
    smallest = 15 + width // 240
    saying, by = _block_that_fits(quote.quote, width, measure, smallest), f"\N{EM DASH} {xml.one_line(quote.author)}"
    name_size = min(saying.size, round(14 + width * 0.008))
    author = _block([pieces(by)], name_size, measure, 1.4)
    source = _block([pieces(xml.one_line(quote.source or ""))], round(name_size * 0.82), measure, 1.4)
    mark = round(12 + width * 0.025)

    top = margin + mark + round(mark * 0.75)
    rule = top + saying.height + round(saying.size * 0.9)
    author_top = rule + round(name_size * 0.9)
    source_top = author_top + author.height + 2
    height = source_top + source.height + margin - 4

    card = xml.Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "role": "img"})
    card.attrib |= {"width": str(width), "height": str(height), "viewBox": f"0 0 {width} {height}"}
    xml.add(card, "title", f"Quote by {xml.one_line(quote.author)}")
    xml.add(card, "desc", f"{quote.quote} {by}" + (f", {quote.source}" if quote.source else ""))
    edge = {"x": "0.5", "y": "0.5", "width": str(width - 1), "height": str(height - 1), "rx": "10"}
    xml.add(card, "rect", **edge, fill=colours.paper, stroke=colours.edge)

    backwards = is_right_to_left(quote.quote)
    start, forwards = (width - margin, -1) if backwards else (margin, 1)
    scale = round(mark / 62, 3)
    place = f"translate({start} {margin}) scale({forwards * scale} {scale})"
    xml.add(card, "path", d=MARK, fill=colours.ornament, transform=place)
    rule_end = start + forwards * round(mark * 1.5)
    xml.add(card, "path", d=f"M{start} {rule}.5H{rule_end}", stroke=colours.ornament)
    text = xml.add(card, "g", font_family=FONTS, **({"direction": "rtl"} if backwards else {}))
    for block, y, colour in (
        (saying, top, colours.ink),
        (author, author_top, colours.ink),
        (source, source_top, colours.muted),
    ):
        _set(text, block, start, y, colour)
    return xml.to_bytes(card)


def _block_that_fits(text: str, width: int, measure: int, smallest: int) -> Block:
    """Set a text in the largest font size that is not too high and breaks no word, or else in the smallest."""
    paragraphs = [pieces(line) for line in map(xml.one_line, text.splitlines()) if line.strip()]
    leading = LOOSE if is_tall(text) else 1.45
    widest = max((part.width.room for parts in paragraphs for part in parts), default=0)
    together = sum(part.width.units for parts in paragraphs for part in parts)
    highest = width * LARGEST_SHARE
    for size in range(round(14 + width * 0.028), smallest, -1):
        units, step = measure * EM // size, round(size * leading)
        if widest > units or together / units * step > highest:
            continue
        # Evening out the lines does not change their number, so it is left for the chosen size.
        if sum(len(lines(parts, units)) for parts in paragraphs) * step <= highest:
            break
    else:
        size = smallest
    return _block(paragraphs, size, measure, leading)


def _block(paragraphs: list[list[Piece]], size: int, measure: int, leading: float) -> Block:
    units = measure * EM // size
    found = [line for parts in paragraphs for line in even_lines(cut(parts, units), units)]
    return Block(found, size, round(size * leading))


def _set(parent: xml.Element, block: Block, x: int, top: int, colour: str) -> None:
    group = xml.add(parent, "g", font_size=str(block.size), fill=colour)
    first = top + (block.step - block.size * (ASCENT + DESCENT)) / 2 + block.size * ASCENT
    for n, line in enumerate(block.lines):
        told = {"x": str(x), "y": str(round(first + n * block.step))}
        if line.width.exact and len(line.text) > 1:
            told |= {"textLength": f"{line.width.units * block.size / EM:.1f}", "lengthAdjust": "spacingAndGlyphs"}
        xml.add(group, "text", line.text, **told)
