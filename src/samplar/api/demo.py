"""The demonstration: four labelled slices of a public brain, and how the rest comes out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samplar.api.evaluate import evaluate
from samplar.api.fit import fit
from samplar.api.predict import find_inputs, predict
from samplar.api.report import Shown, write_report
from samplar.config.fit import fit_config
from samplar.errors import UsageError
from samplar.evaluation.result import Evaluation
from samplar.exemplars.manifest import Manifest, ManifestEntry, write_manifest
from samplar.io.atomic import ensure_writable, make_folder, write_bytes
from samplar.io.dataset import Dataset, read_dataset
from samplar.io.documents import write_yaml_text
from samplar.io.formats import read_image
from samplar.io.partial import FILE_NAME
from samplar.io.slicing import choose_plane, slicing_of
from samplar.methods.registry import load_method
from samplar.prediction.adapter import read_card
from samplar.prediction.predict import Options
from samplar.training.fit import Told
from samplar.training.run import RunFolder

SLICES = (38, 76, 114, 150)
"""The slices to learn from: evenly spread over the 189, fixed before any score was seen."""

METHOD = "samplar"
BASELINES = ("copy-nearest", "linear-probe")

NOTE = (
    "The slices learned from and the slices scored are of the same brain. This shows that the "
    "parts work together; it says nothing about other people. Score on other subjects for that."
)


@dataclass(frozen=True)
class Demonstration:
    """What a demonstration made.

    Args:
        page: the report.
        run: the run folder of the method.
        evaluations: by method, the one shown first, then the baselines.
        seconds: all of it.
    """

    page: Path
    run: Path
    evaluations: dict[str, Evaluation]
    seconds: float


@dataclass(frozen=True)
class Parts:
    """One data set twice: where four slices are labelled, and where the others are."""

    labelled: Path
    rest: Path


def demonstrate(
    whole: Path,
    folder: Path,
    *,
    slices: Iterable[int],
    settings: dict[str, Any],
    preset: str,
    told: Told,
) -> Demonstration:
    """Learn from a few slices of a labelled volume, and score the others against baselines.

    All methods get the same exemplars file. A whole volume is predicted, and slices that were
    exemplars are not scored: the truth that is scored against leaves them unlabelled.

    Args:
        whole: a data set of one labelled volume.
        folder: where everything goes: data/, run/, baselines/, predictions/, scores/.
        slices: numbers of the exemplars, in file order.
        settings: of every fit, such as weights, seed, device.
        preset: `fast`, `standard` or `paper`.
        told: whom to tell how far it is.
    """
    start = time.monotonic()
    parts = split_slices(whole, folder / "data", slices)
    listing = folder / "exemplars.yaml"
    pool, rest = read_dataset(parts.labelled), read_dataset(parts.rest)
    write_manifest(listing, _manifest(pool, slices))
    evaluations = {}
    for name in (METHOD, *BASELINES):
        told.note(f"{name}: fitting, predicting, scoring")
        values = {**settings, "dataset": parts.labelled, "exemplars": listing, "method": name}
        config = fit_config(values, preset=preset, method=load_method(name).defaults)
        fit(config, _run(folder, name), told=told)
        evaluations[name] = _scored(folder, name, rest, config.device, told)
    run = RunFolder(_run(folder, METHOD))
    run.write_manifest({**run.read_manifest(), "notes": [NOTE]})
    baselines = {name: evaluations[name] for name in BASELINES}
    shown = Shown(evaluations[METHOD], folder / "predictions" / METHOD, rest, baselines)
    page = write_report(run, pool, shown)
    return Demonstration(page, run.path, evaluations, time.monotonic() - start)


def split_slices(whole: Path, folder: Path, slices: Iterable[int]) -> Parts:
    """Write the data set twice, with `labelled_slices.yaml` listing the slices, and all others.

    Listing is how samplar is told which slices of a volume are labelled. With it, exemplars can
    only come from the few, and scores only from the rest, whoever runs the steps again by hand.
    """
    dataset = read_dataset(whole)
    (case,) = dataset.labelled
    image = read_image(case.images)
    count = image.shape[slicing_of(image, choose_plane([image.affine])).axis]
    few = sorted(slices)
    others = [number for number in range(count) if number not in few]
    parts = Parts(folder / "labelled" / whole.name, folder / "rest" / whole.name)
    for place, numbers in ((parts.labelled, few), (parts.rest, others)):
        for file in sorted(path for path in whole.rglob("*") if path.is_file()):
            copy = place / file.relative_to(whole)
            make_folder(copy.parent)
            write_bytes(copy, file.read_bytes())
        write_bytes(place / FILE_NAME, write_yaml_text({case.id: numbers}).encode())
    return parts


def refuse_existing(folder: Path) -> None:
    """Refuse a folder that holds something, and check that it can be written.

    Raises:
        UsageError: `demo.exists`.
        OutputError: `output.not_writable`.
    """
    if folder.is_dir() and any(folder.iterdir()):
        raise UsageError(
            "this folder is not empty",
            fix="Remove it, or choose another one with -o",
            code="demo.exists",
            path=folder,
        )
    ensure_writable(folder)


def _run(folder: Path, name: str) -> Path:
    return folder / "run" if name == METHOD else folder / "baselines" / name


def _manifest(pool: Dataset, slices: Iterable[int]) -> Manifest:
    (case,) = pool.labelled
    return Manifest(exemplars=tuple(ManifestEntry(case=case.id, slice=n) for n in sorted(slices)))


def _scored(folder: Path, name: str, rest: Dataset, device: str, told: Told) -> Evaluation:
    run, out = _run(folder, name), folder / "predictions" / name
    inputs = find_inputs([rest.root])
    told.stage("predicting", len(inputs.cases))
    predict(
        run,
        inputs,
        out,
        options=Options(strict=True),
        device=device,
        on_case=_counted(told),
    )
    plane = read_card(run).plane
    told.stage("scoring", len(rest.labelled))
    result = evaluate(out, rest, plane=plane, on_case=_counted(told))
    scores = folder / "scores"
    make_folder(scores)
    write_bytes(scores / f"{name}.json", (result.model_dump_json(indent=1) + "\n").encode())
    return result


def _counted(told: Told) -> Callable[[int, str], None]:
    return lambda done, _case: told.step(done, None)
