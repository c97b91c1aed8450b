"""SAM-Med2D: convolutional adapters, and training by simulated corrections.

Source: Cheng et al. 2023, arXiv 2308.16184, and its public code (Apache-2.0).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor

from samplar.config.base import Strict
from samplar.config.loss import MaskLossConfig
from samplar.methods.asking import class_logits, decode_rows, shown_classes
from samplar.methods.bottleneck import Start
from samplar.methods.contract import Batch, Card, Memory, Pass
from samplar.methods.conv_adapter import ConvAdapter
from samplar.methods.differences import ALL_PARTS_IN_ONE_BOX
from samplar.methods.interaction import (
    Targets,
    correcting_points,
    draw_targets,
    first_prompts,
)
from samplar.methods.oracle_prompts import box_prompts, spread_points, truth_of
from samplar.sam.blocks import BlockSite, add_beside_mlp, encoder_blocks
from samplar.sam.model import Sam
from samplar.sam.prompt import Prompts
from samplar.sam.sites import select_blocks
from samplar.sam.unfilled import built_on
from samplar.types import IGNORE

card = Card(
    name="sam-med2d",
    title="Convolutional adapters, trained by simulated corrections, prompted in use (oracle)",
    paper="Cheng et al. 2023, arXiv 2308.16184",
    plugs_in="encoder, prompt encoder, decoder",
    prompts="oracle box or points",
    licence_note="published code is Apache-2.0",
    differs=(
        (
            "Adapters start at zero.",
            "The published ones add a normed copy of the tokens from the start; `start: random` "
            "does so too.",
        ),
        (
            "The predicted IoU is compared with that of its own mask.",
            "The published code compares every prediction with one IoU of the whole batch; "
            "`loss: {quality_of: batch}`.",
        ),
        ALL_PARTS_IN_ONE_BOX,
        (
            "Points for clicks in use lie deepest in what is wrong.",
            "The published test draws them, so that two runs differ.",
        ),
        (
            "Pictures are RGB.",
            "The published code reads BGR and normalises it as RGB, in training and in its tests.",
        ),
        (
            "Embeddings of points keep learning.",
            "In the published code they are replaced by copies that the optimiser does not know.",
        ),
        (
            "AdamW with warm-up, decay and a bound on the gradient.",
            "Published: Adam at 1e-4. All methods share one loop; `configs/papers` comes close.",
        ),
    ),
)

LR = 1e-4
"""As published; what is trained is large."""


class Config(Strict):
    """Where adapters sit, how it is prompted in use, and how corrections are simulated."""

    blocks: str = "all"
    """Encoder attention blocks with adapters: all, none or last:n."""
    start: Start = "zero"
    prompt: Literal["box", "points"] = "box"
    """At test time: the box of each structure, or points in it."""
    clicks: int = Field(default=1, ge=1, le=16)
    """Points given one after another, each after a look at the answer to those before."""
    masks: int = Field(default=5, ge=1, le=64)
    """Structures drawn per image and iteration."""
    rounds: int = Field(default=8, ge=0, le=64)
    """Corrections per iteration, each a step of the optimiser."""
    mask_prompt: Literal["shares", "logits"] = "shares"
    """How the earlier mask is shown: as probabilities, as published, or as SAM has it."""
    loss: MaskLossConfig = MaskLossConfig()


def attach(sam: Sam, config: Config, classes: int) -> None:
    """Add an adapter beside the feed-forward layer of each block; all but the rest of the encoder
    trains: 184,569,136 numbers on SAM ViT-B, 180,504,576 of them in adapters.

    Raises:
        UsageError: `config.blocks`.
    """
    for site in select_blocks(encoder_blocks(sam), config.blocks):
        add_beside_mlp(sam, site, _adapter(sam, site, config))
    sam.prompt_encoder.requires_grad_(True)
    sam.mask_decoder.requires_grad_(True)


def _adapter(sam: Sam, site: BlockSite, config: Config) -> ConvAdapter:
    return built_on(sam.device, lambda: ConvAdapter(site.width, start=config.start))


def loss(config: Config) -> MaskLossConfig:
    """Return the configured loss."""
    return config.loss


@dataclass(frozen=True)
class _Answer:
    """The mask of each row that the model thinks best.

    Args:
        low: (p, r, s) its logits.
        quality: (p,) its predicted IoU.
    """

    low: Float[Tensor, "p r s"]
    quality: Float[Tensor, " p"]

    def at(self, size: tuple[int, int]) -> Float[Tensor, "p h w"]:
        """Return the logits in the frame."""
        return F.interpolate(self.low[:, None], size, mode="bilinear", align_corners=False)[:, 0]

    def found(self, size: tuple[int, int]) -> Bool[Tensor, "p h w"]:
        """Return the mask in the frame."""
        return self.at(size).detach() > 0

    def shown(self, config: Config) -> Float[Tensor, "p 1 r s"]:
        """Return the mask as the prompt of the next pass."""
        low = self.low.detach()[:, None]
        return low.sigmoid() if config.mask_prompt == "shares" else low


def _best(masks: Float[Tensor, "p t r s"], quality: Float[Tensor, "p t"]) -> _Answer:
    """Choose among SAM's three masks for an ambiguous prompt; the first is for others."""
    chosen = quality[:, 1:].argmax(dim=1) + 1
    rows = torch.arange(len(masks), device=masks.device)
    return _Answer(masks[rows, chosen].float(), quality[rows, chosen].float())


