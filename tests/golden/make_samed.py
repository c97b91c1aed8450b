"""Make `samed.safetensors` from SAMed's published code; README.md has the details.

    python tests/golden/make_samed.py REFERENCE

REFERENCE is a checkout of SAMed. Nothing of samplar's model is used; only the rule that makes
random weights (`seeded_state`). The tests import this file for the inputs, so that both sides see
the same ones.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import tempfile
import types
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from samplar.sam.seeded import seeded_state

GOLDEN = Path(__file__).with_name("samed.safetensors")
MODULES = {"samed": "sam_lora_image_encoder", "samed-s": "sam_lora_image_encoder_mask_decoder"}
"""The published file of each variant."""

WIDTH, DEPTH, HEADS, GLOBAL, OUTPUT, HIDDEN = 32, 3, 2, (2,), 64, 128
CLASSES, RANK = 3, 4
SIZES = (224, 512)
"""One grid that is a window, and one that windows must be padded for."""

BASE_SEED, ADAPTER_SEED = 7, 8
FIXED = "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"
STEP = 7
"""Every seventh pixel is kept: prime to 4, so that every phase of the upscaling is seen."""

LOW_RANK = ("w_a_000", "w_b_001", "w_b_004", "w_a_005")
"""Encoder tensors whose gradients are kept: of the first block and of the last, q and v."""


def images(size: int) -> Tensor:
    """Return (2, 3, size, size) in [0, 1]: smooth blobs with a little grain, grey."""
    generator = torch.Generator().manual_seed(1)
    coarse = torch.rand(2, 1, 9, 9, generator=generator)
    fine = torch.rand(2, 1, size, size, generator=generator)
    smooth = F.interpolate(coarse, (size, size), mode="bilinear", align_corners=True)
    return (0.85 * smooth + 0.15 * fine).expand(-1, 3, -1, -1)


def labels(size: int) -> Tensor:
    """Return (2, size / 4, size / 4) class indices in stripes; class 3 is in no image."""
    side = size // 4
    stripes = torch.arange(side) * CLASSES // side
    return torch.stack([stripes.expand(side, side), stripes.expand(side, side).T]).contiguous()


def base_state(template: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return made-up base weights of 1024 pixels, with positions large enough to matter."""
    state = seeded_state(template, seed=BASE_SEED)
    return state | {name: 100 * state[name] for name in state if name.endswith("pos_embed")}


def adapter_state(template: dict[str, Tensor], base: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return a made-up checkpoint in the published layout, that belongs to these base weights."""
    return seeded_state(template, seed=ADAPTER_SEED) | {FIXED: base[FIXED]}


def load_reference(folder: Path) -> None:
    """Make the published code importable without the packages that it only imports."""
    for name in ("icecream", "medpy", "SimpleITK", "imageio", "einops", "scipy.ndimage"):
        stub = types.ModuleType(name)
        vars(stub).update(ic=print, metric=None, repeat=None, zoom=None)
        sys.modules[name] = stub
    package = types.ModuleType("segment_anything")  # its own __init__ needs torchvision
    package.__path__ = [str(folder / "segment_anything")]
    vars(package).update(build_sam=None, SamPredictor=None, sam_model_registry=None)
    sys.modules["segment_anything"] = package
    sys.path.insert(0, str(folder))


def published_sam(size: int, *, mask_tokens: int) -> nn.Module:
    """Put the published modules together as its `_build_sam` does, in small."""
    modeling = importlib.import_module("segment_anything.modeling")
    grid = size // 16
    return modeling.Sam(
        image_encoder=modeling.ImageEncoderViT(
            depth=DEPTH,
            embed_dim=WIDTH,
            img_size=size,
            mlp_ratio=4,
            norm_layer=partial(nn.LayerNorm, eps=1e-6),
            num_heads=HEADS,
            patch_size=16,
            qkv_bias=True,
            use_rel_pos=True,
            global_attn_indexes=list(GLOBAL),
            window_size=14,
            out_chans=OUTPUT,
        ),
        prompt_encoder=modeling.PromptEncoder(
            embed_dim=OUTPUT,
            image_embedding_size=(grid, grid),
            input_image_size=(size, size),
            mask_in_chans=16,
        ),
        mask_decoder=modeling.MaskDecoder(
            num_multimask_outputs=mask_tokens - 1,
            transformer=modeling.TwoWayTransformer(
                depth=2, embedding_dim=OUTPUT, mlp_dim=HIDDEN, num_heads=8
            ),
            transformer_dim=OUTPUT,
            iou_head_depth=3,
            iou_head_hidden_dim=OUTPUT,
        ),
        pixel_mean=[0, 0, 0],
        pixel_std=[1, 1, 1],
    )


def saved(network: nn.Module) -> dict[str, Tensor]:
    """Return what the published code saves."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "lora.pth")
        network.save_lora_parameters(path)
        return torch.load(path, weights_only=True)


def network_of(name: str, size: int) -> nn.Module:
    """Build a variant at a size, with the made-up base weights and adapter."""
    building = importlib.import_module("segment_anything.build_sam")
    base = base_state(published_sam(1024, mask_tokens=4).state_dict())
    sam = published_sam(size, mask_tokens=CLASSES + 1)
    sam.load_state_dict(building.load_from(sam, base, size, 16))
    network = importlib.import_module(MODULES[name]).LoRA_Sam(sam, RANK)
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "lora.pth")
        torch.save(adapter_state(saved(network), base), path)
        network.load_lora_parameters(path)
    return network


def run(name: str, size: int) -> dict[str, Tensor]:
    """Return what is kept of a variant at a size: logits, loss, and gradients of the encoder."""
    network = network_of(name, size)
    low = network(images(size), True, size)["low_res_logits"]
    dice = importlib.import_module("utils").DiceLoss(CLASSES + 1)
    target = labels(size)
    loss = 0.2 * nn.CrossEntropyLoss()(low, target) + 0.8 * dice(low, target, softmax=True)
    loss.backward()
    moments = torch.stack([low.mean(), low.std(), low.abs().max()])
    kept = {"logits": low[..., ::STEP, ::STEP], "moments": moments, "loss": loss[None]}
    tables = {"a": network.w_As, "b": network.w_Bs}
    for key in LOW_RANK:
        kept[f"gradient.{key}"] = tables[key[2]][int(key[-3:])].weight.grad
    return {f"{name}.{size}.{part}": tensor.detach() for part, tensor in kept.items()}


def main() -> None:
    """Write the golden file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reference", type=Path)
    torch.set_num_threads(1)
    load_reference(parser.parse_args().reference)
    kept: dict[str, Tensor] = {}
    layouts: dict[str, str] = {}
    for name in MODULES:
        for size in SIZES:
            kept |= run(name, size)
        files = saved(network_of(name, SIZES[0]))
        layouts[name] = json.dumps({key: list(tensor.shape) for key, tensor in files.items()})
    save_file({key: tensor.contiguous() for key, tensor in kept.items()}, GOLDEN, layouts)


if __name__ == "__main__":
    main()
