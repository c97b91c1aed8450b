"""What a fit will cost, measured on a taste of it before it starts."""

from __future__ import annotations

import resource
import sys
import time
from dataclasses import dataclass

import torch

from samplar.config.training import TrainingConfig
from samplar.methods.adapted import AdaptedSam
from samplar.sam.precision import Precisions, autocast
from samplar.synthesis.samples import Samples
from samplar.training.passes import pass_losses
from samplar.training.undone import undone

GIB = 1 << 30
TASTE = 2


@dataclass(frozen=True)
class Estimate:
    """Seconds for the pool and for training, and the peak memory of this process in GiB."""

    pool: float
    training: float
    memory: float

    @property
    def seconds(self) -> float:
        """Both together."""
        return self.pool + self.training

    def line(self) -> str:
        """Say it in one line."""
        minutes, seconds = divmod(round(self.seconds), 60)
        time_text = f"{minutes} min {seconds:02} s" if minutes else f"{seconds} s"
        return f"estimate: about {time_text} and {self.memory:.1f} GiB of memory"


def estimate_fit(
    model: AdaptedSam,
    config: TrainingConfig,
    *,
    images: int,
    size: int,
    precisions: Precisions,
) -> Estimate:
    """Run the frozen prefix and a training step on a few made-up images, twice, and scale up.

    The model is left as it was: no step is taken, gradients are dropped, and what a method counts
    while it trains is put back.

    Args:
        model: a method that trains, on the device it will train on.
        config: how long it trains.
        images: how many the pool will hold.
        size: side of the frame in pixels.
        precisions: of what is frozen and of what trains.
    """
    device = model.sam.device
    count = min(TASTE, config.batch)
    shape, chance = (count, 3 * model.slices, size, size), torch.Generator().manual_seed(0)
    taste = torch.rand(shape, generator=chance).to(device)
    labels = torch.zeros(count, size, size, dtype=torch.uint8)
    labels[:, size // 4 : size // 2, size // 4 : size // 2] = 1
    shown = Samples(taste, labels, torch.ones_like(labels, dtype=torch.bool))
    seconds = [0.0, 0.0]
    with undone(model):
        for _ in range(2):  # the first round pays for warming up, the second is what lasts
            seconds = list(_taste(model, shown, precisions))
    rows = images * _row_bytes(model, taste[:1], precisions.frozen)
    kept = min(rows, config.memory * GIB) + images * size * size * (12 * model.slices + 2)
    return Estimate(
        pool=seconds[0] / count * images,
        training=seconds[1] / count * config.batch * config.iterations,
        memory=(_peak_bytes() + kept) / GIB,
    )


def _taste(model: AdaptedSam, shown: Samples, precisions: Precisions) -> tuple[float, float]:
    start = _now(model.sam.device)
    with autocast(precisions.frozen, shown.images.device):
        prefix = model.prefix(shown.images)
    between = _now(model.sam.device)
    chance = torch.Generator().manual_seed(0)
    for loss in pass_losses(model, prefix, shown, precision=precisions.trained, chance=chance):
        loss.backward()
    return between - start, _now(model.sam.device) - between


def _now(device: torch.device) -> float:
    """Return the seconds of a clock, once the device has done what it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


@torch.no_grad()
def _row_bytes(model: AdaptedSam, image: torch.Tensor, precision: str) -> int:
    if not model.prefix_steps:  # the images themselves, which are counted anyway
        return 0
    return model.prefix(image).numel() * (2 if precision == "bf16" else 4)


def _peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
