"""AdamW over what a method trains, every parameter at its own share of the learning rate."""

from __future__ import annotations

import torch
from torch import nn

from samplar.config.training import TrainingConfig
from samplar.methods.adapted import AdaptedSam

SHARE = "share"
"""Key of a parameter group: its learning rate relative to the run's."""


def make_optimizer(model: AdaptedSam, config: TrainingConfig) -> torch.optim.AdamW:
    """Return AdamW with one group of parameters for each relative rate, in order of appearance.

    AdamW multiplies weight decay by the learning rate, so a part that learns slowly also decays
    slowly.
    """
    groups: dict[float, list[nn.Parameter]] = {}
    for name, parameter in model.trained().items():
        groups.setdefault(model.rates[name], []).append(parameter)
    return torch.optim.AdamW(
        [{"params": members, SHARE: share} for share, members in groups.items()],
        lr=config.lr,
        weight_decay=config.weight_decay,
        fused=True,
    )


def set_rate(optimizer: torch.optim.AdamW, rate: float) -> None:
    """Set the learning rate of the next step: `rate` times the share of each group."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group[SHARE]
