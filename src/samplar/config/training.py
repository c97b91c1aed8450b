"""How long and how fast a method trains."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from samplar.config.base import Strict

INDIFFERENT = frozenset({"memory", "recompute", "checkpoint_every"})
"""Settings that change what a run needs and keeps, and nothing of what comes out."""

Precision = Literal["auto", "fp32", "bf16"]


class TrainingConfig(Strict):
    """AdamW with linear warm-up and polynomial decay, counted in iterations.

    Epochs mean nothing with a handful of exemplars, so everything is in iterations. The form of the
    schedule is SAMed's; the values are ours, chosen on development subjects.
    """

    iterations: int = Field(default=300, ge=1, le=1_000_000)
    batch: int = Field(default=8, ge=1, le=1024)
    lr: float = Field(default=1e-3, gt=0, le=1)
    warmup: int = Field(default=50, ge=0)
    power: float = Field(default=0.9, ge=0)
    schedule: Literal["fitted", "samed"] = "fitted"
    """fitted: reaches 0 at the end, warm-up at most a fifth; samed: the published form."""
    horizon: int | None = Field(default=None, ge=1)
    """Iterations of decay after which the rate of `samed` would be 0; none: `iterations`."""
    weight_decay: float = Field(default=0.1, ge=0)
    clip: float = Field(default=1.0, gt=0)
    """Largest norm of the gradient of all trained parameters together."""
    pool: int = Field(default=300, ge=1)
    """Synthetic images made before the first iteration; each passes the frozen prefix once."""
    average: float = Field(default=0.0, ge=0, lt=1)
    """Share of the past in a running mean of what trains, which is then the result; 0: the weights
    after the last iteration."""
    precision: Precision = "auto"
    """auto: bf16 where the processor has it and the exemplars show that it pays, for what trains
    and for what is frozen apart; else fp32."""
    memory: float = Field(default=1.0, gt=0)
    """GiB of frozen-prefix activations kept in memory; the rest goes to a file in the run."""
    recompute: bool = False
    """Keep only the input of each of the encoder's steps for the way back, and compute the rest
    again (activation checkpointing): less memory, one more forward pass of what trains."""
    checkpoint_every: int = Field(default=100, ge=1)
