"""What the images hold: channels, intensities, copies of the same image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from samplar.config.base import Strict
from samplar.io.checks.facts import CaseFacts, ImageFacts
from samplar.io.checks.finding import Finding, note, warning
from samplar.io.intensity import RAISED_CT, SOFT_TISSUE_RAISED, agreed_rule
from samplar.io.wording import few


class IntensityReport(Strict):
    """Grey values over a data set: extremes, and the median over images of their percentiles."""

    dtypes: dict[str, int]
    minimum: float
    percentile_1: float
    median: float
    percentile_99: float
    maximum: float
    rule: str


def intensity_report(images: Sequence[ImageFacts]) -> IntensityReport | None:
    """Summarise the grey values and name the rule chosen; None without images."""
    if not images:
        return None
    grey = np.array([image.grey for image in images])
    low, middle, high = np.median(grey[:, 1:4], axis=0).tolist()
    return IntensityReport(
        dtypes=dict(Counter(image.dtype for image in images).most_common()),
        minimum=float(grey[:, 0].min()),
        percentile_1=low,
        median=middle,
        percentile_99=high,
        maximum=float(grey[:, 4].max()),
        rule=str(agreed_rule(image.rule for image in images)),
    )


def image_findings(cases: Sequence[CaseFacts]) -> list[Finding]:
    """Report channels to choose, mixed kinds of image, constant images, copies, missing labels."""
    known = [(facts, facts.image) for facts in cases if facts.image is not None]
    images = [image for _, image in known]
    findings = _channels(known) + _kinds(images) + _raised(images) + _copies(known)
    flat = [facts.case.id for facts, image in known if image.grey[0] == image.grey[-1]]
    if flat:
        problem = f"{len(flat)} images have one grey value only: {few(flat)}"
        findings.append(warning("images.constant", problem, fix="Check these files"))
    return findings + _without_label(cases)


def _channels(known: Sequence[tuple[CaseFacts, ImageFacts]]) -> list[Finding]:
    counts = Counter(image.channels for _, image in known)
    findings: list[Finding] = []
    if len(counts) > 1:
        listing = few([f"{channels} ({n} images)" for channels, n in sorted(counts.items())])
        fix = "Save all images with the same channels if they should mean the same"
        problem = f"different numbers of channels: {listing}"
        grey_and_colour = set(counts) == {1, 3} and all(image.is_raster for _, image in known)
        make = note if grey_and_colour else warning
        findings.append(make("images.channels_differ", problem, fix=fix))
    many = [image.channels for _, image in known if image.needs_choice]
    if many:
        problem = f"{len(many)} images have {max(many)} channels and SAM takes 3"
        fix = "Say which ones to use, for example --channels 0,1,2"
        findings.append(warning("channels.too_many", problem, fix=fix))
    return findings


def _kinds(images: Sequence[ImageFacts]) -> list[Finding]:
    rules = Counter(str(image.rule) for image in images)
    if len(rules) < 2:
        return []
    listing = few([f"{rule} suits {count}" for rule, count in rules.most_common()])
    fix = "Check that these are images of one kind, or set --intensity"
    return [warning("intensity.mixed", f"images of different kinds: {listing}", fix=fix)]


def _raised(images: Sequence[ImageFacts]) -> list[Finding]:
    raised = sum(image.raised for image in images)
    if 2 * raised <= len(images):
        return []
    problem = f"{raised} of {len(images)} images look like {RAISED_CT}"
    return [warning("intensity.raised", problem, fix=f"Set --intensity {SOFT_TISSUE_RAISED}")]


def _copies(known: Sequence[tuple[CaseFacts, ImageFacts]]) -> list[Finding]:
    groups: dict[str, list[CaseFacts]] = {}
    for facts, image in known:
        groups.setdefault(image.digest, []).append(facts)
    copies = [group for group in groups.values() if len(group) > 1]
    findings: list[Finding] = []
    for group in copies:
        same = " = ".join(facts.case.id for facts in group)
        subjects = {facts.case.subject for facts in group}
        people = "" if len(subjects) == 1 else f", under {len(subjects)} subjects"
        problem = f"{len(group)} images are the same: {same}{people}"
        fix = "Keep one, or give them the same subject in index.csv"
        findings.append(warning("images.duplicate", problem, fix=fix, file=group[0].case.images[0]))
    return findings


def _without_label(cases: Sequence[CaseFacts]) -> list[Finding]:
    bare = [facts.case.id for facts in cases if facts.case.label is None]
    if not bare:
        return []
    problem = f"{len(bare)} of {len(cases)} images have no label: {few(bare)}"
    fix = "Nothing to do if they are unlabelled; else give the label the name of the image"
    return [note("dataset.image_without_label", problem, fix=fix)]
