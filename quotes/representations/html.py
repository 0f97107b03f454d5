"""The web page, from the template next to this module; imported on demand, because Jinja2 is slow to import."""

import datetime as dt
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import jinja2
from markupsafe import Markup

from quotes.daily import Daily
from quotes.highlights import marked
from quotes.quote import Quote
from quotes.search import Terms

DAYS_OPEN = 7  # earlier days are collapsed

_SIZES = ((60, "s"), (150, "m"), (330, "l"))  # CSS classes for quotes of at most so many characters


class Shown(NamedTuple):
    """Describe the quote at the top of the page.

    Attributes:
        quote: The quote.
        kind: The heading above it.
        link: Its path and query below the root; empty if it has no address.
        day: The day of a daily quote, otherwise None.
    """

    quote: Quote
    kind: str
    link: str = ""
    day: dt.date | None = None


class Found(NamedTuple):
    """Describe a page of search results.

    Attributes:
        q: The search text, as typed.
        terms: The parsed search text.
        quotes: The matches on this page.
        total: The number of matches on all pages.
        following: The query string of the next page; None on the last.
    """

    q: str
    terms: Terms
    quotes: Sequence[Quote]
    total: int
    following: str | None


def draw(
    base: str,
    root: str,
    static: dict[str, str],
    shown: Shown,
    days: Sequence[Daily] | None,
    *,
    found: Found | None,
    today: dt.date,
    listed: int,
) -> bytes:
    """Render the page.

    Args:
        base: The URL of the service, without a trailing slash.
        root: The path of that URL, which prefixes everything the page links to and loads.
        static: The addresses of the static files, as returned by `static_files.addresses`.
        shown: The quote at the top.
        days: The days before today, newest first; None if they cannot be read.
        found: The results of a search; None without one.
        today: Today's date.
        listed: The number of calendar days that `days` covers.
    """
    page = _template().render(
        base=base,
        root=root,
        static=static,
        shown=shown,
        days=days,
        found=found,
        today=today,
        listed=listed,
        OPEN=DAYS_OPEN,
    )
    return page.encode()


@functools.cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"long": _long, "short": _short, "size": _size, "counted": _counted, "marked": _marked}
    return environment.get_template("page.html.j2")


def _long(day: dt.date) -> str:
    return f"{day:%A}, {day.day} {day:%B %Y}"


def _short(day: dt.date) -> str:
    return f"{day:%a} {day.day} {day:%B}"


def _size(text: str) -> str:
    return next((size for longest, size in _SIZES if len(text) <= longest), "xl")


def _counted(total: int) -> str:
    return {0: "Nothing found.", 1: "One quote."}.get(total, f"{total:,} quotes.")


def _marked(text: str, terms: Terms) -> Markup:
    return Markup(marked(text, terms))  # noqa: S704 -- `marked` escapes it
