"""Adapt a SAM to a few exemplars of a data set."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from samplar.api.manifest import resources, versions
from samplar.api.report import write_report
from samplar.config.base import build
from samplar.config.fit import FitConfig
from samplar.exemplars.manifest import write_manifest
from samplar.io.dataset import read_dataset
from samplar.io.lock import sole_writer
from samplar.methods.adapted import AdaptedSam
from samplar.methods.registry import load_method
from samplar.prediction.adapter import TENSORS, describe, save_adapter
from samplar.sam.device import chosen_device
from samplar.sam.precision import chosen_precision
from samplar.sam.weights import find_card, load_sam
from samplar.training.embed import embedder
from samplar.training.estimate import Estimate, estimate_fit
from samplar.training.fit import Told, adapt, pool_size
from samplar.training.precision import Probe, probe_model, probe_sam
from samplar.training.prepare import choose_view, pick_exemplars
from samplar.training.run import RunFolder, open_run, run_digest
from samplar.training.tensors import as_samples, painted


@dataclass(frozen=True)
class Fitted:
    """A finished fit.

    Args:
        run: its folder.
        page: its report.
        preparing: seconds until the exemplars and the model were ready.
        adapting: seconds of synthesis, frozen encoder and training.
        cost: time, memory and sizes, as in the report.
        estimate: what was expected before it started; None for methods that do not train.
    """

    run: RunFolder
    page: Path
    preparing: float
    adapting: float
    cost: dict[str, Any]
    estimate: Estimate | None


def fit(config: FitConfig, out: Path, *, told: Told, resume: bool = False) -> Fitted:
    """Read, choose exemplars, attach the method, train, and write the run folder.

    Args:
        config: everything that decides the result.
        out: the run folder to make, or with `resume` to go on with.
        told: whom to tell how far it is.
        resume: take up the newest checkpoint of the same run.

    Raises:
        SamplarError: for every problem the user can mend.
    """
    with sole_writer(out) as note:
        if note:
            told.note(note)
        return _fit(config, out, told=told, resume=resume)


def _fit(config: FitConfig, out: Path, *, told: Told, resume: bool) -> Fitted:
    start = time.monotonic()
    run = open_run(out, resume=resume)
    method = load_method(config.method)
    settings = build(method.config, config.method_config, path="method_config")
    device = chosen_device(config.device)
    able = chosen_precision(config.training.precision, device)
    dataset = read_dataset(
        config.dataset, split=config.split, subset="pool" if config.split else None
    )
    sam = load_sam(config.weights, device=device)
    resized = sam.check_size(config.size)
    if resized is not None:
        told.note(resized)
    view = choose_view(dataset, config)
    embed = embedder(
        sam,
        dataset,
        precision=able,
        on_stage=told.stage,
        on_case=told.step,
    )
    exemplars, manifest = pick_exemplars(dataset, view, config, embed=embed)
    samples = painted(as_samples(exemplars, config.size), sam.padding)
    precision = run.settled_precision()
    if precision is None:
        precision = able
        if config.training.precision == "auto" and able == "bf16":
            precision = _heard(probe_sam(sam, samples), told)
    torch.manual_seed(config.seed)  # of the first values of what a method adds
    model = AdaptedSam(sam, method, settings, len(dataset.labels))
    weights = find_card(config.weights)
    base = weights.sha256 + weights.like  # the tensors, and the pixel rule that goes with them
    digest = run_digest(config, exemplars=exemplars.digest, weights=base, precision=precision)
    run.check(digest)
    run.write_config(config)
    write_manifest(run.path / "exemplars.yaml", manifest)
    run.claim(digest, precision=precision)
    estimate = _estimate(model, config, exemplars=len(exemplars), precision=precision)
    if estimate is not None:
        told.note(estimate.line())
    ready = time.monotonic()
    adapt(model, exemplars, config, run, precision=precision, digest=digest, told=told)
    predicted_in, agreement = precision, None
    if config.training.precision == "auto" and precision == "bf16":
        probe = probe_model(model, samples)
        predicted_in, agreement = _heard(probe, told), probe.agreement
    sequences = len(dataset.labelled[0].images)
    fields = describe(
        config, weights, exemplars, view=view, sequences=sequences, precision=predicted_in
    )
    fields["agreement"] = agreement
    save_adapter(run.adapter, model, fields)
    end = time.monotonic()
    size = (run.adapter / TENSORS).stat().st_size
    cost = resources(model, seconds=end - start, adapter_bytes=size)
    run.write_manifest(
        {"versions": versions(), "resources": cost, "run": digest, "precision": precision}
    )
    page = write_report(run, dataset)
    return Fitted(run, page, ready - start, end - ready, cost, estimate)


def _heard(probe: Probe, told: Told) -> str:
    told.note(probe.line())
    return probe.chosen


def _estimate(
    model: AdaptedSam, config: FitConfig, *, exemplars: int, precision: str
) -> Estimate | None:
    if not model.method.card.trains:
        return None
    images = pool_size(config, exemplars)
    return estimate_fit(
        model, config.training, images=images, size=config.size, precision=precision
    )
