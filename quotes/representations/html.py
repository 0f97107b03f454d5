"""The page, from the template beside this module; imported by the requests that need it, for Jinja2 takes its time."""

import datetime as dt
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
from markupsafe import Markup

from quotes.daily import Daily
from quotes.highlights import marked
from quotes.quote import Quote
from quotes.search import Terms

DAYS_OPEN = 7  # the earlier ones are folded up

_SIZES = ((60, "s"), (150, "m"), (330, "l"))  # characters, and the class of quotes that are not longer


class Shown(NamedTuple):
    """Say which quote stands on top.

    Attributes:
        quote: The quote.
        kind: What it is, in words.
        link: The path and query that lead to it, below the root; empty where nothing does but chance.
        day: Whose day's it is, None where it is no day's.
    """

    quote: Quote
    kind: str
    link: str = ""
    day: dt.date | None = None


class Found(NamedTuple):
    """Say what a search has found.

    Attributes:
        q: What was typed.
        terms: How it was understood.
        quotes: A page of what matches.
        total: How much matches in all.
        following: The query that leads to the next page, None on the last.
    """

    q: str
    terms: Terms
    quotes: Sequence[Quote]
    total: int
    following: str | None


def draw(
    base: str, root: str, static: dict[str, str], shown: Shown, days: Sequence[Daily] | None, **more: Any
) -> bytes:
    """Return the page.

    Args:
        base: The URL of the service, without a slash at its end.
        root: The path of that URL, which everything the page itself loads is below.
        static: The addresses of the files, as `static_files.addresses` gives them.
        shown: The quote on top.
        days: The days before today, latest first; None where they cannot be read.
        more: Further names for the template.
    """
    page = _template().render(base=base, root=root, static=static, shown=shown, days=days, OPEN=DAYS_OPEN, **more)
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
    return Markup(marked(text, terms))  # noqa: S704 -- it is escaped there
