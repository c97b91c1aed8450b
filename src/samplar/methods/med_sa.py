"""Medical SAM Adapter: bottleneck adapters in every encoder block, the decoder trained.

Source: Wu et al. 2023, arXiv 2304.12620. The published code is GPL-3.0: nothing of it was used.
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor

from samplar.config.base import Strict
from samplar.config.loss import LossConfig
from samplar.errors import UsageError
from samplar.methods.bottleneck import Start, add_bottlenecks
from samplar.methods.class_points import ClassPoints, drawn_points, true_points
from samplar.methods.contract import Batch, Card, Memory, decode_classes
from samplar.methods.depth_attention import add_depth
from samplar.methods.differences import ADAPTERS_START_AT_ZERO
from samplar.methods.head import HeadInit, set_class_tokens
from samplar.methods.hyper_prompt import add_hyper_prompts
from samplar.methods.released_med_sa import as_released
from samplar.sam.blocks import encoder_blocks
from samplar.sam.model import Sam
from samplar.sam.sites import select_blocks

card = Card(
    name="med-sa",
    title="Bottleneck adapters in every encoder block, the whole decoder trained",
    paper="Wu et al. 2023, arXiv 2304.12620",
    plugs_in="encoder, decoder",
    licence_note="published code is GPL-3.0 and was not used",
    differs=(
        ADAPTERS_START_AT_ZERO,
        (
            "No click is needed: one mask token per class, decoded once.",
            "The paper clicks into every structure, in tests too, with the truth at hand. "
            "`clicks: oracle` does that, one class after another, with one map each.",
        ),
        (
            "Relative positions are kept.",
            "The released code leaves them at zero, because it names them otherwise than SAM's "
            "files. `legacy: true` leaves them at zero as well, and pads windows before the norm; "
            "it needs a plain ViT.",
        ),
        (
            "Cross-entropy plus Dice, with a rate that decays.",
            "Published for slices: cross-entropy with the foreground counted twice, "
            "`loss: {ce: 1, dice: 0, foreground: 2}`, at a rate that its scheduler never changes.",
        ),
        (
            "Neighbouring slices (SD-Trans) are seen, not segmented.",
            "With `neighbours: 2` a slice is encoded among five, and a second attention with the "
            "same weights runs over the slices of every cell. The paper labels whole volumes; an "
            "exemplar is one labelled slice, so only the one in the middle is trained and decoded.",
        ),
        (
            "The second attention mixes slices in every block.",
            "In blocks with windows the released code mixes windows that follow one another "
            "instead. `legacy: true` does so too, and needs a plain ViT.",
        ),
        (
            "HyP-Adpt is off, and a reconstruction.",
            "It is in the paper and not in the released code; its widths and its start are ours. "
            "`hyper: true`, which needs clicks, puts it on.",
        ),
    ),
)


class Config(Strict):
    """Where adapters sit, how they start, and whether structures are clicked into."""

    blocks: str = "all"
    """Encoder attention blocks with adapters: all, none or last:n."""
    start: Start = "zero"
    head_init: HeadInit = "sam"
    clicks: Literal["none", "oracle"] = "none"
    """none: one mask token per class; oracle: a click in every class, from the truth."""
    neighbours: int = Field(default=0, ge=0, le=8)
    """Slices on each side that a slice is seen with; 0: slices one by one."""
    hyper: bool = False
    """Let the click change the decoder's tokens (HyP-Adpt)."""
    legacy: bool = False
    loss: LossConfig = LossConfig()

    @model_validator(mode="after")
    def _hyper_has_clicks(self) -> Config:
        if self.hyper and self.clicks == "none":
            raise ValueError("hyper needs clicks other than none")
        return self


def attach(sam: Sam, config: Config, classes: int) -> None:
    """Add the adapters; they and the decoder train, the prompt encoder does not.

    On SAM ViT-B with one class 10,878,626 numbers train: 7,100,928 in adapters, 3,777,698 in the
    decoder. With neighbours a third adapter in every block makes the 7,100,928 10,651,392.

    Raises:
        UsageError: `config.blocks`; `methods.plain_vit` for `legacy` on a TinyViT.
    """
    clicked = config.clicks == "oracle"
    set_class_tokens(sam, 1 if clicked else classes, init=config.head_init)
    sam.mask_decoder.requires_grad_(True)
    if config.legacy:
        as_released(sam, method=card.name)
    if config.hyper:
        add_hyper_prompts(sam, start=config.start)
    sites = select_blocks(encoder_blocks(sam), config.blocks)
    if config.neighbours == 0:
        add_bottlenecks(sam, sites, start=config.start)
    else:
        slices = 1 + 2 * config.neighbours
        add_depth(sam, sites, slices=slices, start=config.start, legacy=config.legacy)


def around(config: Config) -> int:
    """Say how many slices on each side a slice is seen with."""
    return config.neighbours


def prompts(config: Config) -> str:
    """Say whether it is clicked."""
    return "none" if config.clicks == "none" else "oracle points"


def loss(config: Config) -> LossConfig:
    """Return the configured loss."""
    return config.loss


def logits(sam: Sam, config: Config, batch: Batch, memory: Memory) -> Float[Tensor, "b k i j"]:
    """Decode once without a prompt, or once for every class with a click into it.

    Raises:
        UsageError: `methods.oracle` when clicks are to come from labels and there are none.
    """
    if config.clicks == "none":
        return decode_classes(sam, config, batch, memory)
    points = _clicks(batch)
    maps = [
        sam.decode(batch.embedding, points.of(number))[0][:, 0] for number in range(batch.classes)
    ]
    return torch.stack([torch.zeros_like(maps[0]), *maps], dim=1)


def _clicks(batch: Batch) -> ClassPoints:
    """Return a click per class: drawn in training, the deepest pixel at test time."""
    if batch.labels is None:
        raise UsageError(
            "med-sa with clicks oracle reads the labels of what it segments, and there are none",
            fix="Use it on a labelled data set, or set clicks to none",
            code="methods.oracle",
        )
    if batch.chance is None:
        return true_points(batch.labels, batch.classes)
    return drawn_points(batch.labels, batch.classes, count=1, chance=batch.chance)
