"""Make `ma_sam.safetensors` by running the published MA-SAM; README.md has the details.

    python tests/golden/make_ma_sam.py REFERENCE

REFERENCE is a checkout of MA-SAM. Its encoder with adapters and FacT, prompt encoder, decoder,
loader, checkpoint and loss are called as they are, with ViT-B's width, as its code fixes that of an
adapter, and else in small, with made-up weights. Around them stand in: modules for pictures, plots
and logs, none of which they use. The tests import this file for the inputs, so that both sides see
the same ones.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import tempfile
import types
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from unittest.mock import MagicMock

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from samplar.sam.seeded import seeded_state

GOLDEN = Path(__file__).with_name("ma_sam.safetensors")
WIDTH, DEPTH, HEADS, GLOBAL, WINDOW, OUTPUT, HIDDEN = 768, 2, 12, (1,), 3, 64, 128
BASE_SIZE, SIZE = 128, 80
"""What the base weights are made for, and what is asked of them: 8 cells, and 5."""
CLASSES, RANK, SLICES, SLABS = 3, 4, 5, 2
BASE_SEED, ADAPTER_SEED = 31, 32
FIXED = "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"
STEP = 7
"""Every seventh pixel is kept: prime to 16, so that every phase of the upscaling is seen."""
THIN = 7
"""Every seventh channel of the parts is kept."""
BLOCK = "image_encoder.ImageEncoderViT.blocks.{}.Block."
GRADIENTS = (
    "image_encoder.FacTu.weight",
    "image_encoder.FacTv.weight",
    "q_FacTs_000",
    "v_FacTs_001",
    BLOCK.format(0) + "adapter_norm.weight",
    BLOCK.format(0) + "adapter_conv_2.bias",
    BLOCK.format(1) + "adapter_norm_2.bias",
    "mask_decoder.mask_tokens.weight",
    "mask_decoder.output_upscaling.0.bias",
    "mask_decoder.output_upscaling.9.weight",
    "mask_decoder.output_hypernetworks_mlps.2.layers.2.weight",
    "prompt_encoder.no_mask_embed.weight",
)
UNUSED = ("icecream", "medpy", "scipy", "scipy.ndimage", "SimpleITK", "imageio", "einops")
LOGS = ("nibabel", "tensorboardX", "torchvision", "tqdm")


def slabs() -> Tensor:
    """Return (SLABS, SLICES, 3, SIZE, SIZE) in [0, 1], grey: blobs that drift, and a little grain.

    The two slabs, and the slices of one, are all different.
    """
    generator = torch.Generator().manual_seed(1)
    coarse = torch.rand(SLABS, 1, 4, 7, 7, generator=generator)
    fine = torch.rand(SLABS, 1, SLICES, SIZE, SIZE, generator=generator)
    smooth = F.interpolate(coarse, (SLICES, SIZE, SIZE), mode="trilinear", align_corners=True)
    return (0.85 * smooth + 0.15 * fine).transpose(1, 2).expand(-1, -1, 3, -1, -1)


def labels() -> Tensor:
    """Return (SLABS * SLICES, SIZE, SIZE) in stripes that move; the last class is in no slice."""
    stripes = (torch.arange(SIZE)[None] + 9 * torch.arange(SLABS * SLICES)[:, None]) % SIZE
    return (stripes * CLASSES // SIZE)[:, None].expand(-1, SIZE, -1).contiguous()


def tokens() -> Tensor:
    """Return what parts of the encoder are given alone, (SLABS * SLICES, 5, 5, WIDTH)."""
    generator = torch.Generator().manual_seed(2)
    return torch.rand(SLABS * SLICES, 5, 5, WIDTH, generator=generator) * 2 - 1


def base_state(template: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return made-up base weights, with positions large enough to matter."""
    state = seeded_state(template, seed=BASE_SEED)
    return state | {name: 100 * state[name] for name in state if name.endswith("pos_embed")}


def adapter_state(shapes: Mapping[str, list[int]], fixed: Tensor) -> dict[str, Tensor]:
    """Return a made-up checkpoint in the published layout; `fixed` is the base's positions."""
    template = {name: torch.empty(shape) for name, shape in shapes.items()}
    return seeded_state(template, seed=ADAPTER_SEED) | {FIXED: fixed}


def load_reference(folder: Path) -> None:
    """Make the published code importable without the packages that it only imports."""
    for name in (*UNUSED, *LOGS):
        sys.modules[name] = MagicMock()
    package = types.ModuleType("segment_anything")  # its own __init__ needs torchvision
    package.__path__ = [str(folder / "MA-SAM" / "segment_anything")]
    vars(package).update(build_sam=None, SamPredictor=None, sam_model_registry=None)
    sys.modules["segment_anything"] = package
    sys.path.insert(0, str(folder / "MA-SAM"))


