"""XML documents with arbitrary text, built from elements rather than by concatenating strings."""

import re
import xml.etree.ElementTree as ET

Element = ET.Element

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, section 2.2
_TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")
_SPACE = re.compile("[^\\S\u00a0\u202f\u2007]+|[\x7f-\x9f]+")  # no-break spaces are kept


def clean(text: str) -> str:
    """Return a text without the characters that XML cannot represent."""
    return _FORBIDDEN.sub("", text)


def one_line(text: str) -> str:
    """Return a text on one line, with single spaces, without controls that reorder the text around it (UAX #9)."""
    return _SPACE.sub(" ", _TURNING.sub("", clean(text))).strip()


def add(parent: Element, name: str, text: str | None = None, **attributes: str) -> Element:
    """Add a child element and return it.

    Args:
        parent: The parent element.
        name: The child's name.
        text: The child's text.
        attributes: The child's attributes; underscores in names become hyphens.
    """
    element = ET.SubElement(parent, name, {key.replace("_", "-"): clean(value) for key, value in attributes.items()})
    element.text = text if text is None else clean(text)
    return element


def to_bytes(root: Element) -> bytes:
    """Serialize a document as UTF-8, with a trailing line feed."""
    text: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"
