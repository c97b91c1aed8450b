"""How long the image encoders take, beside the code they come from.

    python benchmarks/speed/encoders.py --medsam REFERENCE --json encoders.json

REFERENCE is a checkout of MedSAM's branch LiteMedSAM (tests/golden/README.md says which commit);
without it that comparison is left out, and the output says so. SAM ViT-B is compared with
`transformers.SamModel` and its `sdpa` attention, with made-up weights. All take turns in one
process with the same images and threads; outputs are compared. The last column is the share of the
peak that a matrix product of 2048 x 2048 reached in the same turns, counted by the operations of
the published encoder.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import timing
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from samplar.sam.cards import WEIGHTS
from samplar.sam.model import Sam, empty_sam
from samplar.sam.seeded import seeded_state
from samplar.sam.weights import load_sam

TESTS = Path(__file__).parents[2] / "tests"
SIDE = 2048
LIMIT = 1e-4


class Peer(nn.Module):
    """A published encoder, called with images alone."""

    def __init__(self, encoder: nn.Module, name: str) -> None:
        super().__init__()
        self.encoder = encoder
        self.name = name

    def forward(self, images: Tensor) -> Tensor:
        """Return the embedding."""
        found = self.encoder(images)
        return found if isinstance(found, Tensor) else found.last_hidden_state


def lite_medsam(folder: Path) -> tuple[Sam, Peer]:
    """Return LiteMedSAM, ours and as published, with the published weights."""
    sys.path.insert(0, str(TESTS / "golden"))
    from make_lite_medsam import Reference

    sam = load_sam("lite-medsam")
    reference = Reference(folder, size=256, decoder_hidden=2048)
    reference.load_state_dict(sam.state_dict())
    # its attention copies the bias tables when it is put into evaluation mode
    return sam, Peer(reference.eval().image_encoder, "published code")


def vit_b(size: int) -> tuple[Sam, Peer]:
    """Return SAM ViT-B, ours and that of transformers, with the same made-up weights."""
    sys.path.insert(0, str(TESTS / "support"))
    from reference_sam import reference_of

    sam = empty_sam(WEIGHTS["sam-vit-b"].shape).eval()
    sam.load_state_dict(seeded_state(sam.state_dict(), seed=1), assign=True)
    reference = reference_of(sam, size, attention="sdpa")
    return sam, Peer(reference.vision_encoder, "transformers, sdpa")


def precisions() -> Iterator[str]:
    """Yield what this processor computes in: bf16 only where it has instructions for it."""
    yield "fp32"
    if torch.cpu._is_avx512_bf16_supported():
        yield "bf16"


@torch.inference_mode()
def measure(sam: Sam, peer: Peer, images: Tensor, *, count: int) -> list[dict[str, object]]:
    """Time every contestant on the same images and compare what they return."""
    for model in (sam, peer):
        model.requires_grad_(False)
    square = torch.rand(SIDE, SIDE)
    expected = peer(images)
    with FlopCounterMode(display=False) as counted:
        peer(images)
    contestants = {"peer": lambda: peer(images), "product": lambda: square @ square}
    for kind in precisions():
        contestants[kind] = lambda kind=kind: encoded(sam, images, kind)
    spent = timing.rounds(contestants, count=count, warmup=1)
    found = timing.summary(spent, baseline="peer")
    peak = 2 * SIDE**3 / found["product"]["ms"]
    rows: list[dict[str, object]] = []
    for name in ("peer", *precisions()):
        ours = expected if name == "peer" else encoded(sam, images, name)
        rows.append(
            {
                "who": peer.name if name == "peer" else f"samplar, {name}",
                "size": images.shape[-1],
                "batch": len(images),
                **found[name],
                "times_faster": 1 / found[name]["times_slower"],
                "difference": float((ours - expected).abs().max()),
                "gflop": counted.get_total_flops() / 1e9,
                "of_peak": counted.get_total_flops() / found[name]["ms"] / peak,
            }
        )
        if name == "fp32" and rows[-1]["difference"] > LIMIT:
            raise SystemExit(f"{rows[-1]} differs by more than {LIMIT}")
    return rows


def encoded(sam: Sam, images: Tensor, precision: str) -> Tensor:
    """Encode in this precision, one image at a time, as samplar does on a CPU."""
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        return torch.cat([sam.encode(image) for image in images.split(1)]).float()


def main() -> None:
    """Print a table and, if asked, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--medsam", type=Path, help="checkout of the published LiteMedSAM")
    parser.add_argument("--batches", type=int, nargs="*", default=[1, 8])
    parser.add_argument("--sizes", type=int, nargs="*", default=[512, 1024], help="of ViT-B")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path)
    wanted = parser.parse_args()
    torch.set_num_threads(wanted.threads)
    chance = torch.Generator().manual_seed(0)
    rows = []
    if wanted.medsam is None:
        print("LiteMedSAM is left out: --medsam names no checkout of the published code")
    else:
        sam, peer = lite_medsam(wanted.medsam)
        for batch in wanted.batches:
            images = torch.rand(batch, 3, 256, 256, generator=chance)
            rows += measure(sam, peer, images, count=wanted.rounds)
    for size in wanted.sizes:
        images = torch.rand(1, 3, size, size, generator=chance)
        rows += measure(*vit_b(size), images, count=wanted.rounds)
    titles = ["who", "size", "batch", "ms", "times_faster", "difference", "of_peak"]
    print(timing.table(titles, [[row[title] for title in titles] for row in rows]))
    if wanted.json:
        settings = {"rounds": wanted.rounds, "left_out": [] if wanted.medsam else ["lite-medsam"]}
        timing.write(wanted.json, timing.document("encoders", settings=settings, results=rows))


if __name__ == "__main__":
    main()
