"""The training pool: synthetic images, each passed through the frozen part of the model once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Integer
from torch import Tensor

from samplar.methods.adapted import AdaptedSam
from samplar.sam.device import encoder_batch
from samplar.sam.halving import by_halves
from samplar.sam.precision import autocast
from samplar.synthesis.draw import Draw
from samplar.synthesis.samples import Samples
from samplar.synthesis.scales import Renderer
from samplar.training.cache import PrefixCache
from samplar.training.tensors import painted

GIB = 1 << 30


@dataclass
class Pool:
    """Images, labels and frozen-prefix activations of every synthetic image, on the CPU.

    Args:
        samples: what synthesis made.
        prefixes: what the frozen prefix made of it, row by row; None where there is no frozen
            prefix, and the images themselves take its place.
        draws: the record from which `samples` can be made again.
    """

    samples: Samples
    prefixes: PrefixCache | None
    draws: Sequence[Draw]

    def batch(self, rows: Integer[Tensor, " b"]) -> tuple[Tensor, Samples]:
        """Return activations and samples at these rows."""
        chosen = Samples(
            self.samples.images[rows], self.samples.labels[rows], self.samples.valid[rows]
        )
        return chosen.images if self.prefixes is None else self.prefixes.read(rows), chosen

    def exemplars_of(self, rows: Integer[Tensor, " b"]) -> list[int]:
        """Return the numbers of the exemplars that these rows were made from."""
        return sorted({self.draws[int(i)].exemplar for i in rows})

    def close(self) -> None:
        """Give back the file of activations, if there is one."""
        if self.prefixes is not None:
            self.prefixes.close()


def fill_pool(
    model: AdaptedSam,
    synthesizer: Renderer,
    draws: Sequence[Draw],
    *,
    precision: str,
    memory: float,
    folder: Path,
    on_image: Callable[[int], None],
) -> Pool:
    """Render every draw and run the frozen prefix on it.

    Args:
        model: in evaluation mode, on the device to compute on.
        synthesizer: holds the exemplars.
        draws: one per image.
        precision: fp32 or bf16.
        memory: GiB of activations to keep in memory.
        folder: where the rest goes.
        on_image: told how many images are done.
    """
    parts: list[Samples] = []
    cache: PrefixCache | None = None
    step = encoder_batch(model.sam.device)
    for start in range(0, len(draws), step):
        samples = painted(synthesizer.render(draws[start : start + step]), model.sam.padding)
        parts.append(samples)
        if model.prefix_steps:
            rows = _encode(model, samples.images, precision)
            if cache is None:
                cache = PrefixCache(len(draws), rows[0], limit=int(memory * GIB), folder=folder)
            cache.append(rows)
        on_image(start + len(samples))
    if not parts:
        raise ValueError("a pool has at least one draw")
    return Pool(join_samples(parts), cache, draws)


@torch.no_grad()
def _encode(model: AdaptedSam, images: Tensor, precision: str) -> Tensor:
    device, kind = model.sam.device, torch.bfloat16 if precision == "bf16" else torch.float32

    def encoded(part: slice) -> Tensor:
        with autocast(precision, device):
            return model.prefix(images[part].to(device)).to("cpu", kind)

    return by_halves(encoded, len(images))


def join_samples(parts: Sequence[Samples]) -> Samples:
    """Put batches of samples after one another."""
    return Samples(
        torch.cat([p.images for p in parts]),
        torch.cat([p.labels for p in parts]),
        torch.cat([p.valid for p in parts]),
    )
