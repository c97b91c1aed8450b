"""HTML from text that nobody vouches for: everything is escaped unless it was made here."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Mapping

Value = str | int | float
VOID = frozenset({"img", "meta", "br", "hr", "rect", "line", "circle", "path", "polyline"})

_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")


class Html(str):
    """Markup that is safe to put into a page as it is."""

    __slots__ = ()


def escape(value: str) -> Html:
    """Turn text into markup that shows it.

    Control characters and those that turn the direction of writing are shown by their number, so
    that a file name cannot pose as another.
    """
    if isinstance(value, Html):
        return value
    visible = _UNSEEN.sub(lambda match: f"\\u{ord(match[0]):04x}", value)
    return Html(html.escape(visible, quote=True))


def element(tag: str, *children: str, attributes: Mapping[str, Value] | None = None) -> Html:
    """Write one element; children that are not `Html` are escaped.

    Args:
        tag: the name with CSS classes after dots, such as `td.number.best`.
        children: what it holds, in order.
        attributes: further attributes; the values are escaped.
    """
    name, *classes = tag.split(".")
    pairs: dict[str, Value] = {"class": " ".join(classes)} if classes else {}
    pairs |= attributes or {}
    opening = " ".join([name, *(f'{key}="{escape(str(value))}"' for key, value in pairs.items())])
    if name in VOID:
        return Html(f"<{opening}/>")
    return Html(f"<{opening}>{''.join(escape(child) for child in children)}</{name}>")


def join(parts: list[Html]) -> Html:
    """Put pieces of markup one after another."""
    return Html("".join(parts))


def image(png: bytes, *, alt: str) -> Html:
    """Show a PNG that the page carries inside itself."""
    source = "data:image/png;base64," + base64.b64encode(png).decode("ascii")
    return element("img", attributes={"src": source, "alt": alt})
