"""Mapping of a row's fields, whatever their names, to quote, author, category and source."""

import re
from collections.abc import Mapping
from typing import Any

from quotes.errors import ParameterError
from quotes.importing.cleaning import clean, clean_author, clean_quote

# Names are folded: lower-case, without spaces, - and _. Earlier ones take precedence.
NAMES = {
    "id": ("id",),
    "quote": ("quote", "text", "content", "body", "q", "quotetext", "en", "quotation"),
    "author": ("author", "from", "by", "a", "quoteauthor", "authorname"),
    "category": ("category", "tags", "tag", "categories", "topic"),
    "work": ("work", "source", "title", "book"),
    "place": ("place",),
    "year": ("year",),
    "translator": ("translator",),
    "speaker": ("speaker",),
}
LONGEST = {"quote": 5000, "author": 200, "category": 100, "work": 500, "place": 200, "translator": 200, "speaker": 200}
_FOLD = re.compile(r"[\s_-]+")
_SURROGATE = re.compile("[\ud800-\udfff]")
_LONGEST_ID = 100  # characters
_MARGIN = 4  # times the maximum length: allows for what cleaning removes
_TAGS = re.compile(r"\s*[,;|]\s*")
_PLURAL = frozenset({"tags", "tag", "categories"})


class RowRefused(Exception):
    """Report a row that cannot be imported; the message says why."""


class Fields:
    """Convert rows to lines of the library, by the usual names of fields or by given ones.

    Args:
        names: The file's names by ours, such as `{"quote": "text"}`.
        author: The author of rows without one; if empty, such rows are refused.
        category: The category of rows without one.
    """

    def __init__(self, names: Mapping[str, str] | None = None, author: str = "", category: str = "General") -> None:
        self._given = dict(names or {})
        self._names = NAMES | {ours: (folded(theirs),) for ours, theirs in self._given.items()}
        self._author = clean_author(author)
        self._category = clean(category) or "General"
        self._known: dict[tuple[str, ...], dict[str, tuple[str, ...]]] = {}

    def columns(self, header: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
        """Return, for each field, the keys of a row that may hold it, best first."""
        if header not in self._known:
            if len(self._known) > 1000:  # JSON rows may all have different keys
                self._known.clear()
            by_name = {folded(name): name for name in reversed(header)}
            self._known[header] = {
                field: tuple(by_name[name] for name in names if name in by_name) for field, names in self._names.items()
            }
        return self._known[header]

    def missing(self, header: tuple[str, ...]) -> str | None:
        """Return the first of the given names that no column has, or None."""
        columns = self.columns(header)
        return next((theirs for ours, theirs in self._given.items() if not columns[ours]), None)

    def read(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return a row as a line of the library, without `id` if it has no usable one.

        Args:
            row: The values by field name.

        Raises:
            RowRefused: The quote or the author is missing, or a value is too long or not text.
        """
        line: dict[str, Any] = {}
        for field, keys in self.columns(tuple(row)).items():
            for key in keys:
                value = row[key]
                if _is_given(value):
                    break
            else:
                continue
            found = _found(field, key, value)
            if found not in (None, ""):
                line[field] = found
        line.setdefault("category", self._category)
        if self._author:
            line.setdefault("author", self._author)
        for field in ("quote", "author"):
            if field not in line:
                raise RowRefused(f"no {field}{f' in {self._given[field]!r}' if field in self._given else ''}")
        for field, value in line.items():
            if field in LONGEST and len(value) > LONGEST[field]:
                raise _too_long(field, value)
            if isinstance(value, str) and not value.isascii() and _SURROGATE.search(value):
                raise RowRefused("holds bytes that are no text")
        return line


def folded(name: str) -> str:
    """Fold a field's name for comparison."""
    return _FOLD.sub("", name.strip("\ufeff_ ").casefold())


def parse_map(text: str) -> dict[str, str]:
    """Parse the value of `--map`, such as `quote=text,author=by`.

    Raises:
        ParameterError: The value is malformed.
    """
    names = {}
    for pair in filter(None, text.split(",")):
        ours, equals, theirs = (part.strip() for part in pair.partition("="))
        if not equals or not theirs or ours not in NAMES:
            raise ParameterError(
                "--map", f"is not like quote=text,author=by; the names on the left are {', '.join(NAMES)}"
            )
        names[ours] = theirs
    return names


def _found(field: str, name: str, value: object) -> str | int | None:
    if field == "year":
        return _year(value)
    if field == "id":
        return str(value) if _is_id(value) else None
    if field == "category":
        return _category(value, is_tags=isinstance(value, list) or folded(name) in _PLURAL)
    text = _text(field, value)
    return clean_quote(text) if field == "quote" else clean_author(text) if field == "author" else clean(text)


def _text(field: str, value: object) -> str:
    if isinstance(value, dict):  # {"author": {"name": "…"}}
        value = next(
            (value[name] for name in ("name", "text", "title", "value") if isinstance(value.get(name), str)), value
        )
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise RowRefused(f"{field} is not a text")
    text = str(value)
    if len(text) > _MARGIN * LONGEST[field]:
        raise _too_long(field, text)
    return text


def _too_long(field: str, text: str) -> RowRefused:
    return RowRefused(f"{field} has {len(text):,} characters, more than {LONGEST[field]:,}")


def _is_given(value: object) -> bool:
    return bool(value.strip()) if isinstance(value, str) else value not in (None, [], {})


def _category(value: object, *, is_tags: bool) -> str:
    tags = value if isinstance(value, list) else _TAGS.split(value) if isinstance(value, str) and is_tags else [value]
    for tag in tags:
        if tag not in (None, "") and (text := clean(_text("category", tag))):
            return _titled(text) if is_tags and text == text.lower() else text
    return ""


def _titled(tag: str) -> str:
    """Write a tag in the style of the embedded library's categories: `famous-quotes` as `Famous Quotes`."""
    return " ".join(word[:1].upper() + word[1:] for word in re.split(r"[\s_-]+", tag) if word)


def _year(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value if -9999 <= value <= 9999 else None
    found = re.fullmatch(r"\s*(-?[0-9]{1,4})\s*", value) if isinstance(value, str) else None
    return int(found[1]) if found else None


def _is_id(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return False
    text = str(value)
    return len(text) <= _LONGEST_ID and text.isprintable() and text == text.strip() and any(map(str.isalnum, text))
