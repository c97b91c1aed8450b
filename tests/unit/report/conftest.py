from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser

import numpy as np
import pytest

from samplar.evaluation.result import Evaluation
from samplar.evaluation.scores import CaseScores, ClassScore
from samplar.evaluation.summary import summarise
from samplar.io.overlay import png_bytes
from samplar.report.data import (
    MethodResult,
    Picture,
    ReportData,
    Resources,
    SlicePicture,
)
from samplar.report.markup import VOID
from samplar.report.training_log import TrainingRow


class Page(HTMLParser):
    """Reads a page strictly: every element must be closed, in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.style = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "style":
            self.style += data
        else:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="session")
def parsed() -> type[Page]:
    """Parses markup, and fails where an element is not closed."""
    return Page


@pytest.fixture(scope="session")
def evaluated() -> Callable[..., Evaluation]:
    """An evaluation of two classes, `{subject: (dsc, dsc)}`; None leaves the class absent."""

    def score(index: int, dsc: float | None) -> ClassScore:
        if dsc is None:
            return ClassScore(
                index=index, status="both-empty", unit="mm", dsc=100, iou=100, nsd=100, hd95=0
            )
        return ClassScore(
            index=index,
            status="scored",
            unit="mm",
            dsc=dsc,
            iou=dsc / 2,
            nsd=dsc,
            hd95=(100 - dsc) / 10,
        )

    def make(subjects: dict[str, tuple], names: tuple[str, str] = ("liver", "spleen")):
        rows = [
            CaseScores(
                f"{subject}_ct", subject, tuple(score(i, dsc) for i, dsc in enumerate(values, 1))
            )
            for subject, values in subjects.items()
        ]
        return summarise(rows, names=names, protocol="strict", tolerance=2.0)

    return make


@pytest.fixture(scope="session")
def png() -> bytes:
    return png_bytes(np.zeros((4, 5, 3), np.uint8))


@pytest.fixture(scope="session")
def report(evaluated, png) -> ReportData:
    """A full report: two methods and a baseline, pictures, curves, facts."""
    ours = evaluated({"p1": (90, 80), "p2": (70, None), "p3": (50, 40)})
    rival = evaluated({"p1": (80, 85), "p2": (60, None), "p3": (40, 30)})
    copied = evaluated({"p1": (30, 20), "p2": (20, None), "p3": (10, 20)})
    return ReportData(
        dataset="Abdomen",
        created="12 October 2026",
        methods=(
            MethodResult(name="lunch", weights="lite-medsam", exemplars=5, evaluation=ours),
            MethodResult(name="LoRA", weights="lite-medsam", exemplars=5, evaluation=rival),
            MethodResult(name="copy", baseline=True, evaluation=copied),
        ),
        training=tuple(
            TrainingRow(step=i, loss=2 / i, lr=1e-4 * i, seconds=0.5 * i) for i in range(1, 21)
        ),
        slices=(
            SlicePicture(
                rank="worst",
                case="p3_ct",
                subject="p3",
                slice=7,
                dsc=12.34,
                image=png,
                truth=png,
                prediction=png,
            ),
        ),
        exemplars=(Picture(png=png, caption="p9_ct, slice 4"),),
        synthesis=Picture(png=png, caption="four draws"),
        settings={"method": "lunch", "training": {"lr": 0.0002, "sizes": [1, 2]}},
        versions={"torch": "2.13.0"},
        resources=Resources(device="CPU", fit_seconds=725, peak_memory_bytes=3 * 1024**3),
        notes=("One case failed.",),
    )
