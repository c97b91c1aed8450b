"""How fast images are made, beside MONAI and TorchIO making the same families.

All start from four made-up exemplars in memory, run in one process and take turns; each turn is one
batch of float32 images of three channels with uint8 labels. Once with all families, cut-and-paste
included, and once with whole images only (moved, bent and re-toned). A peer that is not installed
is left out, and said so.

    python benchmarks/speed/synthesis.py --sides 128 256 --rounds 9 --json speed.json
"""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import torch
from exemplars import exemplars
from recipe import Kit, recipe
from timing import document, rounds, summary, table, write

from samplar.config.synthesis import Mix, SynthesisConfig
from samplar.synthesis.samples import Samples
from samplar.synthesis.synthesizer import Synthesizer

Maker = Callable[[], Samples]

OURS, PEERS = "samplar", ("monai", "torchio")
FAMILIES = {
    "all": SynthesisConfig(),
    "whole": SynthesisConfig(mix=Mix(exemplar=0, whole=1, group=0, organs=0)),
}
INSPECTED = 128
"""Images of each contestant whose values and labels are compared before anything is timed."""


def ours(samples: Samples, config: SynthesisConfig, *, classes: int, batch: int) -> Maker:
    """Return a function that makes one batch with us."""
    synthesizer = Synthesizer(samples, classes=classes, config=config)
    generator = torch.Generator().manual_seed(0)
    indices = [n % len(samples) for n in range(batch)]
    return lambda: synthesizer.render(synthesizer.draw(indices, generator))


def theirs(name: str, samples: Samples, config: SynthesisConfig, *, batch: int) -> Maker:
    """Return a function that makes one batch with a peer."""
    kit, steps = _kit(name, config, samples.side), recipe(samples, config)
    return lambda: steps.batch(kit, batch)


def _kit(name: str, config: SynthesisConfig, side: int) -> Kit:
    if name == "monai":
        from monai_kit import MonaiKit

        return MonaiKit(config, side)
    from torchio_kit import TorchioKit

    torch.manual_seed(0)  # TorchIO's source of chance
    return TorchioKit(config, side)


def looks(make: Maker) -> dict[str, object]:
    """Return what images and labels are like, to be compared between contestants."""
    made: list[Samples] = []
    while sum(map(len, made)) < INSPECTED:
        made.append(make())
    images = torch.cat([samples.images for samples in made])
    labels = torch.cat([samples.labels for samples in made])
    share = (labels > 0).float().mean(dim=(1, 2))
    return {
        "image": f"{images.dtype} {tuple(images.shape[1:])}",
        "labels": f"{labels.dtype} {tuple(labels.shape[1:])}",
        "values": [round(float(images.min()), 4), round(float(images.max()), 4)],
        "mean": round(float(images.mean()), 4),
        "classes": labels.unique().tolist(),
        "foreground": {"mean": round(float(share.mean()), 4), "std": round(float(share.std()), 4)},
    }


def check(found: dict[str, dict[str, object]]) -> None:
    """Stop where the contestants do not make the same kind of image."""
    first = found[OURS]
    for name, facts in found.items():
        for key in ("image", "labels", "classes"):
            if facts[key] != first[key]:
                raise SystemExit(f"{name} and {OURS} differ in {key}: {facts[key]}, {first[key]}")
        shares = [entry["foreground"]["mean"] for entry in (facts, first)]
        if not 0.8 < shares[0] / shares[1] < 1.25:
            raise SystemExit(f"{name} and {OURS} differ in the share of foreground: {shares}")


def measure(
    side: int, families: str, peers: list[str], settings: argparse.Namespace
) -> dict[str, object]:
    """Return the times of each contestant and what its images are like."""
    samples, config = exemplars(side, classes=settings.classes), FAMILIES[families]
    makers = {OURS: ours(samples, config, classes=settings.classes, batch=settings.batch)}
    for name in peers:
        makers[name] = theirs(name, samples, config, batch=settings.batch)
    found = {name: looks(make) for name, make in makers.items()}
    check(found)
    spent = rounds(makers, count=settings.rounds)
    times = summary(spent, baseline=OURS, items=settings.batch)
    return {name: times[name] | {"output": found[name]} for name in makers}


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--sides", type=int, nargs="+", default=[128, 256])
    parser.add_argument("--families", nargs="+", choices=list(FAMILIES), default=list(FAMILIES))
    parser.add_argument("--classes", type=int, default=4)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def main() -> None:
    """Print a table and, if asked, write the JSON."""
    settings = arguments()
    torch.set_num_threads(settings.threads)  # the peers'; ours renders on one core by itself
    peers = {name: version(name) for name in PEERS if importlib.util.find_spec(name)}
    missing = [name for name in PEERS if name not in peers]
    for name in missing:
        print(f"{name} is not installed and left out")
    results, rows = {}, []
    for side in settings.sides:
        for families in settings.families:
            found = measure(side, families, list(peers), settings)
            results[f"{side} px, {families}"] = found
            rows += [
                [
                    f"{side} px",
                    families,
                    name,
                    times["ms"],
                    1000 / times["ms"],
                    times["times_slower"],
                ]
                for name, times in found.items()
            ]
    print(table(["side", "families", "", "ms/image", "images/s", "times ours"], rows))
    if settings.json:
        facts = {
            "families": settings.families, "classes": settings.classes, "batch": settings.batch,
            "rounds": settings.rounds, "threads": settings.threads, "peers": peers,
            "missing": missing,
        }  # fmt: skip
        write(settings.json, document("synthesis", settings=facts, results=results))


if __name__ == "__main__":
    main()
