"""The report of a finished run, written again: with scores, or after the run was moved."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from samplar.api.evaluate import evaluate
from samplar.api.report import Shown, write_report
from samplar.config.base import build
from samplar.config.fit import FitConfig
from samplar.errors import InputError
from samplar.evaluation.result import Evaluation
from samplar.io.dataset import read_dataset
from samplar.io.documents import read_yaml
from samplar.io.lock import sole_writer
from samplar.io.splits import Subset
from samplar.prediction.adapter import read_card
from samplar.training.run import CONFIG, RunFolder


def rewrite_report(
    run: Path,
    *,
    scored: tuple[Path, Path] | None,
    split: Path | None = None,
    subset: Subset | None = None,
    baselines: Mapping[str, Evaluation],
) -> Path:
    """Write report.html of a run again and return its path.

    Args:
        run: the run folder; its data set must still be where its settings say.
        scored: the folder of predictions and the data set folder of their truth, or None.
        split: of the truth.
        subset: of the truth; `test` if there is a split.
        baselines: other methods' scores by name.

    Raises:
        WeightsError: `adapter.*` when this is no finished run.
        InputError: what the readers refuse; `report.classes` for scores of other classes.
        OutputError: `output.busy`, and see `samplar.io.atomic`.
    """
    folder, card = RunFolder(run), read_card(run)
    config = build(FitConfig, dict(read_yaml(run / CONFIG)), path=str(run / CONFIG))
    side: Subset | None = "pool" if config.split else None
    pool = read_dataset(config.dataset, split=config.split, subset=side)
    shown = None
    if scored is not None:
        predictions, truth = scored
        dataset = read_dataset(truth, split=split, subset=subset or ("test" if split else None))
        result = evaluate(predictions, dataset, plane=card.plane, on_case=_nobody)
        for name, other in baselines.items():
            _check_comparable(name, other, result)
        shown = Shown(result, predictions, dataset, baselines)
    with sole_writer(run):
        return write_report(folder, pool, shown)


def read_evaluation(path: Path) -> Evaluation:
    """Read what `samplar evaluate -o` wrote.

    Raises:
        InputError: `evaluation.unreadable`.
    """
    try:
        return Evaluation.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        first = str(error).splitlines()[0]
        raise InputError(
            f"is not an evaluation ({first})",
            fix="Give the file that `samplar evaluate -o FILE` wrote",
            code="evaluation.unreadable",
            path=path,
        ) from error


def _check_comparable(name: str, other: Evaluation, own: Evaluation) -> None:
    if list(other.per_class) == list(own.per_class) and other.unit == own.unit:
        return
    raise InputError(
        f"{name} was scored on {list(other.per_class)} in {other.unit}, "
        f"this run on {list(own.per_class)} in {own.unit}",
        fix="Compare scores of the same data set",
        code="report.classes",
    )


def _nobody(done: int, case: str) -> None:
    """Tell nobody how far it is."""
