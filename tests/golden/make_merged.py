"""Make `merged.safetensors` from the original Segment Anything; README.md has the details.

    python tests/golden/make_merged.py REFERENCE

REFERENCE is a checkout of segment-anything. Adapters with made-up numbers are exported with
`--format merged`; the lines in the export's own README.md load each file into the original code,
and what that code computes is kept. The tests import this file for the adapters and the images.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import types
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from samplar.api.export import export
from samplar.methods.adapted import AdaptedSam
from samplar.methods.registry import load_method
from samplar.prediction.adapter import save_adapter
from samplar.sam.seeded import seeded_state
from samplar.sam.weights import find_card, load_sam

GOLDEN = Path(__file__).with_name("merged.safetensors")
WEIGHTS = "tiny-vit-sam"
CASES = {
    "samed_s": {"method": "samed-s", "classes": 8, "size": 48},
    "samed": {"method": "samed", "classes": 2, "size": 64},
    "decoder_only": {"method": "decoder-only", "classes": 3, "size": 96},
}
"""The tables of the weights are made for 64 pixels: one smaller input, the same, one larger."""


def adapter(method: str, classes: int) -> AdaptedSam:
    """Return an adapted SAM whose trained tensors follow from their names."""
    chosen = load_method(method)
    model = AdaptedSam(load_sam(WEIGHTS), chosen, chosen.config(), classes)
    values = seeded_state(model.trained(), seed=5)
    model.load_adapter_state(values, path=method)
    return model


def image(size: int) -> Tensor:
    """Return (2, 3, size, size) in [0, 1)."""
    generator = torch.Generator().manual_seed(6)
    return torch.rand(2, 3, size, size, generator=generator)


def save(model: AdaptedSam, folder: Path, *, size: int) -> None:
    """Write an adapter folder as `samplar fit` does."""
    fields: dict[str, Any] = {
        "samplar": "0",
        "method": model.method.card.name,
        "method_config": model.config.model_dump(),
        "weights": WEIGHTS,
        "weights_sha256": find_card(WEIGHTS).sha256,
        "class_names": tuple(f"organ {n}" for n in range(1, model.classes + 1)),
        "class_values": tuple(range(1, model.classes + 1)),
        "size": size,
        "plane": "axial",
        "intensity": {"kind": "range", "low": 0, "high": 255},
        "channels": None,
        "precision": "fp32",
        "seed": 0,
        "exemplars": [],
        "exemplars_digest": "",
    }
    save_adapter(folder, model, fields)


def load_original(reference: Path) -> None:
    """Make `segment_anything.modeling` importable without the package's own need of torchvision."""
    package = types.ModuleType("segment_anything")
    package.__path__ = [str(reference / "segment_anything")]
    sys.modules["segment_anything"] = package


@torch.no_grad()
def original_logits(folder: Path, model: AdaptedSam, images: Tensor) -> Tensor:
    """Load an export with the lines of its README.md and run the original code on the images."""
    code = (folder / "README.md").read_text().split("```python\n")[1].split("```")[0]
    names: dict[str, Any] = {}
    here = Path.cwd()
    os.chdir(folder)
    try:
        exec(compile(code, "README.md", "exec"), names)  # noqa: S102  (written by samplar itself)
    finally:
        os.chdir(here)
    sam, rule = names["sam"], model.sam.pixels.rule
    mean, std = (torch.tensor(colour).view(3, 1, 1) for colour in (rule.mean, rule.std))
    rows = [
        sam.mask_decoder.predict_masks(
            image_embeddings=sam.image_encoder(one),
            image_pe=sam.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=names["sparse"],
            dense_prompt_embeddings=names["dense"],
        )[0]
        for one in ((images - mean) / std).split(1)
    ]
    return torch.cat(rows)


def main() -> None:
    """Write the golden file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reference", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    load_original(given.reference.resolve())
    kept = {}
    for name, case in CASES.items():
        model = adapter(case["method"], case["classes"])
        with tempfile.TemporaryDirectory() as place:
            save(model, Path(place) / "adapter", size=case["size"])
            export(Path(place) / "adapter", Path(place) / "out", kind="merged")
            kept[name] = original_logits(Path(place) / "out", model, image(case["size"]))
    save_file(kept, GOLDEN)


if __name__ == "__main__":
    main()
