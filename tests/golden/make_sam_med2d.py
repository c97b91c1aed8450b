"""Make `sam_med2d.safetensors` by running the published SAM-Med2D; README.md has the details.

    python tests/golden/make_sam_med2d.py REFERENCE

REFERENCE is a checkout of SAM-Med2D. Its encoder with adapters, prompt encoder, mask decoder,
`train.prompt_and_decoder` and `utils.FocalDiceloss_IoULoss` are called as they are, in a small size
with made-up weights. Around them stand in: modules for plots, pictures and mixed precision, none of
which they use. The tests import this file for the inputs, so that both sides see the same ones.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from samplar.sam.seeded import seeded_state

GOLDEN = Path(__file__).with_name("sam_med2d.safetensors")
SIZE, WIDTH, DEPTH, HEADS, GLOBAL, WINDOW, HIDDEN, SEED = 128, 32, 4, 2, (1, 3), 5, 64, 21
STEP = 5
"""Every fifth pixel of the maps is kept."""
ADAPTER = "image_encoder.blocks.1.Adapter."
GRADIENTS = (
    f"{ADAPTER}channel.0.weight",
    f"{ADAPTER}spatial.2.weight",
    f"{ADAPTER}norm.weight",
    "mask_decoder.iou_token.weight",
    "prompt_encoder.point_embeddings.2.weight",
)
UNUSED = ("cv2", "albumentations", "albumentations.pytorch", "skimage", "skimage.measure", "apex")
PLOTS = ("matplotlib", "matplotlib.pyplot", "tqdm", "DataLoader", "metrics", "torchvision")
DEEPER = ("ops", "ops.boxes", "transforms", "transforms.functional")


def images() -> Tensor:
    """Return two images as the encoder sees them, (2, 3, SIZE, SIZE)."""
    return torch.rand(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1)) * 2 - 1


def truth() -> Tensor:
    """Return what is looked for in each image: an ellipse, (2, SIZE, SIZE) bool."""
    rows, columns = torch.arange(SIZE)[:, None] / SIZE, torch.arange(SIZE)[None] / SIZE
    centres = ((0.4, 0.45), (0.6, 0.5))
    shapes = [((rows - y) / 0.2) ** 2 + ((columns - x) / 0.15) ** 2 < 1 for y, x in centres]
    return torch.stack(shapes)


def boxes() -> Tensor:
    """Return one box per image, (2, 4)."""
    return torch.tensor([[36.0, 24.0, 78.0, 78.0], [44.0, 50.0, 84.0, 103.0]])


def points() -> tuple[Tensor, Tensor]:
    """Return three corrections per image, the last "not a point": (2, 3, 2) and (2, 3)."""
    xy = torch.tensor([[[50.0, 40], [90, 100], [3, 9]], [[60, 80], [20, 30], [100, 5]]])
    return xy, torch.tensor([[1, 0, -1], [1, 0, -1]])


def tokens() -> Tensor:
    """Return what an adapter alone is given, (2, 16, 16, WIDTH)."""
    return torch.rand(2, 16, 16, WIDTH, generator=torch.Generator().manual_seed(2)) * 2 - 1


def published_sam() -> nn.Module:
    """Return the published SAM-Med2D in a small size with made-up weights."""
    modeling = importlib.import_module("segment_anything.modeling")
    grid = SIZE // 16
    sam = modeling.Sam(
        image_encoder=modeling.ImageEncoderViT(
            depth=DEPTH,
            embed_dim=WIDTH,
            img_size=SIZE,
            norm_layer=partial(nn.LayerNorm, eps=1e-6),
            num_heads=HEADS,
            patch_size=16,
            use_rel_pos=True,
            global_attn_indexes=GLOBAL,
            window_size=WINDOW,
            out_chans=WIDTH,
            adapter_train=True,
        ),
        prompt_encoder=modeling.PromptEncoder(
            embed_dim=WIDTH,
            image_embedding_size=(grid, grid),
            input_image_size=(SIZE, SIZE),
            mask_in_chans=16,
        ),
        mask_decoder=modeling.MaskDecoder(
            num_multimask_outputs=3,
            transformer=modeling.TwoWayTransformer(
                depth=2, embedding_dim=WIDTH, mlp_dim=HIDDEN, num_heads=8
            ),
            transformer_dim=WIDTH,
            iou_head_depth=3,
            iou_head_hidden_dim=WIDTH,
        ),
    )
    sam.load_state_dict(seeded_state(sam.state_dict(), seed=SEED))
    return sam.eval()


def run(sam: nn.Module) -> dict[str, Tensor]:
    """Ask with a box, then correct with points and the answer: what is kept of both."""
    train, utils = (importlib.import_module(name) for name in ("train", "utils"))
    asked: Any = argparse.Namespace(multimask=True, image_size=SIZE)
    criterion = utils.FocalDiceloss_IoULoss()
    target = truth()[:, None].float()
    embedding = sam.image_encoder(images())
    given = {"point_coords": None, "boxes": boxes()}
    mask, low, iou = train.prompt_and_decoder(asked, given, sam, embedding)
    loss = criterion(mask, target, iou)
    named = dict(sam.named_parameters())
    gradients = torch.autograd.grad(loss, [named[name] for name in GRADIENTS])
    kept = {f"gradient.{name}": g for name, g in zip(GRADIENTS, gradients, strict=True)}
    kept |= {"embedding": embedding, "first.low": low[:, 0, ::STEP, ::STEP], "first.iou": iou}
    kept |= {"first.loss": loss[None]}
    xy, labels = points()
    given = {"point_coords": xy, "point_labels": labels, "mask_inputs": low.detach().sigmoid()}
    mask, low, iou = train.prompt_and_decoder(
        asked, given, sam, embedding.detach(), decoder_iter=True
    )
    kept |= {"second.low": low[:, 0, ::STEP, ::STEP], "second.iou": iou}
    kept |= {"second.loss": criterion(mask, target, iou)[None]}
    kept["adapter"] = sam.image_encoder.blocks[1].Adapter(tokens())[:, ::3, ::3]
    return kept


def main() -> None:
    """Write the golden file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reference", type=Path)
    torch.set_num_threads(1)
    for name in (*UNUSED, *PLOTS, *(f"torchvision.{name}" for name in DEEPER)):
        sys.modules[name] = MagicMock()
    sys.path.insert(0, str(parser.parse_args().reference))
    kept = run(published_sam())
    save_file({name: t.detach().contiguous().clone() for name, t in kept.items()}, GOLDEN)


if __name__ == "__main__":
    main()
