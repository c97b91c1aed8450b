"""How long the stages of a fit take."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

STAGES = {"synthesis and frozen encoder": "synthesis", "training": "training"}
"""Stages that `fit` tells of, and their names in a cell."""


@dataclass
class Clock:
    """Measures the stages that a fit tells of, each from its beginning to its last step."""

    seconds: dict[str, float] = field(default_factory=dict)
    _stage: tuple[str, int, float] | None = None

    def stage(self, name: str, total: int) -> None:
        """Begin a stage."""
        self._stage = (name, total, time.monotonic())

    def step(self, done: int, _loss: float | None = None) -> None:
        """End it with its last step."""
        if self._stage is not None and done == self._stage[1]:
            name, _, start = self._stage
            if name in STAGES:
                self.seconds[STAGES[name]] = time.monotonic() - start
            self._stage = None
