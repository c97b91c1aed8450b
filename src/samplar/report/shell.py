"""The frame of every page: one HTML file that needs nothing else, and runs nothing.

Its content security policy allows pictures carried inside the page and, by its digest, the one
style sheet. There are no scripts, so a hostile case name has nothing to reach.
"""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files

from samplar.report.markup import Html, element

NOT_A_DEVICE = (
    "Research software. Not a medical device: not for diagnosis, treatment or any other clinical"
    " decision."
)


def whole_page(title: str, *content: Html, sheets: tuple[str, ...] = ("page.css",)) -> str:
    """Write a page around its content, with the closing words.

    Args:
        title: of the window.
        content: the header and the sections.
        sheets: style sheets of this folder, in order.
    """
    style = Html("".join(_sheet(name) for name in sheets))
    footer = element("footer", element("p", NOT_A_DEVICE), element("p", "Made by Samplar."))
    head = element("head", *_meta(title, style), element("style", style))
    body = element("body", element("main", *content, footer))
    page = element("html", head, body, attributes={"lang": "en"})
    return f"<!DOCTYPE html>\n{page}\n"


def _sheet(name: str) -> str:
    return files("samplar.report").joinpath(name).read_text(encoding="utf-8")


def _meta(title: str, style: Html) -> list[Html]:
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
    policy = (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}';"
        " base-uri 'none'; form-action 'none'"
    )
    return [
        element("meta", attributes={"charset": "utf-8"}),
        element("meta", attributes={"http-equiv": "Content-Security-Policy", "content": policy}),
        element("meta", attributes={"name": "referrer", "content": "no-referrer"}),
        element("meta", attributes={"name": "color-scheme", "content": "light dark"}),
        element(
            "meta",
            attributes={"name": "viewport", "content": "width=device-width, initial-scale=1"},
        ),
        element("title", title),
    ]
