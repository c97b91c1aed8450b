"""Make `autosam.safetensors` by running the published AutoSAM of Hu; README.md has the details.

    python tests/golden/make_autosam.py REFERENCE

REFERENCE is a checkout of AutoSAM. Its decoder with tokens per class, its convolutional head, the
two networks they are in and its Dice are called as they are, in a small size with made-up weights.
The network with the decoder tells 64 x 64 cells of 256 numbers where they are, and no others, so it
is given patches of 4 pixels. The tests import this file for the inputs, so that both sides see the
same ones.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import types
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from samplar.sam.seeded import seeded_state

GOLDEN = Path(__file__).with_name("autosam.safetensors")
WIDTH, HEADS, HIDDEN, SEED = 32, 2, 64, 41
STEP = 7
"""Every seventh pixel of large maps is kept: prime to 4, for every phase of the upscaling."""
GRID = (5, 6)
"""What both heads are given alone, rows and columns."""

ENCODERS = {
    "decoder": {"size": 256, "patch": 4, "window": 14, "global_blocks": (), "output": 256},
    "cnn": {"size": 80, "patch": 16, "window": 3, "global_blocks": (1,), "output": 32},
}
"""The encoder before each head; two blocks each."""

CLASSES = {"decoder": 3, "cnn": 4, "alone": 4}
"""With background."""

GRADIENTS = {
    "decoder": (
        "mask_tokens.weight",
        "transformer.layers.0.self_attn.q_proj.bias",
        "transformer.layers.1.cross_attn_image_to_token.out_proj.bias",
        "transformer.norm_final_attn.weight",
        "output_upscaling.0.bias",
        "output_upscaling.1.weight",
        "output_hypernetworks_mlps.0.layers.2.weight",
    ),
    "cnn": (
        "input_block.0.bias",
        "blocks.0.2.bias",
        "blocks.2.4.weight",
        "blocks.3.0.bias",
        "final.0.weight",
        "final.1.weight",
    ),
}
"""Trained tensors of each head whose gradients are kept."""


def images(name: str) -> Tensor:
    """Return two images, or one for the large decoder, (b, 3, s, s) in [0, 1], grey blobs."""
    generator, size = torch.Generator().manual_seed(1), ENCODERS[name]["size"]
    count = 1 if name == "decoder" else 2
    coarse = torch.rand(count, 1, 9, 9, generator=generator)
    fine = torch.rand(count, 1, size, size, generator=generator)
    smooth = F.interpolate(coarse, (size, size), mode="bilinear", align_corners=True)
    return (0.85 * smooth + 0.15 * fine).expand(-1, 3, -1, -1)


def labels(name: str) -> Tensor:
    """Return the classes of `images`, (b, s, s), in stripes; of four the last is in no image."""
    size, bands = ENCODERS[name]["size"], 3
    stripes = (torch.arange(size) * bands // size).expand(size, size)
    return torch.stack([stripes, stripes.T][: len(images(name))]).contiguous()


def embedding() -> Tensor:
    """Return what both heads are given alone, (2, WIDTH, *GRID)."""
    return torch.rand(2, WIDTH, *GRID, generator=torch.Generator().manual_seed(2)) * 2 - 1


def weights(shapes: Mapping[str, list[int]]) -> dict[str, Tensor]:
    """Return made-up weights in the published layout.

    Positions, and the convolutions that ReLU follows, are large enough to matter.
    """
    state = seeded_state({name: torch.empty(shape) for name, shape in shapes.items()}, seed=SEED)
    return {name: _scale(name, tensor) * tensor for name, tensor in state.items()}


def _scale(name: str, tensor: Tensor) -> float:
    if name.endswith("pos_embed"):
        return 20
    convolved = ("input_block.", "blocks.", "final.")
    head = name.removeprefix("mask_decoder.").startswith(convolved)
    return 1.5 if head and tensor.ndim == 4 else 1


def filled(module: nn.Module) -> nn.Module:
    """Give a published module its made-up weights."""
    module.load_state_dict(weights(layout(module)))
    return module.eval()


def layout(module: nn.Module) -> dict[str, list[int]]:
    """Return the names and shapes of what a published module saves."""
    return {name: list(tensor.shape) for name, tensor in module.state_dict().items()}


def load_reference(folder: Path) -> None:
    """Make the published code importable without torchvision, which it only imports."""
    package = types.ModuleType("segment_anything")
    package.__path__ = [str(folder / "segment_anything")]
    sys.modules["segment_anything"] = package
    sys.path.insert(0, str(folder))


def encoder(name: str) -> nn.Module:
    """Return the published encoder in the size of `ENCODERS`."""
    modeling, sizes = importlib.import_module("segment_anything.modeling"), ENCODERS[name]
    return modeling.ImageEncoderViT(
        depth=2,
        embed_dim=WIDTH,
        img_size=sizes["size"],
        norm_layer=partial(nn.LayerNorm, eps=1e-6),
        num_heads=HEADS,
        patch_size=sizes["patch"],
        use_rel_pos=True,
        global_attn_indexes=sizes["global_blocks"],
        window_size=sizes["window"],
        out_chans=sizes["output"],
    )


def decoder(width: int, classes: int) -> nn.Module:
    """Put the published decoder together as its `_build_sam_seg_model` does, in small."""
    models = importlib.import_module("models.sam_decoder")
    modeling = importlib.import_module("segment_anything.modeling")
    return models.MaskDecoder(
        num_multimask_outputs=1,
        transformer=modeling.TwoWayTransformer(
            depth=2, embedding_dim=width, mlp_dim=HIDDEN, num_heads=8
        ),
        transformer_dim=width,
        iou_head_depth=3,
        iou_head_hidden_dim=width,
        num_classes=classes,
    )


def cnn(classes: int) -> nn.Module:
    """Return the published convolutional head: as deep as published, an eighth as wide."""
    models = importlib.import_module("models.SamFeatSeg")
    return models.SegDecoderCNN(classes, embed_dim=WIDTH, num_depth=4, top_channel=WIDTH // 4)


class Alone(nn.Module):
    """The decoder and its positions, called as `AutoSamSeg` calls them, on any grid."""

    def __init__(self) -> None:
        super().__init__()
        encoding = importlib.import_module("segment_anything.modeling.prompt_encoder")
        self.mask_decoder = decoder(WIDTH, CLASSES["alone"])
        self.pe_layer = encoding.PositionEmbeddingRandom(WIDTH // 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return a map of each class in each image, and its predicted IoU."""
        place = self.pe_layer(GRID).unsqueeze(0)
        return self.mask_decoder(image_embeddings=x.unsqueeze(1), image_pe=place)


