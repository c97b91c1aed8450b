"""The learning rate over iterations."""

from __future__ import annotations

from samplar.config.training import TrainingConfig


def learning_rate(step: int, config: TrainingConfig) -> float:
    """Return the learning rate of iteration `step`, counted from 0.

    Linear warm-up, then polynomial decay to 0 at the end (SAMed's form, `trainer.py`), but without
    its lag of one step and with a warm-up that never takes more than a fifth of a short run.
    """
    warmup = min(config.warmup, config.iterations // 5)
    if step < warmup:
        return config.lr * (step + 1) / warmup
    left = 1 - (step - warmup) / (config.iterations - warmup)
    return config.lr * left**config.power
