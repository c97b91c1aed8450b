"""The report page: one HTML file that needs nothing else, and runs nothing.

Its content security policy allows pictures carried inside the page and, by its digest, the one
style sheet. There are no scripts, so a hostile case name has nothing to reach.
"""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files

from samplar.report.data import MethodResult, ReportData
from samplar.report.facts import run_facts
from samplar.report.headline import count, headline
from samplar.report.markup import Html, element
from samplar.report.sections import exemplars, scores, slices, synthesis, training
from samplar.report.trust import trust

NOT_A_DEVICE = (
    "Research software. Not a medical device: not for diagnosis, treatment or any other clinical"
    " decision."
)
NOT_SCORED = (
    "Not scored yet. `samplar predict` makes labels of test cases, and `samplar report` with"
    " --predictions and --truth writes this page again with scores."
)


def render(data: ReportData) -> str:
    """Write the whole page."""
    style = _style()
    body = element(
        "main",
        _header(data),
        *((headline(data), scores(data)) if data.methods else _unscored(data)),
        slices(data),
        trust(data),
        training(data),
        exemplars(data),
        synthesis(data),
        run_facts(data),
        element("footer", element("p", NOT_A_DEVICE), element("p", "Made by Samplar.")),
    )
    head = element("head", *_meta(data, style), element("style", style))
    page = element("html", head, element("body", body), attributes={"lang": "en"})
    return f"<!DOCTYPE html>\n{page}\n"


def _meta(data: ReportData, style: Html) -> list[Html]:
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
        element("title", ": ".join([data.dataset, *(method.name for method in data.methods[:1])])),
    ]


def _style() -> Html:
    return Html(files("samplar.report").joinpath("page.css").read_text(encoding="utf-8"))


def _header(data: ReportData) -> Html:
    names = [element("li", element("strong", method.name)) for method in data.methods[:1]]
    told = _facts(data.methods[0], data.created) if data.methods else [data.created]
    facts = [element("li", fact) for fact in told]
    return element(
        "header",
        element("p.eyebrow", "Samplar report"),
        element("h1", data.dataset),
        element("ul.facts", *names, *facts),
    )


def _unscored(data: ReportData) -> tuple[Html, ...]:
    """Say that this run has no scores yet, in the place where they would be."""
    notes = [element("p.note", note) for note in (NOT_SCORED, *data.notes)]
    return (element("section.headline", *notes),)


def _facts(method: MethodResult, created: str) -> list[str]:
    evaluation = method.evaluation
    facts = [] if method.weights is None else [f"weights {method.weights}"]
    if method.exemplars is not None:
        facts.append(f"k = {count(method.exemplars, 'exemplar')}")
    scored = count(len(evaluation.per_case), "case")
    facts.append(f"{scored} of {count(len(evaluation.per_subject), 'subject')}")
    return [*facts, f"protocol {evaluation.protocol}", created]
