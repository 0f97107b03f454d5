"""Write quotes/data/advances.json: the widths of characters, in thousandths of an em, read from font files.

Run by hand when the fonts change; it needs fonttools and brotli, which nothing else here does:

    npm pack @fontsource/gelasio @fontsource/noto-serif … && pip install --target=… fonttools brotli
    python -m fonts --set-in gelasio/files/*-400-normal.woff2 --others noto-serif/files/*-400-normal.woff2 …

Cards are set in Georgia. Gelasio has the same widths, so those of its characters are exact. For every character the
table also has the greatest width in all the fonts: whichever of them a reader has, it is not wider.
"""

import argparse
import itertools
import json
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from fontTools.ttLib import TTFont

TABLE = Path(__file__).parent.parent / "quotes" / "data" / "advances.json"
NOT_KEPT = {"Cc", "Cf", "Cn", "Co", "Cs", "Me", "Mn"}  # they have no width, or are not shown


def widths(files: Iterable[Path]) -> dict[int, int]:
    """Return the greatest advance of each code point in some fonts, in thousandths of an em."""
    found: dict[int, int] = {}
    for file in files:
        font = TTFont(file)
        unit, advances = font["head"].unitsPerEm, font["hmtx"]
        for code, glyph in font.getBestCmap().items():
            if unicodedata.category(chr(code)) not in NOT_KEPT and unicodedata.east_asian_width(chr(code)) not in "WF":
                found[code] = max(found.get(code, 0), -(-advances[glyph][0] * 1000 // unit))
    return found


def runs(table: dict[int, int]) -> dict[str, list[int]]:
    """Return a table as lists of consecutive widths, each under its first code point in hexadecimal."""
    codes = sorted(table)
    grouped = itertools.groupby(enumerate(codes), key=lambda pair: pair[1] - pair[0])
    return {f"{run[0]:x}": [table[code] for code in run] for run in ([c for _, c in group] for _, group in grouped)}


def main() -> None:
    """Read the fonts and write the table."""
    parser = argparse.ArgumentParser(prog="python -m fonts", description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--set-in", nargs="+", type=Path, required=True, metavar="FILE", help="the font that cards are set in"
    )
    parser.add_argument(
        "--others", nargs="+", type=Path, required=True, metavar="FILE", help="fonts that may replace it"
    )
    given = parser.parse_args()
    exact = widths(given.set_in)
    table = {"exact": runs(exact), "at_most": runs(widths([*given.set_in, *given.others]))}
    TABLE.write_text(json.dumps(table, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
