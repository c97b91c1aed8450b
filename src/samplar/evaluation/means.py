"""Means and spreads of scores, metric by metric, over those that are defined."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import fmean, stdev

from samplar.evaluation.scores import METRICS, Metric, Scores


def mean_scores(scores: Iterable[Scores]) -> Scores:
    """Average each metric over the scores that have it; None where none has."""
    return Scores.model_validate(
        {metric: fmean(values) if values else None for metric, values in _columns(scores)}
    )


def std_scores(scores: Iterable[Scores]) -> Scores:
    """Return each metric's standard deviation (n - 1); None where fewer than two have it."""
    return Scores.model_validate(
        {metric: stdev(values) if len(values) > 1 else None for metric, values in _columns(scores)}
    )


def _columns(scores: Iterable[Scores]) -> list[tuple[Metric, list[float]]]:
    listed = list(scores)
    return [
        (metric, [value for score in listed if (value := getattr(score, metric)) is not None])
        for metric in METRICS
    ]