def networks() -> dict[str, nn.Module]:
    """Return everything published that is run, with its made-up weights."""
    whole = importlib.import_module("models.AutoSamSeg").AutoSamSeg
    convolved = importlib.import_module("models.SamFeatSeg").SamFeatSeg
    made = {
        "decoder.alone": Alone(),
        "cnn.alone": cnn(CLASSES["alone"]),
        "decoder": whole(encoder("decoder"), decoder(256, CLASSES["decoder"])),
        "cnn": convolved(encoder("cnn"), cnn(CLASSES["cnn"])),
    }
    return {name: filled(module) for name, module in made.items()}


def run(name: str, network: nn.Module) -> dict[str, Tensor]:
    """Return what is kept of a whole network: logits, loss as its script has it, gradients."""
    shown, target = images(name), labels(name)
    answer = network(shown)
    logits = answer if isinstance(answer, Tensor) else answer[0]
    logits = logits.view(len(shown), -1, *shown.shape[-2:])
    dice = importlib.import_module("loss_functions.dice_loss").SoftDiceLoss
    overlap = dice(batch_dice=True, do_bg=False)(F.softmax(logits, dim=1), target)
    loss = nn.CrossEntropyLoss()(logits, target) + overlap
    loss.backward()
    moments = torch.stack([logits.mean(), logits.std(), logits.abs().max()])
    kept = {"logits": logits[..., ::STEP, ::STEP], "moments": moments, "loss": loss[None]}
    head = network.mask_decoder
    kept |= {f"gradient.{part}": head.get_parameter(part).grad for part in GRADIENTS[name]}
    return {f"{name}.{part}": tensor for part, tensor in kept.items()}


def main() -> None:
    """Write the golden file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reference", type=Path)
    torch.set_num_threads(1)
    load_reference(parser.parse_args().reference)
    made = networks()
    maps, _ = made["decoder.alone"](embedding())
    kept = {"decoder.alone": maps.view(2, -1, *maps.shape[-2:])}
    kept["cnn.alone"] = made["cnn.alone"](embedding())
    for name in ("decoder", "cnn"):
        kept |= run(name, made[name])
    save_file(
        {name: tensor.detach().contiguous().clone() for name, tensor in kept.items()},
        GOLDEN,
        {"layouts": json.dumps({name: layout(module) for name, module in made.items()})},
    )


if __name__ == "__main__":
    main()
