"""Compare the full ViT models with `transformers.SamModel` under the same random weights.

    python benchmarks/vit_parity.py                    # ViT-B at 512 and 1024
    python benchmarks/vit_parity.py --letter h --size 512 --forward-only

Too slow for the test suite (minutes); `tests/unit/sam/test_parity.py` does the same on a small ViT.
Prints one line per comparison, and fails beyond 1e-4 (embedding, mask logits) or 1e-5 (IoU).
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import torch
from torch import Tensor

from samplar.sam.cards import WEIGHTS
from samplar.sam.model import Sam, empty_sam
from samplar.sam.prompt import Prompts
from samplar.sam.seeded import seeded_state

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

LIMIT, LIMIT_IOU = 1e-4, 1e-5


def prompts(size: int) -> dict[str, Prompts]:
    """Return every kind of prompt in pixels of a `size` input."""
    points = torch.tensor([[[0.3, 0.6], [0.8, 0.1]]]) * size
    masks = 8 * torch.rand(1, 1, size // 4, size // 4, generator=dice()) - 4
    return {
        "none": Prompts(),
        "points": Prompts(points=points, labels=torch.tensor([[1, 0]])),
        "box": Prompts(boxes=torch.tensor([[0.1, 0.2, 0.55, 0.9]]) * size),
        "mask": Prompts(masks=masks),
    }


def dice() -> torch.Generator:
    """Return the source of every made-up input."""
    return torch.Generator().manual_seed(5)


@torch.inference_mode()
def encoded(sam: Sam, images: Tensor) -> Tensor:
    """Encode without pixel statistics, and print how long it took."""
    start = time.monotonic()
    found = sam.image_encoder(images)
    size, seconds = images.shape[-1], time.monotonic() - start
    print(f"  forward at {size}: {seconds:.1f} s, largest value {float(found.abs().max()):.2f}")
    return found


@torch.inference_mode()
def compare(sam: Sam, embedding: Tensor, images: Tensor) -> bool:
    """Print the largest differences at one size; say whether all are within the limits."""
    from reference_sam import decoded, reference_of

    size = images.shape[-1]
    model = reference_of(sam, size)
    off = difference(embedding, model.vision_encoder(images).last_hidden_state)
    print(f"  {size} embedding: {off:.1e}")
    good = off <= LIMIT
    for kind, given in prompts(size).items():
        pairs = zip(sam.decode(embedding, given), decoded(model, embedding, given), strict=True)
        masks, iou = (difference(ours, theirs) for ours, theirs in pairs)
        print(f"  {size} {kind}: mask logits {masks:.1e}, IoU {iou:.1e}")
        good &= masks <= LIMIT and iou <= LIMIT_IOU
    return good


def difference(ours: Tensor, theirs: Tensor) -> float:
    """Return the largest absolute difference."""
    return float((ours - theirs).abs().max())


def main() -> int:
    """Run the comparisons that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--letter", choices=["b", "l", "h"], default="b")
    parser.add_argument("--size", type=int, nargs="+", default=[512, 1024])
    parser.add_argument("--forward-only", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    wanted = parser.parse_args()
    torch.set_num_threads(wanted.threads)
    card = WEIGHTS[f"sam-vit-{wanted.letter}"]
    sam = empty_sam(card.shape).eval()
    sam.load_state_dict(seeded_state(sam.state_dict(), seed=1), assign=True)
    print(f"{card.name}, {sum(p.numel() for p in sam.parameters()):,} parameters")
    good = True
    for size in wanted.size:
        images = 2 * torch.rand(1, 3, size, size, generator=dice()) - 1
        embedding = encoded(sam, images)
        good &= bool(embedding.isfinite().all())
        good &= wanted.forward_only or compare(sam, embedding, images)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
