"""How long a training step of SAMed_s takes on ViT-B, and what memory it needs, beside its peers.

    python benchmarks/speed/training.py --samed REFERENCE --json training.json

REFERENCE is a checkout of SAMed's code (tests/golden/README.md says which commit); without it that
comparison is left out, and the output says so. The other peer is `transformers.SamModel` with LoRA
of `peft` on the same layers. All have made-up weights, one image and one process, and take turns;
a step is forward and backward of the mean square of the logits. Where the processor computes in
bfloat16, ours and that of transformers do a second step under autocast. Memory is the peak of a
process of its own for each, with what the imports and the weights take (`base`) told apart.
"""

from __future__ import annotations

import argparse
import importlib
import json
import resource
import subprocess
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import timing
import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from samplar.sam.model import Sam

CLASSES, RANK = 8, 4
TESTS = Path(__file__).parents[2] / "tests"
Step = Callable[[], None]


def vit_b() -> Sam:
    """Return SAM ViT-B with made-up weights that keep activations and gradients in range."""
    from samplar.sam.cards import WEIGHTS
    from samplar.sam.model import empty_sam
    from samplar.sam.seeded import seeded_state

    sam = empty_sam(WEIGHTS["sam-vit-b"].shape)
    sam.load_state_dict(seeded_state(sam.state_dict(), seed=1), assign=True)
    return sam


def ours(size: int, _: Path | None, *, half: bool = False) -> Step:
    """Return a step of our `samed-s`."""
    from samplar.methods.adapted import AdaptedSam
    from samplar.methods.registry import load_method

    method = load_method("samed-s")
    model = AdaptedSam(vit_b(), method, method.config(), CLASSES)
    images = pictures(size)
    logits = lambda: model(model.prefix(images), images)  # noqa: E731
    return partial(step, logits, model.trained().values(), half=half)


def published(size: int, folder: Path | None) -> Step:
    """Return a step of the authors' code."""
    if folder is None:
        raise ValueError("there is no checkout of SAMed's code")
    sys.path.insert(0, str(TESTS / "golden"))
    import make_samed

    make_samed.load_reference(folder)
    vars(make_samed).update(
        WIDTH=768, DEPTH=12, HEADS=12, GLOBAL=(2, 5, 8, 11), OUTPUT=256, HIDDEN=2048
    )
    sam = make_samed.published_sam(size, mask_tokens=CLASSES + 1)
    module = importlib.import_module(make_samed.MODULES["samed-s"])
    network = module.LoRA_Sam(sam, RANK).train()
    images = pictures(size)
    logits = lambda: network(images, True, size)["low_res_logits"]  # noqa: E731
    return partial(step, logits, trained(network))


def with_peft(size: int, _: Path | None, *, half: bool = False) -> Step:
    """Return a step of transformers with LoRA of peft on qkv, and on q and v of the decoder."""
    from peft import LoraConfig, get_peft_model

    sys.path.insert(0, str(TESTS / "support"))
    from reference_sam import reference_of

    places = r".*(vision_encoder.*qkv|mask_decoder.*(q_proj|v_proj))"
    low_rank = LoraConfig(r=RANK, lora_alpha=RANK, target_modules=places)
    network = get_peft_model(reference_of(vit_b(), size, attention="sdpa"), low_rank).train()
    images, point = pictures(size), torch.zeros(1, 1, 1, 2)
    sign = torch.ones(1, 1, 1, dtype=torch.long)
    given = {"pixel_values": images, "input_points": point, "input_labels": sign}
    logits = lambda: network(**given).pred_masks  # noqa: E731
    return partial(step, logits, trained(network), half=half)


CONTESTANTS: dict[str, Callable[[int, Path | None], Step]] = {
    "samplar": ours,
    "published code": published,
    "transformers and peft": with_peft,
}
if torch.cpu._is_avx512_bf16_supported():
    CONTESTANTS["samplar, bf16"] = partial(ours, half=True)
    CONTESTANTS["transformers and peft, bf16"] = partial(with_peft, half=True)


def pictures(size: int) -> Tensor:
    """Return one made-up image."""
    return torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(0))


def trained(network: nn.Module) -> list[Tensor]:
    """Return what gets a gradient."""
    return [p for p in network.parameters() if p.requires_grad]


def step(logits: Callable[[], Tensor], parameters: Iterable[Tensor], *, half: bool = False) -> None:
    """Do one forward and backward pass, the former under autocast to bfloat16 if `half`."""
    for parameter in parameters:
        parameter.grad = None
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        found = logits()
    found.float().square().mean().backward()


def peak() -> float:
    """Return the most memory this process has had, in MB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def alone(name: str, wanted: argparse.Namespace) -> dict[str, float]:
    """Return the memory of three steps in a process of their own."""
    words = [sys.executable, __file__, "--alone", name, "--size", str(wanted.size)]
    words += ["--threads", str(wanted.threads)]
    words += ["--samed", str(wanted.samed)] if wanted.samed else []
    said = subprocess.run(words, check=True, capture_output=True, text=True).stdout  # noqa: S603
    return json.loads(said.splitlines()[-1])


def main() -> None:
    """Print a table and, if asked, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--samed", type=Path, help="checkout of the published SAMed")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--alone", choices=list(CONTESTANTS), help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    torch.set_num_threads(wanted.threads)
    if wanted.alone:
        work = CONTESTANTS[wanted.alone](wanted.size, wanted.samed)
        base = peak()
        for _ in range(3):
            work()
        print(json.dumps({"base_mb": base, "peak_mb": peak()}))
        return
    left_out = [] if wanted.samed else ["published code"]
    for name in left_out:
        print(f"{name} is left out: --samed names no checkout")
    names = [name for name in CONTESTANTS if name not in left_out]
    # first: the peak of a process begins with that of the one that started it
    memory = {name: alone(name, wanted) for name in names}
    works = {name: CONTESTANTS[name](wanted.size, wanted.samed) for name in names}
    spent = timing.rounds(works, count=wanted.rounds, warmup=1)
    times = timing.summary(spent, baseline="samplar")
    results = {name: {**times[name], **memory[name]} for name in names}
    titles = ["ms", "times_slower", "peak_mb", "base_mb"]
    rows = [[name, *(found[title] for title in titles)] for name, found in results.items()]
    print(timing.table(["training step", *titles], rows))
    if wanted.json:
        settings = {"size": wanted.size, "rounds": wanted.rounds, "left_out": left_out}
        timing.write(wanted.json, timing.document("training", settings=settings, results=results))


if __name__ == "__main__":
    main()
