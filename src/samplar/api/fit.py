"""Adapt a SAM to a few exemplars of a data set."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from samplar.api.manifest import numbers_by_rate, resources, versions
from samplar.api.region import framed, region_for
from samplar.api.report import write_report
from samplar.api.settle import settled
from samplar.config.base import Strict, build
from samplar.config.fit import FitConfig
from samplar.evaluation.trust import Calibration
from samplar.exemplars.exemplar import ExemplarSet
from samplar.exemplars.manifest import Manifest, write_manifest
from samplar.exemplars.roi import Region
from samplar.io.dataset import read_dataset
from samplar.io.lock import sole_writer
from samplar.methods.adapted import AdaptedSam, Keeper
from samplar.methods.contract import Method
from samplar.methods.registry import load_method
from samplar.prediction.adapter import TENSORS, describe, save_adapter
from samplar.prediction.held_out import HeldOut
from samplar.sam.cards import WeightsCard
from samplar.sam.device import chosen_device
from samplar.sam.model import Sam
from samplar.sam.precision import Precisions, chosen_precision
from samplar.sam.weights import find_card, load_sam
from samplar.synthesis.samples import Samples
from samplar.training.draws import pool_size
from samplar.training.embed import embedder
from samplar.training.estimate import Estimate, estimate_fit
from samplar.training.fit import CloseUps, Told, adapt, with_refits
from samplar.training.folds import forget_refits
from samplar.training.precision import Probe, probe_model, probe_sam
from samplar.training.prepare import choose_view, pick_exemplars
from samplar.training.run import RunFolder, in_manifest, open_run, run_digest
from samplar.training.tensors import as_samples, painted


@dataclass(frozen=True)
class Fitted:
    """A finished fit.

    Args:
        run: its folder.
        page: its report, if it was asked for.
        preparing: seconds until the exemplars and the model were ready.
        adapting: seconds of synthesis, frozen encoder and training.
        cost: time, memory and sizes, as in the report.
        estimate: what was expected before it started; None for methods that do not train.
    """

    run: RunFolder
    page: Path | None
    preparing: float
    adapting: float
    cost: dict[str, Any]
    estimate: Estimate | None


def fit(
    config: FitConfig,
    out: Path,
    *,
    told: Told,
    resume: bool = False,
    report: bool = True,
    keeper: Keeper | None = None,
) -> Fitted:
    """Read, choose exemplars, attach the method, train, and write the run folder.

    Args:
        config: everything that decides the result.
        out: the run folder to make, or with `resume` to go on with.
        told: whom to tell how far it is.
        resume: take up the newest checkpoint of the same run.
        report: write the page as well, which takes a second or two.
        keeper: keeps what the frozen part of the encoder makes of images, for other fits.

    Raises:
        SamplarError: for every problem the user can mend.
    """
    with sole_writer(out) as note:
        if note:
            told.note(note)
        return _fit(config, out, told=told, resume=resume, report=report, keeper=keeper)


def _fit(
    config: FitConfig,
    out: Path,
    *,
    told: Told,
    resume: bool,
    report: bool,
    keeper: Keeper | None,
) -> Fitted:
    start = time.monotonic()
    run = open_run(out, resume=resume)
    method = load_method(config.method)
    settings = build(method.config, config.method_config, path="method_config")
    device = chosen_device(config.device)
    able = chosen_precision(config.training.precision, device)
    dataset = read_dataset(
        config.dataset, split=config.split, subset="pool" if config.split else None
    )
    sam = _loaded(config, device, told)
    view = choose_view(dataset, config, note=told.note)
    around = method.neighbours(settings)
    embed = embedder(sam, dataset, on_stage=told.stage, on_case=told.step)
    listed = config.model_copy(update={"exemplars": config.exemplars or run.chosen()})
    exemplars, manifest = pick_exemplars(dataset, view, listed, embed=embed, around=around)
    roi, config = _looking(exemplars, config, sam, told)
    config, known = settled(method, config, len(exemplars.exemplars))
    if known:
        told.note(known)
    settings = build(method.config, config.method_config, path="method_config")
    samples = painted(as_samples(exemplars, config.size), sam.padding)
    precisions = run.settled_precisions()
    if precisions is None:
        trying = config.training.precision == "auto" and able == "bf16"
        precisions = _begun_in(sam, samples, method, told) if trying else Precisions(able, able)
    model = _attached(sam, method, settings, config, classes=len(dataset.labels))
    weights = find_card(config.weights)
    digest = _begin(run, config, exemplars, manifest, weights=weights, precisions=precisions)
    window = None if run.settled_window() is False else roi
    held = HeldOut(exemplars, config, precisions.frozen, window)
    estimate = _estimate(model, config, held, precisions)
    if estimate is not None:
        told.note(estimate.line())
    ready = time.monotonic()
    show = None if held.reason_against(model) else held.show
    model.keeper = keeper  # only now, and not longer: estimate and probes measure the computing
    adapt(
        model,
        exemplars,
        config,
        run,
        precisions=precisions,
        digest=digest,
        told=told,
        show=show,
        closer=None if roi is None else CloseUps(roi.share, lambda: _worth(held, run, told)),
    )
    model.keeper = None
    calibration = _told(held.calibration(model), told)
    predicted_in, agreement = _ended_in(model, samples, config, precisions.frozen, told)
    sequences = len(dataset.labelled[0].images)
    fields = describe(
        config, weights, exemplars, view=view, sequences=sequences, precision=predicted_in
    )
    fields |= {"agreement": agreement, "calibration": calibration, "roi": held.roi}
    save_adapter(run.adapter, model, fields)
    forget_refits(run.path)
    end = time.monotonic()
    cost = _finish(run, model, digest=digest, precisions=precisions, seconds=end - start)
    page = write_report(run, dataset) if report else None
    return Fitted(run, page, ready - start, end - ready, cost, estimate)


def _loaded(config: FitConfig, device: torch.device, told: Told) -> Sam:
    sam = load_sam(config.weights, device=device)
    resized = sam.check_size(config.size)
    if resized is not None:
        told.note(resized)
    return sam


def _looking(
    exemplars: ExemplarSet, config: FitConfig, sam: Sam, told: Told
) -> tuple[Region | None, FitConfig]:
    """Return the window of the second look, and the settings with the frame that goes with it."""
    roi, looking = region_for(exemplars, config)
    config, frame = framed(exemplars, config, roi)
    resized = sam.check_size(config.size) if frame else None
    for line in filter(None, (looking, frame, resized)):
        told.note(line)
    return roi, config


def _begin(
    run: RunFolder,
    config: FitConfig,
    exemplars: ExemplarSet,
    manifest: Manifest,
    *,
    weights: WeightsCard,
    precisions: Precisions,
) -> str:
    """Write into the run folder what is about to be done; return the digest of all of it."""
    base = weights.sha256 + weights.like  # the tensors, and the pixel rule that goes with them
    digest = run_digest(config, exemplars=exemplars.digest, weights=base, precisions=precisions)
    run.check(digest)
    run.write_config(config)
    write_manifest(run.exemplars, manifest)
    run.claim(digest, precisions)
    return digest


def _finish(
    run: RunFolder, model: AdaptedSam, *, digest: str, precisions: Precisions, seconds: float
) -> dict[str, Any]:
    """Write down what was used and what it cost; return the cost."""
    size = (run.adapter / TENSORS).stat().st_size
    window = run.settled_window()
    cost = resources(model, seconds=seconds, adapter_bytes=size)
    run.write_manifest(
        {
            "versions": versions(),
            "resources": cost,
            "rates": numbers_by_rate(model),
            "run": digest,
            **in_manifest(precisions),
            **({} if window is None else {"window": window}),
        }
    )
    return cost


def _attached(
    sam: Sam, method: Method, settings: Strict, config: FitConfig, *, classes: int
) -> AdaptedSam:
    torch.manual_seed(config.seed)  # of the first values of what a method adds
    model = AdaptedSam(sam, method, settings, classes)
    model.recompute = config.training.recompute
    return model


def _begun_in(sam: Sam, samples: Samples, method: Method, told: Told) -> Precisions:
    """Return what to compute in: bf16 has to show on SAM and the exemplars that it pays."""
    if not method.embeds:
        told.note(
            f"precision: trained in bf16, used in fp32; {method.card.name} does not use SAM, which "
            "bf16 is tried on"
        )
        return Precisions("fp32", "bf16")
    probe = probe_sam(sam, samples)
    found = Precisions(_heard(probe, told), probe.quicker)
    if found.trained != found.frozen and method.card.trains:
        told.note(f"precision: what trains computes in {found.trained}")
    return found


def _ended_in(
    model: AdaptedSam, samples: Samples, config: FitConfig, precision: str, told: Told
) -> tuple[str, float | None]:
    """Return the precision to predict in, and how well it agreed with fp32 if that was tried."""
    if config.training.precision != "auto" or precision != "bf16":
        return precision, None
    probe = probe_model(model, samples)
    return _heard(probe, told), probe.agreement


def _worth(held: HeldOut, run: RunFolder, told: Told) -> bool:
    """Say whether the window of a second look is used, as the run has settled it or does now."""
    if run.settled_window() is None:
        if settled := held.settle():
            told.note(settled)
        run.settle_window(held.roi is not None)
    return held.roi is not None


def _told(calibration: Calibration, told: Told) -> Calibration:
    told.note(calibration.line())
    return calibration


def _heard(probe: Probe, told: Told) -> str:
    told.note(probe.line())
    return probe.chosen


def _estimate(
    model: AdaptedSam, config: FitConfig, held: HeldOut, precisions: Precisions
) -> Estimate | None:
    if not model.method.card.trains:
        return None
    images = pool_size(config, len(held.exemplars))
    training = with_refits(config, held.folds(model))
    return estimate_fit(model, training, images=images, size=config.size, precisions=precisions)
