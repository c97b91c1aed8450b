"""Make `persam.safetensors` by running the authors' PerSAM scripts; README.md has the details.

    python tests/golden/make_persam.py REFERENCE

REFERENCE is a checkout of Personalize-SAM. Its `persam.persam` and `persam_f.persam_f` are called
as they are. Around them stand in: files kept in memory instead of OpenCV, no plots, no CUDA, and an
image encoder that returns made-up embeddings, so that no weights are needed. Prompt encoder, mask
decoder, predictor and all of the method are the published code.
The tests import this file for the inputs, so that both sides see the same ones.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import types
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from samplar.sam.seeded import seeded_state

GOLDEN = Path(__file__).with_name("persam.safetensors")
SIZE, GRID, WIDTH, HIDDEN, SEED = 256, 64, 32, 64, 11
SHAPES = ((192, 256), (256, 256), (256, 176), (200, 256))
"""(height, width) of the reference and of three test images; the longest side fills the frame."""
CENTRES = ((0.45, 0.40), (0.60, 0.55), (0.35, 0.30), (0.50, 0.62))
"""Where the structure lies, as shares of height and width."""
STEP = 9
"""Every ninth pixel of a map is kept, and every 37th of the attention's nudge."""


def mask(number: int) -> Tensor:
    """Return the structure of an image: an ellipse, (height, width) bool."""
    height, width = SHAPES[number]
    rows = torch.arange(height)[:, None] / height - CENTRES[number][0]
    columns = torch.arange(width)[None] / width - CENTRES[number][1]
    return (rows / 0.2) ** 2 + (columns / 0.15) ** 2 < 1


def picture(number: int) -> Tensor:
    """Return an image, (3, height, width) uint8; its first red value is its number."""
    generator = torch.Generator().manual_seed(100 + number)
    image = torch.randint(1, 256, (3, *SHAPES[number]), generator=generator, dtype=torch.uint8)
    image[0, 0, 0] = number
    return image