def published_sam(size: int) -> nn.Module:
    """Put the published modules together as its `_build_sam` does, in small."""
    modeling = importlib.import_module("segment_anything.modeling")
    grid = size // 16
    return modeling.Sam(
        image_encoder=modeling.ImageEncoderViT(
            depth=DEPTH,
            embed_dim=WIDTH,
            img_size=size,
            norm_layer=partial(nn.LayerNorm, eps=1e-6),
            num_heads=HEADS,
            patch_size=16,
            use_rel_pos=True,
            global_attn_indexes=list(GLOBAL),
            window_size=WINDOW,
            out_chans=OUTPUT,
        ),
        prompt_encoder=modeling.PromptEncoder(
            embed_dim=OUTPUT,
            image_embedding_size=(grid, grid),
            input_image_size=(size, size),
            mask_in_chans=16,
        ),
        mask_decoder=modeling.MaskDecoder(
            num_multimask_outputs=CLASSES,
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
        path = str(Path(folder) / "network.pth")
        network.save_parameters(path)
        return torch.load(path, weights_only=True)


def network_of() -> nn.Module:
    """Build the network with the made-up base weights and checkpoint, as it is used."""
    building = importlib.import_module("segment_anything.build_sam")
    wrapping = importlib.import_module("sam_fact_tt_image_encoder")
    base = base_state(published_sam(BASE_SIZE).state_dict())
    sam = published_sam(SIZE)
    sam.load_state_dict(building.load_from(sam, base, SIZE, 16, list(GLOBAL)))
    network = wrapping.Fact_tt_Sam(sam, RANK)
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "network.pth")
        shapes = {name: list(tensor.shape) for name, tensor in saved(network).items()}
        torch.save(adapter_state(shapes, base[FIXED]), path)
        network.load_parameters(path)
    return network.eval()


def parts(network: nn.Module) -> dict[str, Tensor]:
    """Return what parts of the first block make of `tokens`: its q, k and v, adapters, and all."""
    encoder, given = network.sam.image_encoder, tokens()
    shared = encoder.FacTu, encoder.FacTv
    block, seen = encoder.ImageEncoderViT.blocks[0], {}

    def watch(layer: nn.Module, name: str) -> None:
        layer.register_forward_pre_hook(lambda _, given: seen.update({name: given[0]}))

    watch(block.Block.norm1, "before")  # the first adapter is no module: what follows is given this
    watch(block.Block.norm2, "between")
    kept = {"block": block(given, *shared, SLICES), **seen}
    kept["qkv"] = block.Block.attn.Attention.qkv(given, *shared)[:3]
    return {name: t[:, ::2, ::2, ::THIN] for name, t in kept.items()}


def run(network: nn.Module) -> dict[str, Tensor]:
    """Return what is kept of the whole: embedding, logits, loss, and some gradients."""
    trainer = importlib.import_module("trainer")
    embedding: list[Tensor] = []
    hook = network.sam.image_encoder.register_forward_hook(lambda *a: embedding.append(a[-1]))
    outputs = network(slabs(), True, SIZE)
    hook.remove()
    dice = importlib.import_module("utils").DiceLoss(CLASSES + 1)
    cross = nn.CrossEntropyLoss(ignore_index=-100)
    loss, *_ = trainer.calc_loss(outputs, labels(), cross, dice)
    loss.backward()
    low = outputs["low_res_logits"]
    moments = torch.stack([low.mean(), low.std(), low.abs().max()])
    kept = {"logits": low[..., ::STEP, ::STEP], "moments": moments, "loss": loss[None]}
    kept["embedding"] = embedding[0][:, ::3]
    return kept | {f"gradient.{name}": gradient(network, name) for name in GRADIENTS}


def gradient(network: nn.Module, name: str) -> Tensor:
    """Return the gradient of what the published checkpoint calls `name`."""
    kind, _, number = name.rpartition("_")
    tables = {"q_FacTs": network.q_FacTs, "v_FacTs": network.v_FacTs}
    if kind in tables:
        return tables[kind][int(number)].weight.grad
    return dict(network.sam.named_parameters())[name].grad


def main() -> None:
    """Write the golden file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reference", type=Path)
    torch.set_num_threads(1)
    load_reference(parser.parse_args().reference)
    network = network_of()
    kept = run(network) | parts(network)
    layout = json.dumps({name: list(tensor.shape) for name, tensor in saved(network).items()})
    save_file(
        {name: tensor.detach().contiguous().clone() for name, tensor in kept.items()},
        GOLDEN,
        {"layout": layout},
    )


if __name__ == "__main__":
    main()
