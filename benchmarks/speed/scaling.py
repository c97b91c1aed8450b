"""How time grows with the side of the frame, the classes and the exemplars.

    python benchmarks/speed/scaling.py --json scaling.json

LiteMedSAM; `samplar weights fetch lite-medsam` first. `sizes`: one image through encoder and
decoder, and the share that the encoder reaches of the peak of a matrix product in the same run;
`classes`: the decoder's forward pass and a training step on kept embeddings, 224 px, batch 4;
`exemplars`: synthetic images of 224 px made from so many. How prediction grows with slices, cases
and workers is in `prediction.py`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

import prediction_kit as kit
import timing
import torch
from exemplars import exemplars
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from samplar.config.synthesis import SynthesisConfig
from samplar.methods.adapted import AdaptedSam
from samplar.methods.registry import load_method
from samplar.sam.weights import load_sam
from samplar.synthesis.synthesizer import Synthesizer
from samplar.training.losses import segmentation_loss

SIDE, BATCH, IMAGES, ORGANS = 224, 4, 16, 3
Row = dict[str, str | float]


def fitted(classes: int) -> AdaptedSam:
    """Return `decoder-only` before training."""
    method = load_method("decoder-only")
    torch.manual_seed(0)
    return AdaptedSam(load_sam("lite-medsam"), method, method.config(), classes)


def medians(works: dict[str, timing.Work], rounds: int) -> dict[str, float]:
    """Return the milliseconds of each, in turns."""
    spent = timing.rounds(works, count=rounds, warmup=1)
    found = timing.summary(spent, baseline=next(iter(works)))
    return {f"{name}_ms": found[name]["ms"] for name in works}


@torch.inference_mode()
def forward(model: AdaptedSam, kept: Tensor, images: Tensor) -> None:
    """Decode kept embeddings."""
    model(kept, images)


def step(model: AdaptedSam, kept: Tensor, images: Tensor, labels: Tensor) -> None:
    """Compute the gradients of a training step."""
    model.zero_grad(set_to_none=True)
    segmentation_loss(model(kept, images), labels, model.loss).backward()


def of_size(side: int, rounds: int) -> Row:
    """Time one image of this side."""
    model, image = fitted(ORGANS), torch.rand(1, 3, side, side)
    kept = model.prefix(image)
    encode = torch.inference_mode()(partial(model.sam.encode, image))
    times = medians({"encoder": encode, "decoder": partial(forward, model, kept, image)}, rounds)
    model.sam.requires_grad_(True)  # so that the plain operations run, which torch can count
    with FlopCounterMode(display=False) as counted:
        model.sam.encode(image)
    rate = counted.get_total_flops() / times["encoder_ms"] * 1000
    return {"what": f"{side} px", **times, "encoder_of_peak": rate / kit.peak("fp32")}


def of_classes(count: int, rounds: int) -> Row:
    """Time the decoder with this many classes."""
    model, images = fitted(count), torch.rand(BATCH, 3, SIDE, SIDE)
    kept = torch.cat([model.prefix(image[None]) for image in images])
    labels = torch.randint(count + 1, (BATCH, SIDE, SIDE))
    decode, train = (
        partial(forward, model, kept, images),
        partial(step, model, kept, images, labels),
    )
    return {"what": f"{count} classes", **medians({"decoder": decode, "step": train}, rounds)}


def of_exemplars(count: int, rounds: int) -> Row:
    """Time synthesis from this many exemplars, per image."""
    made = Synthesizer(
        exemplars(SIDE, classes=ORGANS, count=count), classes=ORGANS, config=SynthesisConfig()
    )
    draws = made.draw([n % count for n in range(IMAGES)], torch.Generator().manual_seed(0))
    found = medians({"synthesis": partial(made.render, draws)}, rounds)
    return {"what": f"{count} exemplars", "synthesis_ms": found["synthesis_ms"] / IMAGES}


PARTS: dict[str, tuple[Callable[[int, int], Row], tuple[int, ...]]] = {
    "sizes": (of_size, (112, 128, 224, 256, 512)),
    "classes": (of_classes, (1, 3, 8, 32)),
    "exemplars": (of_exemplars, (1, 4, 16, 36)),
}


def main() -> None:
    """Print a table for each part and, if asked, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=list(PARTS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path)
    wanted = parser.parse_args()
    torch.set_num_threads(wanted.threads)
    results = {}
    for part in wanted.parts:
        measure, values = PARTS[part]
        rows = results[part] = [measure(value, wanted.rounds) for value in values]
        print(timing.table(list(rows[0]), [list(row.values()) for row in rows]), "\n")
    if wanted.json:
        settings = {"rounds": wanted.rounds, "side": SIDE, "batch": BATCH}
        timing.write(wanted.json, timing.document("scaling", settings=settings, results=results))


if __name__ == "__main__":
    main()
