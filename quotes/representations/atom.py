"""The latest daily quotes as an Atom 1.0 feed (RFC 4287)."""

import datetime as dt
import hashlib
from collections.abc import Iterable

from quotes import __version__
from quotes.daily import Daily
from quotes.quote import Quote
from quotes.representations import xml
from quotes.representations.characters import clusters

MEDIA_TYPE = "application/atom+xml"
# An id must not depend on the URL that the feed is read from, so it names no real host (RFC 4151; RFC 6761, "invalid").
TAG = "tag:quotes.invalid,2026:daily"
LONGEST_TITLE = 90  # characters


def write(days: Iterable[tuple[dt.datetime, Daily]], base: str) -> bytes:
    """Return the feed.

    Args:
        days: Each day's first moment, as an aware datetime, and its quote; newest first, at least one.
        base: The URL of the service, without a trailing slash.
    """
    days = list(days)
    feed = xml.Element("feed", {"xmlns": "http://www.w3.org/2005/Atom"})
    xml.add(feed, "id", TAG)
    xml.add(feed, "title", "Quote of the day")
    xml.add(feed, "subtitle", "One quote a day, the same for everybody all day.")
    xml.add(feed, "updated", days[0][0].isoformat())
    xml.add(feed, "link", rel="self", type=MEDIA_TYPE, href=f"{base}/feed.atom")
    xml.add(feed, "link", rel="alternate", type="text/html", href=f"{base}/")
    xml.add(feed, "generator", "Quotes", version=__version__)
    for begun, daily in days:
        _add_entry(feed, begun, daily, base)
    return xml.to_bytes(feed)


def id_of(daily: Daily) -> str:
    """Return the id of a day's entry, derived from day and quote, so that services with the same quote share it."""
    quote = daily.quote
    digest = hashlib.sha256(f"{quote.quote}\n{quote.author}".encode()).hexdigest()
    return f"{TAG}/{daily.day}/{digest[:16]}"


def _add_entry(feed: xml.Element, begun: dt.datetime, daily: Daily, base: str) -> None:
    quote, entry = daily.quote, xml.add(feed, "entry")
    xml.add(entry, "id", id_of(daily))
    xml.add(entry, "title", _title(quote.quote))
    xml.add(entry, "published", begun.isoformat())
    xml.add(entry, "updated", begun.isoformat())
    xml.add(xml.add(entry, "author"), "name", xml.one_line(quote.author))
    xml.add(entry, "category", term=quote.category)
    # Feed readers open the first link, so the page comes first.
    for media_type, address in (
        ("text/html", f"/?date={daily.day}"),
        ("image/svg+xml", f"/daily?date={daily.day}&format=svg"),
        ("application/json", f"/daily?date={daily.day}&format=json"),
    ):
        xml.add(entry, "link", rel="alternate", type=media_type, href=f"{base}{address}")
    _add_content(xml.add(entry, "content", type="xhtml"), quote)


def _add_content(content: xml.Element, quote: Quote) -> None:
    div = xml.add(content, "div", xmlns="http://www.w3.org/1999/xhtml")
    said = xml.add(xml.add(div, "blockquote"), "p")
    for n, line in enumerate(filter(None, map(xml.one_line, quote.quote.splitlines()))):
        if n:
            xml.add(said, "br").tail = line
        else:
            said.text = line
    by = xml.add(div, "p", f"\N{EM DASH} {xml.one_line(quote.author)}")
    if quote.source:
        by.text = f"{by.text}, "
        xml.add(by, "cite", xml.one_line(quote.source))


def _title(text: str) -> str:
    """Return the beginning of a quote, cut after a word if possible."""
    characters = clusters(xml.one_line(text))
    if len(characters) <= LONGEST_TITLE:
        return "".join(characters)
    beginning = "".join(characters[:LONGEST_TITLE])
    words = beginning.rpartition(" ")[0]
    return (words if len(words) > len(beginning) // 2 else beginning).rstrip(" ,;:.") + "…"
