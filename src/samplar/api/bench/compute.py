"""Compute one cell: fit, predict, score, and keep what the table needs."""

from __future__ import annotations

import hashlib
import shutil
import time
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from samplar.api.bench.clock import Clock
from samplar.api.bench.machine import this_machine
from samplar.api.bench.plan import Planned
from samplar.api.bench.results import PREFIXES
from samplar.api.bench.task import Task
from samplar.api.evaluate import evaluate
from samplar.api.fit import fit
from samplar.api.manifest import peak_memory, versions
from samplar.api.overlays import overlays
from samplar.api.predict import find_inputs, predict
from samplar.errors import SamplarError
from samplar.evaluation.cell import Cell, Cost, Failure, Origin
from samplar.evaluation.result import Evaluation
from samplar.exemplars.manifest import read_manifest
from samplar.io.atomic import write_bytes
from samplar.io.dataset import Dataset
from samplar.prediction.adapter import AdapterCard, read_card
from samplar.prediction.kept import KeptPrefixes
from samplar.prediction.predict import Options
from samplar.report.data import SlicePicture
from samplar.report.figures import overview_png
from samplar.sam.device import chosen_device
from samplar.training.fit import Told

LONGEST = 160
"""Side of a kept picture in pixels: enough to see what went wrong, small enough for hundreds."""


def compute(task: Task, *, note: Callable[[str], None]) -> Cell:
    """Compute a cell and write it; one that cannot be computed is written as failed.

    Args:
        task: the cell.
        note: told what the fit wants to be known.
    """
    work = task.results.area("work") / task.cell.name
    try:
        cell = _computed(task, work, note)
    except SamplarError as error:
        cell = failed(task.cell, error)
    except Exception as error:  # the other cells go on, whatever it is
        note(traceback.format_exc())
        cell = failed(task.cell, _unexpected(error))
    finally:
        if not task.keep:
            shutil.rmtree(work, ignore_errors=True)
    task.results.write_cell(task.cell.name, cell)
    return cell


def failed(planned: Planned, error: SamplarError) -> Cell:
    """Return the record of a cell that has no scores."""
    failure = Failure(code=error.code, problem=error.problem, fix=error.fix, path=error.path)
    return _cell(planned).model_copy(update={"failure": failure})


def _unexpected(error: Exception) -> SamplarError:
    return SamplarError(
        f"{type(error).__name__}: {error}",
        fix="If memory ran out, use fewer --workers; else report it with the traceback",
        code="bench.unexpected",
    )


def _computed(task: Task, work: Path, note: Callable[[str], None]) -> Cell:
    start, clock, config = time.monotonic(), Clock(), task.config
    shutil.rmtree(work, ignore_errors=True)
    told = Told(stage=clock.stage, step=clock.step, note=note)
    pool, slices = _keeper(task, task.cell.pool), _keeper(task, "slices")
    fitted = fit(config, work / "run", told=told, report=False, keeper=pool)
    inputs = find_inputs([config.dataset], split=task.split, subset="test")
    card = read_card(work / "run")
    predicted = predict(
        work / "run",
        inputs,
        work / "predictions",
        options=Options(strict=True, probabilities=True),
        device=config.device,
        keeper=slices,
        on_case=_nobody,
    )
    scoring = time.monotonic()
    dataset = _labelled(inputs.dataset)
    evaluation = _scored(task, work / "predictions", dataset, card)
    overlay = _overlay(task, work / "predictions", dataset, card)
    end = time.monotonic()
    cost = Cost(
        **clock.seconds,
        prediction=predicted.seconds,
        scoring=end - scoring,
        total=end - start,
        peak_memory_bytes=peak_memory(),
        adapter_bytes=fitted.cost["adapter_bytes"],
        trainable_parameters=fitted.cost["trainable_parameters"],
        encoded_before=0 if slices is None else slices.found,
        spared=0.0 if slices is None else slices.spared,
        pool_encoded_before=0 if pool is None else pool.found,
        pool_spared=0.0 if pool is None else pool.spared,
    )
    return _cell(task.cell).model_copy(
        update={
            "exemplars": tuple(_origins(task.exemplars)),
            "exemplars_digest": card.exemplars_digest,
            "adapter_sha256": card.tensors_sha256,
            "precision": card.precision,
            "trained_in": fitted.run.read_manifest()["trained_in"],
            "versions": versions(),
            "machine": this_machine(fitted.cost["device"], workers=task.workers),
            "cost": cost,
            "evaluation": evaluation,
            "overlay": overlay,
        }
    )


def _keeper(task: Task, name: str) -> KeptPrefixes | None:
    """Return what keeps the work of frozen encoders for other cells."""
    if chosen_device(task.config.device).type != "cpu":  # there encoding is quicker than reading
        return None
    return KeptPrefixes(task.results.area(f"{PREFIXES}/{name}"))


def _origins(listing: Path) -> Iterator[Origin]:
    """Say where the exemplars came from; an adapter need not name cases and subjects."""
    for entry in read_manifest(listing).exemplars:
        yield Origin.model_validate(entry.model_dump())


def _cell(planned: Planned) -> Cell:
    return Cell(
        key=planned.key,
        digest=planned.digest,
        settings=planned.settings,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        method=planned.method,
        trivial=planned.trivial,
        prompted=planned.prompted,
    )


def _scored(task: Task, predictions: Path, dataset: Dataset, card: AdapterCard) -> Evaluation:
    """Score the predictions; what looks at test subjects is logged before it does."""
    cell, bench = task.cell, task.bench
    if bench.score == "test":
        configuration = cell.config.model_dump_json(exclude={"seed", "dataset", "device", "k"})
        task.results.log_scoring(
            {
                "cell": cell.name,
                "digest": cell.digest,
                "configuration": hashlib.sha256(configuration.encode()).hexdigest(),
                **cell.key.model_dump(mode="json"),
            }
        )
    return evaluate(
        predictions,
        dataset,
        protocol=bench.protocol,
        tolerance=bench.tolerance,
        plane=card.plane,
        on_case=_nobody,
    )


def _overlay(task: Task, predictions: Path, dataset: Dataset, card: AdapterCard) -> str | None:
    """Keep one small picture of a median and a worst slice, for the first draw and seed only."""
    first = task.bench.draws[0], task.bench.seeds[0]
    if (task.cell.key.draw, task.cell.key.seed) != first:
        return None
    found = overlays(predictions, dataset, card.view, each=1, longest=LONGEST)
    shown: list[SlicePicture] = [picture for picture in found if picture.rank != "best"]
    if not shown:
        return None
    name = f"overlays/{task.cell.name}.png"
    task.results.area("overlays")
    write_bytes(task.results.path / name, overview_png(shown, dataset.labels.names))
    return name


def _labelled(dataset: Dataset | None) -> Dataset:
    if dataset is None:
        raise ValueError("the inputs of a cell are a data set")
    return dataset


def _nobody(done: int, case: str) -> None:
    """Tell nobody how far it is."""