def passes(sam: Sam, config: Config, batch: Batch, memory: Memory) -> Iterator[Pass]:
    """Ask once, then correct `rounds` times; only the decoder learns from the corrections.

    In one round at random and in the last the earlier mask is all that is shown.
    """
    if batch.labels is None or batch.chance is None:
        raise ValueError("passes are for training")
    chance = batch.chance
    targets = draw_targets(batch.labels, batch.classes, count=config.masks, chance=chance)
    embedding = batch.embedding[targets.image]
    answer = _best(*sam.decode(embedding, first_prompts(targets, chance)))
    yield _as_pass(answer, targets)
    embedding = embedding.detach()
    bare = {int(torch.randint(1, max(2, config.rounds - 1), (), generator=chance))}
    for number in range(config.rounds):
        size = (targets.truth.shape[-2], targets.truth.shape[-1])
        points = correcting_points(answer.found(size), targets, chance=chance)
        if number in bare | {config.rounds - 1}:
            points = Prompts()
        with torch.no_grad():
            told = sam.encode_prompts(replace(points, masks=answer.shown(config)), embedding)
        answer = _best(*sam.decode_encoded(embedding, *told))
        yield _as_pass(answer, targets)


def _as_pass(answer: _Answer, targets: Targets) -> Pass:
    mask = answer.at((targets.truth.shape[-2], targets.truth.shape[-1]))
    return Pass(
        torch.stack([torch.zeros_like(mask), mask], dim=1), targets.labels(), answer.quality
    )


def logits(sam: Sam, config: Config, batch: Batch, memory: Memory) -> Float[Tensor, "b k r s"]:
    """Segment every class that the labels show; background has logit 0.

    Raises:
        UsageError: `methods.oracle` when the images come without labels.
    """
    truth = truth_of(batch, card.name)
    shown = shown_classes(truth, batch.classes)
    targets = Targets(shown.image, shown.truth, (truth != IGNORE)[shown.image])
    if config.prompt == "box":
        answer = _ask(sam, batch, targets, box_prompts(targets.truth))
    else:
        answer = _clicked(sam, config, batch, targets)
    return class_logits(
        answer.low, shown.image, shown.index, images=len(batch.images), classes=batch.classes
    )


def _ask(sam: Sam, batch: Batch, targets: Targets, prompts: Prompts) -> _Answer:
    return _best(*decode_rows(sam, batch.embedding, targets.image, prompts))


def _clicked(sam: Sam, config: Config, batch: Batch, targets: Targets) -> _Answer:
    """Click into the deepest part of each structure, then of what is still wrong."""
    prompts = _deepest(targets.truth, targets)
    answer = _ask(sam, batch, targets, prompts)
    for _ in range(config.clicks - 1):
        size = (targets.truth.shape[-2], targets.truth.shape[-1])
        more = _deepest((answer.found(size) != targets.truth) & targets.known, targets)
        points, labels = (
            torch.cat([getattr(p, part) for p in (prompts, more)], dim=1)
            for part in ("points", "labels")
        )
        prompts = Prompts(points=points, labels=labels, masks=answer.shown(config))
        answer = _ask(sam, batch, targets, prompts)
    return answer


def _deepest(region: Bool[Tensor, "p s s"], targets: Targets) -> Prompts:
    """Return the deepest pixel of each row's region, or "not a point" where there is none."""
    points = torch.zeros(len(region), 1, 2, device=region.device)
    labels = torch.full((len(region), 1), -1, device=region.device)
    for row, place in enumerate(region):
        found = spread_points(place, 1)
        if len(found):
            x, y = (int(v) for v in found[0])
            points[row, 0] = found[0]
            labels[row, 0] = int(targets.truth[row, y, x])
    return Prompts(points=points, labels=labels)
