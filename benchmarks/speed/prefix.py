"""What the frozen prefix saves: a training step that reads it beside one that computes it anew.

    python benchmarks/speed/prefix.py --size 256 --batch 4 --json prefix.json

LiteMedSAM with LoRA in the last attention blocks and the whole decoder (`samed` with `blocks`), and
the decoder alone; `samplar weights fetch lite-medsam` first. A step is forward, loss, backward,
clipping and AdamW. Both contestants see the same images and the same trained tensors, and their
logits are compared first; storage in bfloat16, as on processors that have it, is compared too.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import timing
import torch
from torch import Tensor

from samplar.methods.adapted import AdaptedSam
from samplar.methods.registry import load_method
from samplar.sam.weights import load_sam
from samplar.training.cache import PrefixCache
from samplar.training.losses import segmentation_loss

CLASSES, ROWS = 4, 16
CASES = {
    "decoder": ("decoder-only", {}),
    "last block and decoder": ("samed", {"blocks": "last:1"}),
    "last two blocks and decoder": ("samed", {"blocks": "last:2"}),
}


class Fit:
    """A model, images with labels, and their cached prefixes."""

    def __init__(self, method: str, settings: dict[str, str], size: int, batch: int) -> None:
        found = load_method(method)
        config = found.config.model_validate(settings)
        self.model = AdaptedSam(load_sam("lite-medsam"), found, config, CLASSES)
        chance = torch.Generator().manual_seed(0)
        self.images = torch.rand(ROWS, 3, size, size, generator=chance)
        self.labels = torch.randint(CLASSES + 1, (ROWS, size, size), generator=chance)
        self.rows = torch.randperm(ROWS, generator=chance)[:batch]
        self.optimizer = torch.optim.AdamW(self.model.trained().values(), lr=1e-6, fused=True)
        made = [self.model.prefix(image[None]) for image in self.images]
        self.cache = PrefixCache(ROWS, made[0][0], limit=1 << 34, folder=Path())
        for one in made:
            self.cache.append(one)

    def prefix(self, *, cached: bool) -> Tensor:
        """Return the frozen part of a batch, read or computed image by image as a fit does."""
        if cached:
            return self.cache.read(self.rows)
        return torch.cat([self.model.prefix(self.images[i : i + 1]) for i in self.rows])

    def logits(self, prefix: Tensor) -> Tensor:
        """Return the logits of the batch."""
        return self.model(prefix, self.images[self.rows], self.labels[self.rows])

    def step(self, *, cached: bool) -> None:
        """Train on one batch."""
        self.optimizer.zero_grad(set_to_none=True)
        logits = self.logits(self.prefix(cached=cached))
        segmentation_loss(logits, self.labels[self.rows], self.model.loss).backward()
        torch.nn.utils.clip_grad_norm_(self.model.trained().values(), 1.0)
        self.optimizer.step()

    @torch.no_grad()
    def differences(self) -> dict[str, float]:
        """Return how far the logits move: read or computed, and when kept in bfloat16."""
        read, made = (self.logits(self.prefix(cached=cached)) for cached in (True, False))
        halved = self.logits(self.prefix(cached=True).bfloat16().float())
        return {
            "difference": float((read - made).abs().max()),
            "difference_bf16": float((read - halved).abs().max()),
            "labels_moved_bf16": float((read.argmax(1) != halved.argmax(1)).float().mean()),
        }


def main() -> None:
    """Print a table and, if asked, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path)
    wanted = parser.parse_args()
    torch.set_num_threads(wanted.threads)
    results = {}
    for name, (method, settings) in CASES.items():
        fit = Fit(method, dict(settings), wanted.size, wanted.batch)
        apart = fit.differences()
        works = {"read": lambda: fit.step(cached=True), "computed": lambda: fit.step(cached=False)}  # noqa: B023
        spent = timing.rounds(works, count=wanted.rounds, warmup=1)
        times = timing.summary(spent, baseline="read")
        results[name] = {
            "ms": times["read"]["ms"],
            "ms_without": times["computed"]["ms"],
            "times_faster": times["computed"]["times_slower"],
            **apart,
        }
    titles = list(next(iter(results.values())))
    rows = [[name, *(found[title] for title in titles)] for name, found in results.items()]
    print(timing.table(["trained", *titles], rows))
    if wanted.json:
        settings = {"size": wanted.size, "batch": wanted.batch, "rounds": wanted.rounds}
        timing.write(wanted.json, timing.document("prefix", settings=settings, results=results))


if __name__ == "__main__":
    main()