def embedding(number: int) -> Tensor:
    """Return (1, WIDTH, GRID, GRID): smooth noise, and one direction where the structure is."""
    generator = torch.Generator().manual_seed(200 + number)
    coarse = torch.rand(1, WIDTH, 9, 9, generator=generator) - 0.5
    noise = F.interpolate(coarse, (GRID, GRID), mode="bilinear", align_corners=True)
    direction = torch.rand(WIDTH, generator=torch.Generator().manual_seed(300)) - 0.5
    framed = F.pad(mask(number).float(), (0, SIZE - SHAPES[number][1], 0, SIZE - SHAPES[number][0]))
    inside = F.avg_pool2d(framed[None, None], SIZE // GRID)
    return noise + 0.8 * inside * direction.view(1, -1, 1, 1)


class Seen(nn.Module):
    """An image encoder that knows its images: the first red value says which one it is."""

    img_size = SIZE

    def forward(self, images: Tensor) -> Tensor:
        """Return the embedding of the image, whose red channel the predictor has normalised."""
        return embedding(round(float(images[0, 0, 0, 0]) * 58.395 + 123.675))


class Anything:
    """What does nothing, whatever is asked of it: the plots."""

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **kwargs: None


def same_size(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Stand for a resize that has nothing to do."""
    if image.shape[:2] != tuple(size):
        raise RuntimeError(f"{image.shape} should already have the size {size}")
    return image


def module(name: str, **content: Any) -> types.ModuleType:
    """Put a module with this content where an import will find it."""
    made = types.ModuleType(name)
    vars(made).update(content)
    sys.modules[name] = made
    return made


def stand_ins(folder: Path, written: dict[str, np.ndarray]) -> None:
    """Stand in for OpenCV, plots, timm, torchvision and CUDA."""
    import torch._dynamo  # which looks for some of the modules, when the optimiser imports it

    def read(path: str) -> np.ndarray:
        number, is_mask = int(Path(path).stem), path.endswith(".png")
        if is_mask:  # PerSeg's colour of an object: red 128, in the order blue, green, red
            return (mask(number)[..., None] * torch.tensor([0, 0, 128])).numpy().astype(np.uint8)
        return picture(number).permute(1, 2, 0).numpy()[..., ::-1]

    module(
        "cv2",
        imread=read,
        cvtColor=lambda image, code: image[..., ::-1].copy(),
        COLOR_BGR2RGB=0,
        imwrite=lambda path, image: written.update({Path(path).stem: image[..., 2] > 0}),
    )
    module("tqdm", tqdm=lambda items: items)
    sys.modules["matplotlib.pyplot"] = Anything()  # type: ignore[assignment]
    module("matplotlib", pyplot=Anything())
    module("show", show_mask=lambda *args: None, show_points=lambda *args: None)
    module("timm")
    module("timm.models")
    module("timm.models.registry", register_model=lambda function: function)
    names = {"DropPath": nn.Identity, "to_2tuple": lambda n: (n, n)}
    module("timm.models.layers", **names, trunc_normal_=nn.init.trunc_normal_)
    module("torchvision")
    module("torchvision.transforms")
    functional = {"resize": same_size, "to_pil_image": lambda image: image}
    module("torchvision.transforms.functional", **functional)
    torch.Tensor.cuda = lambda self: self  # type: ignore[assignment]
    nn.Module.cuda = lambda self: self  # type: ignore[assignment]
    sys.path.insert(0, str(folder))
    package = module("per_segment_anything")  # its own __init__ needs torchvision's operators
    package.__path__ = [str(folder / "per_segment_anything")]


def published_sam() -> nn.Module:
    """Return the published SAM in a small size with made-up weights, rule: `samplar.sam.seeded`."""
    from per_segment_anything import modeling

    sam = modeling.Sam(
        image_encoder=Seen(),
        prompt_encoder=modeling.PromptEncoder(
            embed_dim=WIDTH,
            image_embedding_size=(GRID, GRID),
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
        pixel_mean=[123.675, 116.28, 103.53],
        pixel_std=[58.395, 57.12, 57.375],
    )
    sam.load_state_dict(seeded_state(sam.state_dict(), seed=SEED))
    return sam.eval()


def recorded(predictor: type, calls: list[dict[str, Tensor]]) -> None:
    """Keep what the scripts ask of the predictor, and what it answers."""
    plain = predictor.predict

    def predict(self: Any, **asked: Any) -> tuple[Any, ...]:
        answer = plain(self, **asked)
        call = {"points": torch.as_tensor(asked["point_coords"]).float()}
        if asked.get("box") is not None:
            call["box"] = torch.as_tensor(asked["box"]).float()
        if asked.get("attn_sim") is not None:
            call["nudge"] = asked["attn_sim"].flatten()[::37].clone()
        call["logits"] = torch.as_tensor(answer[2])[:, ::STEP, ::STEP].clone()
        call["iou"] = torch.as_tensor(answer[1])
        calls.append(call)
        return answer

    predictor.predict = predict


def run(
    name: str, written: dict[str, np.ndarray], calls: list[dict[str, Tensor]]
) -> dict[str, Tensor]:
    """Run one of the scripts on the made-up data; return what is kept."""
    script = __import__(name)
    script.sam_model_registry = {"vit_t": lambda checkpoint: published_sam()}
    fitted: list[nn.Module] = []
    if name == "persam_f":
        weights = script.Mask_Weights
        script.Mask_Weights = lambda: fitted.append(weights()) or fitted[-1]
    calls.clear()
    written.clear()
    with tempfile.TemporaryDirectory() as place:
        images = Path(place) / "Images" / "thing"
        images.mkdir(parents=True)
        for number in range(len(SHAPES)):
            (images / f"{number:02}.jpg").touch()
        given = argparse.Namespace(
            sam_type="vit_t", ref_idx="00", lr=1e-3, train_epoch=1000, log_epoch=200
        )
        getattr(script, name)(given, "thing", f"{images.parent}/", "none/", f"{place}/out")
    kept = {f"{name}.{n}.mask": packed(mask) for n, mask in written.items()}
    passes = calls[-3 * len(SHAPES) :]
    for number, call in enumerate(passes):
        for part, tensor in call.items():
            kept[f"{name}.{number // 3:02}.pass{number % 3 + 1}.{part}"] = tensor.contiguous()
    if fitted:
        kept[f"{name}.weights"] = fitted[0].weights.detach().flatten().contiguous()
    return kept


def packed(mask: np.ndarray) -> Tensor:
    """Return a mask as bits."""
    return torch.from_numpy(np.packbits(mask))


def main() -> None:
    """Write the golden file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reference", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    written: dict[str, np.ndarray] = {}
    calls: list[dict[str, Tensor]] = []
    stand_ins(given.reference, written)
    from per_segment_anything.predictor import SamPredictor

    package = sys.modules["per_segment_anything"]
    package.SamPredictor, package.sam_model_registry = SamPredictor, {}
    recorded(SamPredictor, calls)
    kept = run("persam", written, calls) | run("persam_f", written, calls)
    save_file(kept, GOLDEN)


if __name__ == "__main__":
    main()
