"""The page of a run: scores beside the baselines, overlays, curves, exemplars, settings."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from samplar.api.overlays import overlays
from samplar.api.region import region_for
from samplar.config.base import build
from samplar.config.fit import FitConfig
from samplar.evaluation.result import Evaluation
from samplar.exemplars.collect import collect_exemplars
from samplar.exemplars.exemplar import ExemplarSet
from samplar.exemplars.manifest import read_manifest
from samplar.exemplars.roi import close_ups
from samplar.io.atomic import write_bytes
from samplar.io.dataset import Dataset
from samplar.io.documents import read_yaml
from samplar.io.overlay import png_bytes
from samplar.io.view import View
from samplar.methods.registry import cards
from samplar.prediction.adapter import AdapterCard, read_card
from samplar.report.data import MethodResult, Picture, ReportData, Resources
from samplar.report.figures import outlined_png, overview_png, progress_png
from samplar.report.page import render
from samplar.report.training_log import read_training_log
from samplar.synthesis.preview import contact_sheet
from samplar.synthesis.synthesizer import Synthesizer
from samplar.training.run import RunFolder
from samplar.training.tensors import as_samples

SHEET = 18
EACH = 2
PICTURED = 100
"""Exemplars shown at most: a page with thousands of pictures opens nowhere."""


@dataclass(frozen=True)
class Shown:
    """What a report shows besides the run itself.

    Args:
        evaluation: of the run's predictions.
        predictions: the folder they lie in.
        dataset: the cases they are of.
        baselines: other methods' evaluations by name, the trivial ones first.
    """

    evaluation: Evaluation
    predictions: Path
    dataset: Dataset
    baselines: Mapping[str, Evaluation]


def write_report(run: RunFolder, pool: Dataset, shown: Shown | None = None) -> Path:
    """Write progress.png, synthesis.png, overlay.png and report.html; return the page.

    Args:
        run: a finished run.
        pool: the data set its exemplars came from.
        shown: scores and overlays of a test, if there was one.
    """
    card = read_card(run.path)
    rows = tuple(read_training_log(run.journal)) if run.journal.exists() else ()
    if rows:
        write_bytes(run.path / "progress.png", progress_png(rows))
    exemplars = read_exemplars(run, pool, card.view)
    config = build(FitConfig, dict(read_yaml(run.path / "config.yaml")))
    sheet = synthesis_sheet(exemplars, config)
    write_bytes(run.path / "synthesis.png", sheet)
    manifest = run.read_manifest()
    data = ReportData(
        dataset=pool.name,
        created=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        methods=() if shown is None else _methods(card, shown),
        calibration=card.calibration,
        training=rows,
        slices=()
        if shown is None
        else tuple(overlays(shown.predictions, shown.dataset, card.view, each=EACH)),
        exemplars=tuple(_pictures(exemplars)),
        synthesis=Picture(png=sheet, caption="Exemplars, then synthetic images with their labels"),
        settings=json.loads(config.model_dump_json()),
        versions=manifest["versions"],
        resources=Resources.model_validate(manifest["resources"]),
        notes=tuple(manifest.get("notes", ())),
    )
    if data.slices:
        firsts = {shown.rank: shown for shown in reversed(data.slices)}
        chosen = [firsts[rank] for rank in ("best", "median") if rank in firsts]
        write_bytes(run.path / "overlay.png", overview_png(chosen, pool.labels.names))
    page = run.path / "report.html"
    write_bytes(page, render(data).encode())
    return page


def read_exemplars(run: RunFolder, pool: Dataset, view: View) -> ExemplarSet:
    """Read the exemplars of a run again, checking that they are the same.

    Raises:
        InputError: `exemplars.changed` and what the readers refuse.
    """
    path = run.path / "exemplars.yaml"
    manifest = read_manifest(path)
    exemplars = collect_exemplars(
        pool, manifest.picks, plane=view.plane, rule=view.rule, channels=view.channels
    )
    manifest.verify(exemplars, path=path)
    return exemplars


def synthesis_sheet(exemplars: ExemplarSet, config: FitConfig, *, count: int = SHEET) -> bytes:
    """Draw exemplars and synthetic images with their outlines; return a PNG."""
    region, _ = region_for(exemplars, config)
    sheet = contact_sheet(
        _synthesizer(exemplars, config),
        close=None if region is None else _synthesizer(close_ups(exemplars, region.share), config),
        count=count,
        seed=config.seed,
        class_names=exemplars.labels.names,
    )
    return png_bytes(sheet)


def _synthesizer(exemplars: ExemplarSet, config: FitConfig) -> Synthesizer:
    return Synthesizer(
        as_samples(exemplars, config.size),
        classes=len(exemplars.labels),
        config=config.synthesis,
    )


def _methods(card: AdapterCard, shown: Shown) -> tuple[MethodResult, ...]:
    count = len(card.exemplars)
    own = MethodResult(
        name=card.shown_name, weights=card.weights, exemplars=count, evaluation=shown.evaluation
    )
    others = [
        MethodResult(
            name=_marked(name),
            weights=card.weights,
            exemplars=count,
            baseline=True,
            evaluation=result,
        )
        for name, result in shown.baselines.items()
    ]
    return (own, *others)


def _marked(name: str) -> str:
    """Say of a method that reads the truth that it does, wherever its scores are shown."""
    known = cards().get(name)
    return f"{name} ({known.prompts})" if known is not None and known.oracle else name


def _pictures(exemplars: ExemplarSet) -> Iterable[Picture]:
    for number, exemplar in enumerate(exemplars.exemplars[:PICTURED], start=1):
        image = np.moveaxis(exemplar.image, 0, -1)
        yield Picture(
            png=outlined_png(image, exemplar.labels),
            caption=f"{number}: {exemplar.case}, slice {exemplar.slice}",
        )
