"""Make `lite_medsam.safetensors` from the published LiteMedSAM code; README.md has the details.

    python tests/golden/make_lite_medsam.py REFERENCE WEIGHTS

REFERENCE is a checkout of MedSAM's branch LiteMedSAM, WEIGHTS the published lite_medsam.pth.
Nothing of samplar's model is used; only the rule that makes random weights (`seeded_state`).
The tests import this file for the inputs, so that both sides see the same ones.
"""

from __future__ import annotations

import argparse
import sys
import types
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from samplar.sam.seeded import seeded_state

GOLDEN = Path(__file__).with_name("lite_medsam.safetensors")
SMALL = {
    "widths": (16, 32, 64, 320),  # the reference halves the grid unless the new width is 320
    "depths": (1, 1, 2, 1),
    "heads": (1, 2, 4, 10),
    "windows": (7, 7, 14, 7),
    "decoder_hidden": 128,
    "seed": 7,
}
STEP = 9
"""Every ninth pixel is kept: prime to 2 and 4, so that every phase of the upscaling is seen."""


def image(size: int, seed: int) -> Tensor:
    """Return (1, 3, size, size) in [0, 1]: smooth blobs with a little grain."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, 9, 9, generator=generator)
    fine = torch.rand(1, 3, size, size, generator=generator)
    smooth = F.interpolate(coarse, (size, size), mode="bilinear", align_corners=True)
    return 0.85 * smooth + 0.15 * fine


def mask_logits(size: int, seed: int) -> Tensor:
    """Return (1, 1, size, size) in [-4, 4): an earlier mask."""
    return 8 * image(size, seed)[:, :1] - 4


def cases(size: int) -> dict[str, dict[str, Any]]:
    """Return the prompts of every case in pixels of a `size` input, and the seeds of its images."""
    unit = size / 256
    box = torch.tensor([[60.0, 50.0, 180.0, 200.0]]) * unit
    two_boxes = torch.cat([box, torch.tensor([[10.0, 90.0, 120.5, 250.0]]) * unit])
    points = torch.tensor([[[120.0, 100.0], [30.0, 220.0]]]) * unit
    labels = torch.tensor([[1, 0]])
    return {
        "box": {"seeds": (1,), "boxes": box},
        "points": {"seeds": (1,), "points": points, "labels": labels},
        "points_box": {"seeds": (1,), "points": points, "labels": labels, "boxes": box},
        "box_mask": {"seeds": (1,), "boxes": box, "masks": mask_logits(size, 5)},
        "none": {"seeds": (1,)},
        "batch": {"seeds": (1, 2), "boxes": two_boxes},
    }


def images_of(case: dict[str, Any], size: int) -> Tensor:
    """Return the images of a case, (b, 3, size, size)."""
    return torch.cat([image(size, seed) for seed in case["seeds"]])


def summary(embedding: Tensor, sparse: Tensor, logits: Tensor, iou: Tensor) -> dict[str, Tensor]:
    """Return the small part that is kept: regular samples, and moments over everything."""
    moments = [torch.stack([t.mean(), t.std(), t.abs().max()]) for t in (embedding, logits)]
    return {
        "embedding": embedding[:, ::8, ::STEP, ::STEP],
        "sparse": sparse,
        "logits": logits[..., ::STEP, ::STEP],
        "iou": iou,
        "moments": torch.stack(moments),
    }


def load_reference(folder: Path) -> tuple[types.ModuleType, types.ModuleType]:
    """Import the published encoder and prompt/decoder modules without timm and torchvision."""
    layers, registry = types.ModuleType("timm.models.layers"), types.ModuleType("registry")
    vars(layers).update(
        DropPath=nn.Identity,
        to_2tuple=lambda size: (size, size),
        trunc_normal_=nn.init.trunc_normal_,
    )
    vars(registry).update(register_model=lambda function: function)
    sys.modules.update(
        {
            "timm": types.ModuleType("timm"),
            "timm.models": types.ModuleType("timm.models"),
            "timm.models.layers": layers,
            "timm.models.registry": registry,
        }
    )
    package = types.ModuleType("segment_anything")  # its own __init__ needs torchvision
    package.__path__ = [str(folder / "segment_anything")]
    sys.modules["segment_anything"] = package
    sys.path.insert(0, str(folder))
    import tiny_vit_sam
    from segment_anything import modeling

    return tiny_vit_sam, modeling


class Reference(nn.Module):
    """The published modules, put together as in the published inference script."""

    def __init__(
        self,
        folder: Path,
        *,
        size: int,
        decoder_hidden: int,
        widths: tuple[int, ...] = (64, 128, 160, 320),
        depths: tuple[int, ...] = (2, 2, 6, 2),
        heads: tuple[int, ...] = (2, 4, 5, 10),
        windows: tuple[int, ...] = (7, 7, 14, 7),
    ) -> None:
        super().__init__()
        encoders, modeling = load_reference(folder)
        self.grid = size // 4
        self.image_encoder = encoders.TinyViT(
            img_size=size,
            in_chans=3,
            embed_dims=list(widths),
            depths=list(depths),
            num_heads=list(heads),
            window_sizes=list(windows),
            drop_path_rate=0.0,
        )
        self.prompt_encoder = modeling.PromptEncoder(
            embed_dim=256,
            image_embedding_size=(self.grid, self.grid),
            input_image_size=(size, size),
            mask_in_chans=16,
        )
        self.mask_decoder = modeling.MaskDecoder(
            num_multimask_outputs=3,
            transformer=modeling.TwoWayTransformer(
                depth=2, embedding_dim=256, mlp_dim=decoder_hidden, num_heads=8
            ),
            transformer_dim=256,
            iou_head_depth=3,
            iou_head_hidden_dim=256,
        )

    def encode(self, images: Tensor) -> Tensor:
        """Run the encoder; the published one does the same, with 64 written for the grid."""
        encoder = self.image_encoder
        x = encoder.patch_embed(images)
        for layer in encoder.layers:
            x = layer(x)
        x = x.view(len(x), self.grid, self.grid, -1).permute(0, 3, 1, 2)
        return encoder.neck(x)

    def run(self, case: dict[str, Any], size: int) -> dict[str, Tensor]:
        """Return what is kept of one case."""
        images = images_of(case, size)
        embedding = self.encode(images)
        if self.grid == 64 and not torch.equal(embedding, self.image_encoder(images)):
            raise RuntimeError("encode() is no longer what the published encoder does")
        points = (case["points"], case["labels"]) if "points" in case else None
        sparse, dense = self.prompt_encoder(points, case.get("boxes"), case.get("masks"))
        logits, iou = self.mask_decoder.predict_masks(
            image_embeddings=embedding,
            image_pe=self.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
        )
        return summary(embedding, sparse, logits, iou)


def run_all(model: Reference, size: int, prefix: str) -> dict[str, Tensor]:
    """Run every case; the embedding of one image is kept once."""
    kept = {}
    for name, case in cases(size).items():
        for part, tensor in model.eval().run(case, size).items():
            if part != "embedding" or name == "batch":
                kept[f"{prefix}.{name}.{part}"] = tensor.contiguous()
    return kept


def main() -> None:
    """Write the golden file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reference", type=Path)
    parser.add_argument("weights", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    kept = {}
    with torch.no_grad():
        real = Reference(given.reference, size=256, decoder_hidden=2048)
        real.load_state_dict(torch.load(given.weights, map_location="cpu", weights_only=True))
        kept |= run_all(real, 256, "real")
        sizes = {key: value for key, value in SMALL.items() if key != "seed"}
        for size in (256, 128):
            small = Reference(given.reference, size=size, **sizes)
            small.load_state_dict(seeded_state(small.state_dict(), seed=SMALL["seed"]))
            kept |= run_all(small, size, f"small{size}")
    save_file(kept, GOLDEN)


if __name__ == "__main__":
    main()
