"""Whether the loss runs away: numbers that are still finite, but lead nowhere."""

from __future__ import annotations

from collections.abc import Iterable

from samplar.errors import ResourceError
from samplar.training.journal import Row

TIMES = 100.0
"""How many times the loss of the first iteration is too much."""
PATIENCE = 20
"""Iterations in a row for which it may be too much."""
LEAST = 1.0
"""What the first loss counts as at least: one near 0 says nothing about the scale."""


class Watch:
    """Look at every loss, and stop a run whose loss is out of all proportion for too long.

    Args:
        rows: what a resumed run has written down before; it is judged as if it had never stopped.
    """

    def __init__(self, rows: Iterable[Row]) -> None:
        self.bound: float | None = None
        self.above = 0
        for row in rows:
            self._count(float(row["loss"]))

    def see(self, step: int, loss: float, exemplars: list[int]) -> None:
        """Take note of the loss of an iteration, counted from 1.

        Raises:
            ResourceError: `training.exploded`.
        """
        self._count(loss)
        if self.above < PATIENCE or self.bound is None:
            return
        raise ResourceError(
            f"the loss is {loss:g} at iteration {step}, and was above {self.bound:g}, {TIMES:.0f} "
            f"times what it began with, for {PATIENCE} iterations; the last batch was made from "
            f"the exemplars {exemplars}",
            fix="Lower training.lr, or look at the exemplars with `samplar synth --preview`; the "
            "last checkpoint is kept",
            code="training.exploded",
        )

    def _count(self, loss: float) -> None:
        if self.bound is None:
            self.bound = TIMES * max(loss, LEAST)
        self.above = self.above + 1 if loss > self.bound else 0
