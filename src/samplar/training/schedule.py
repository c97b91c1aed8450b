"""The learning rate over iterations."""

from __future__ import annotations

from samplar.config.training import TrainingConfig


def learning_rate(step: int, config: TrainingConfig) -> float:
    """Return the learning rate of iteration `step`, counted from 0.

    Linear warm-up, then polynomial decay to 0 at the end (SAMed's form, `trainer.py`), but without
    its lag of one step and with a warm-up that never takes more than a fifth of a short run.
    With `schedule = "samed"` it is that code's, number by number.
    """
    if config.schedule == "samed":
        return _as_samed(step, config)
    warmup = min(config.warmup, config.iterations // 5)
    if step < warmup:
        return config.lr * (step + 1) / warmup
    left = 1 - (step - warmup) / (config.iterations - warmup)
    return config.lr * left**config.power


def _as_samed(step: int, config: TrainingConfig) -> float:
    """Return the rate as SAMed sets it: after a step, for the next one.

    So its first two steps run at the lowest rate, and the decay, which begins when the warm-up
    ends, counts from there over the whole `horizon`.
    """
    done = max(step - 1, 0)
    if done < config.warmup:
        return config.lr * ((done + 1) / config.warmup)
    left = 1.0 - (done - config.warmup) / (config.horizon or config.iterations)
    return config.lr * max(left, 0.0) ** config.power
