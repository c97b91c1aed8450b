"""Exemplars as they look to a model that has not seen them: the evidence for two temperatures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean

import numpy as np
import torch

from samplar.config.fit import FitConfig
from samplar.evaluation.calibration import (
    fit_temperature,
    near_foreground,
    reliability,
)
from samplar.evaluation.overlap import overlap
from samplar.evaluation.trust import Calibration, Held
from samplar.exemplars.exemplar import Exemplar, ExemplarSet
from samplar.exemplars.folds import subject_folds, why_no_folds
from samplar.exemplars.roi import Region
from samplar.methods.adapted import AdaptedSam
from samplar.prediction.temperatures import Temperatures, near_found
from samplar.prediction.two_looks import segmented
from samplar.prediction.views import further_frames
from samplar.types import IGNORE

MOST = 16
"""Exemplars looked at, at most: two numbers are fitted, and each look costs a prediction."""

MANY = 2**20
"""Pixels that a temperature is fitted to, at most: of more, every second, or third, and so on."""

ENOUGH = 15.0
"""Mean DSC on the held-out exemplars below which a refit cannot stand in for the model."""


@dataclass(frozen=True)
class Look:
    """A held-out exemplar: logits (k + 1, 1, h, w) float16, and labels (1, h, w)."""

    logits: np.ndarray
    labels: np.ndarray

    @property
    def found(self) -> np.ndarray:
        """The classes that its pixels were given, uint8 (1, h, w)."""
        return self.logits.argmax(axis=0).astype(np.uint8)

    def dsc(self) -> float | None:
        """Return the mean DSC over the classes that truth or prediction have, 0..100."""
        known = self.labels != IGNORE
        found, true = self.found[known], self.labels[known]
        shown = [k for k in np.union1d(found, true).tolist() if k]
        values = [overlap(found == k, true == k).dsc for k in shown]
        return fmean(values) if values else None

    def close(self) -> torch.Tensor:
        """Return where the temperature is that of near pixels, bool (1, h, w)."""
        return near_found(torch.from_numpy(self.found > 0))

    def probabilities(self, temperatures: Temperatures) -> np.ndarray:
        """Return what `samplar predict` would say with these, (k + 1, 1, h, w)."""
        logits = torch.from_numpy(self.logits).float().transpose(0, 1)
        return temperatures.probabilities(logits, self.close()).transpose(0, 1).numpy()


@dataclass
class HeldOut:
    """Collects what models make of exemplars that they have not seen.

    Args:
        exemplars: all of them.
        config: of the fit.
        precision: fp32 or bf16.
        roi: the window of a second look, if there is one.
        looks: what was seen, in two looks if there is a window.
        single: what a single look saw, where there is a window.
    """

    exemplars: ExemplarSet
    config: FitConfig
    precision: str
    roi: Region | None = None
    looks: list[Look] = field(default_factory=list)
    single: list[Look] = field(default_factory=list)

    def reason_against(self, model: AdaptedSam) -> str:
        """Say why there is nothing to calibrate with, or nothing if there is."""
        if not self.config.trust.calibrate:
            return "the settings say so (trust.calibrate)"
        if model.oracle:
            return "the method reads the truth"
        return why_no_folds(self.exemplars)

    def folds(self, model: AdaptedSam) -> int:
        """Return how many folds the exemplars are dealt into; 0 where nothing is held out."""
        if self.reason_against(model):
            return 0
        return len(subject_folds(self.exemplars, self.config.trust.folds))

    def show(self, model: AdaptedSam, fold: Sequence[int]) -> None:
        """Let a model segment the exemplars of a fold, just as `samplar predict` would.

        Where the truth is a class that no other exemplar shows, the pixels do not count: nobody
        could have taught the model that class.
        """
        others = [e for n, e in enumerate(self.exemplars.exemplars) if n not in fold]
        taught = np.unique(np.concatenate([np.unique(e.labels) for e in others]))
        roi = None if self.roi is None else self.roi.expected_by(others)
        for number in fold:
            if len(self.looks) < MOST:
                exemplar = self.exemplars.exemplars[number]
                self.looks.append(self._look(model, exemplar, taught, roi))
                if roi is not None:
                    self.single.append(self._look(model, exemplar, taught, None))

    def settle(self) -> str:
        """Do without the second look if it was clearly worse on the exemplars; say what was done.

        Clearly: by more than the standard error of the mean difference. A few exemplars differ by
        much, and on most data the second look is better. From then on `roi` is what prediction is
        to use, and `looks` what goes with it.
        """
        pairs = [
            (twice, once)
            for close, whole in zip(self.looks, self.single, strict=False)
            if (twice := close.dsc()) is not None and (once := whole.dsc()) is not None
        ]
        if self.roi is None or not pairs:
            return ""
        means, gains = np.mean(pairs, axis=0), np.array([twice - once for twice, once in pairs])
        error = float(gains.std(ddof=1) / np.sqrt(len(gains))) if len(gains) > 1 else 0.0
        found = (
            f"held-out exemplars {means[0]:.1f} with the window, {means[1]:.1f} without (DSC, "
            f"standard error of the difference {error:.1f})"
        )
        if gains.mean() + error >= 0:
            return f"region of interest: kept, {found}"
        self.roi, self.looks = None, self.single
        return f"region of interest: not used, {found}"

    def _look(
        self, model: AdaptedSam, exemplar: Exemplar, taught: np.ndarray, roi: Region | None
    ) -> Look:
        size = self.config.size
        also = further_frames(model, size, tta=None)
        shown, middle = exemplar.among(model.slices // 2)
        parts = segmented(model, shown, size=size, precision=self.precision, also=also, roi=roi)
        logits = torch.cat(list(parts))[middle : middle + 1].cpu().numpy()
        known = np.isin(exemplar.labels, taught)
        labels = np.where(known, exemplar.labels, np.uint8(IGNORE))[None]
        return Look(logits.transpose(1, 0, 2, 3).astype(np.float16), labels)

    def calibration(self, model: AdaptedSam) -> Calibration:
        """Fit temperatures to what was seen, and say how reliable probabilities are with them."""
        if reason := self.reason_against(model) or self._too_little():
            return Calibration(calibrated=False, reason=reason)
        close = [look.close().numpy() for look in self.looks]
        temperatures = Temperatures(self._fitted(close), self._fitted([~near for near in close]))
        return Calibration(
            calibrated=True,
            reason="",
            temperature=temperatures.near,
            far=temperatures.far,
            folds=self.folds(model),
            share=self.config.trust.share if model.method.card.trains else None,
            exemplars=len(self.looks),
            before=self._held(Temperatures()),
            after=self._held(temperatures),
        )

    def _fitted(self, pixels: Sequence[np.ndarray]) -> float:
        """Return the temperature of these pixels of each look, 1 if there are none."""
        pairs = [
            (look, where & (look.labels != IGNORE))
            for look, where in zip(self.looks, pixels, strict=True)
        ]
        truth = np.concatenate([look.labels[chosen] for look, chosen in pairs])
        if not len(truth):
            return 1.0
        logits = np.concatenate([look.logits[:, chosen].T for look, chosen in pairs])
        thinned = slice(None, None, 1 + len(truth) // MANY)
        return fit_temperature(logits[thinned], truth[thinned])

    def _too_little(self) -> str:
        """Say whether the held-out exemplars were segmented too badly to be evidence.

        Refits that find next to nothing are wrong in another way than the model is, and the
        temperature that fits them is far too high.
        """
        values = [dsc for look in self.looks if (dsc := look.dsc()) is not None]
        if not values:
            return "the exemplars that were held out show no structure"
        if fmean(values) < ENOUGH:
            return (
                f"exemplars that were held out were segmented to a DSC of {fmean(values):.0f} (at "
                f"least {ENOUGH:.0f} is asked for), so they say little about new images"
            )
        return ""

    def _held(self, temperatures: Temperatures) -> Held:
        total = Held()
        for look in self.looks:
            shares = look.probabilities(temperatures)
            region = near_foreground(look.found, look.labels)
            total = total + Held(
                everywhere=reliability(shares, look.labels),
                region=reliability(shares, look.labels, region=region),
            )
        return total
