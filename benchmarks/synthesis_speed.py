"""How many images per second the synthesis makes, beside MONAI doing the same families.

Both start from four made-up exemplars in memory and run in one process. MONAI gets the families it
has in common with ours (affine, elastic, gamma, bias field, noise, with the same chances and sizes)
and no cut-and-paste; ours is timed with the same families only and with its default settings. The
three take turns (A B C A B C ...), medians are reported.

    python benchmarks/synthesis_speed.py --sides 128 256 --rounds 15 --json speed.json
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from samplar.config.synthesis import LookRange, Mix, SynthesisConfig
from samplar.synthesis.samples import Samples
from samplar.synthesis.synthesizer import Synthesizer

Work = Callable[[], object]


def exemplars(side: int, *, classes: int, count: int = 4) -> Samples:
    """Make smooth noise with one ellipse per class, sized like abdominal organs."""
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[:side, :side] / side
    images, labels = [], []
    for _ in range(count):
        image = 0.3 + 0.05 * random.standard_normal((side, side))
        label = np.zeros((side, side), np.uint8)
        for index in range(1, classes + 1):
            angle = 2 * math.pi * index / classes
            row, column = 0.5 + 0.25 * math.sin(angle), 0.5 + 0.25 * math.cos(angle)
            inside = ((rows - row) / 0.12) ** 2 + ((columns - column) / 0.09) ** 2 < 1
            label[inside], image[inside] = index, image[inside] + 0.1 * index
        images.append(torch.from_numpy(image.clip(0, 1).astype(np.float32)).expand(3, -1, -1))
        labels.append(torch.from_numpy(label))
    valid = torch.ones(count, side, side, dtype=torch.bool)
    return Samples(torch.stack(images), torch.stack(labels), valid)


def common_families() -> SynthesisConfig:
    """Return our settings cut down to what MONAI can do as well."""
    look = LookRange(
        linear_probability=0, contrast_probability=0, blur_probability=0,
        low_resolution_probability=0,
    )  # fmt: skip
    return SynthesisConfig(mix=Mix(exemplar=0, whole=1, group=0, organs=0), look=look)


def ours(samples: Samples, config: SynthesisConfig, *, classes: int, batch: int) -> Work:
    """Return a function that makes one batch with us."""
    synthesizer = Synthesizer(samples, classes=classes, config=config)
    generator = torch.Generator().manual_seed(0)
    indices = [n % len(samples) for n in range(batch)]
    return lambda: synthesizer.render(synthesizer.draw(indices, generator))


def monai(samples: Samples, *, batch: int) -> Work | None:
    """Return a function that makes one batch with MONAI, or nothing where it is not installed."""
    try:
        from monai import data, transforms
    except ImportError:
        return None
    data.set_track_meta(False)  # the faster way: no record of geometry is kept
    keys, image, side = ["image", "label"], ["image"], samples.side
    both = {"mode": ["bilinear", "nearest"], "padding_mode": "zeros"}
    turn, size, move = math.radians(20), (-0.2, 0.25), 0.08 * side
    chain = transforms.Compose(
        [
            transforms.Rand2DElasticd(
                keys, spacing=(side / 5, side / 5), magnitude_range=(0, 0.04 * side), prob=0.5,
                rotate_range=turn, scale_range=[size, size], translate_range=[move, move], **both,
            ),
            transforms.RandAffined(
                keys, prob=0.45, rotate_range=turn, scale_range=[size, size],
                translate_range=[move, move], **both,
            ),
            transforms.RandAdjustContrastd(image, prob=0.5, gamma=(0.7, 1.5)),
            transforms.RandBiasFieldd(image, prob=0.3, coeff_range=(0, 0.15)),
            transforms.RandGaussianNoised(image, prob=0.3, std=0.03),
        ]
    )  # fmt: skip
    chain.set_random_state(seed=0)
    # one channel: ours, too, works on one when the three are the same
    pairs = [
        {"image": picture[:1], "label": label[None].float()}
        for picture, label in zip(samples.images, samples.labels, strict=True)
    ]
    return lambda: torch.stack([chain(pairs[n % len(pairs)])["image"] for n in range(batch)])


def seconds(work: Work) -> float:
    """Return the wall time of one batch."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure(side: int, *, classes: int, batch: int, rounds: int) -> dict[str, float]:
    """Return images per second of each contestant."""
    samples = exemplars(side, classes=classes)
    contestants: dict[str, Work | None] = {
        "samplar, default": ours(samples, SynthesisConfig(), classes=classes, batch=batch),
        "samplar, common": ours(samples, common_families(), classes=classes, batch=batch),
        "MONAI, common": monai(samples, batch=batch),
    }
    running = {name: work for name, work in contestants.items() if work is not None}
    times: dict[str, list[float]] = {name: [] for name in running}
    for turn in range(rounds + 2):
        for name, work in running.items():
            spent = seconds(work)
            if turn >= 2:  # two rounds to warm up
                times[name].append(spent)
    return {name: batch / statistics.median(spent) for name, spent in times.items()}


def main() -> None:
    """Print a table and, if asked, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--sides", type=int, nargs="+", default=[128, 256])
    parser.add_argument("--classes", type=int, default=4)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    settings = parser.parse_args()
    torch.set_num_threads(settings.threads)  # MONAI's; ours renders on one core by itself
    results = {
        side: measure(side, classes=settings.classes, batch=settings.batch, rounds=settings.rounds)
        for side in settings.sides
    }
    print(f"images per second, {settings.classes} classes, batch {settings.batch}, "
          f"{settings.threads} thread(s), torch {torch.__version__}")  # fmt: skip
    for side, rates in results.items():
        for name, rate in rates.items():
            print(f"{side:5d} px  {name:18s} {rate:8.1f}")
    if settings.json:
        document = {
            "unit": "images/s", "classes": settings.classes, "batch": settings.batch,
            "rounds": settings.rounds, "threads": settings.threads,
            "torch": torch.__version__, "results": results,
        }  # fmt: skip
        settings.json.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
