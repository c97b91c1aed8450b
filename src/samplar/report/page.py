"""The report page of a run."""

from __future__ import annotations

from samplar.report.data import MethodResult, ReportData
from samplar.report.facts import run_facts
from samplar.report.headline import count, headline
from samplar.report.markup import Html, element
from samplar.report.sections import exemplars, scores, slices, synthesis, training
from samplar.report.shell import whole_page
from samplar.report.trust import trust

NOT_SCORED = (
    "Not scored yet. `samplar predict` makes labels of test cases, and `samplar report` with"
    " --predictions and --truth writes this page again with scores."
)


def render(data: ReportData) -> str:
    """Write the whole page."""
    return whole_page(
        ": ".join([data.dataset, *(method.name for method in data.methods[:1])]),
        _header(data),
        *((headline(data), scores(data)) if data.methods else _unscored(data)),
        slices(data),
        trust(data),
        training(data),
        exemplars(data),
        synthesis(data),
        run_facts(data),
    )


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
