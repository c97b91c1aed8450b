"""WSI-SAM: a high-resolution view and a wider one, each with tokens and a decoder, added up.

Source: Liu et al. 2024, arXiv 2403.09257, from the text of the specification. The published code
has no licence and was not used; how it was trained is not published.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import torch
from jaxtyping import Float, Integer
from pydantic import Field
from torch import Tensor

from samplar.config.base import Strict
from samplar.config.loss import AnyLoss, LossConfig, MaskLossConfig
from samplar.errors import UsageError
from samplar.methods.asking import class_logits, rows_of, shown_classes
from samplar.methods.contract import Batch, Card, Memory, Pass
from samplar.methods.interaction import draw_targets, first_prompts
from samplar.methods.linked import Answers, Linked, add_view_decoders, ask_both, link
from samplar.methods.oracle_prompts import box_prompts
from samplar.methods.two_views import (
    Layout,
    high_views,
    joined,
    low_labels,
    low_view,
    padded,
)
from samplar.methods.uncertain_points import at_points
from samplar.methods.view_decoder import Start
from samplar.sam.device import encoder_batch
from samplar.sam.early import encode_with_early
from samplar.sam.model import NO_PROMPT, Sam
from samplar.types import IGNORE

card = Card(
    name="wsi-sam",
    title="A high-resolution view and a wider one, with tokens and a decoder for each, added up",
    paper="Liu et al. 2024, arXiv 2403.09257",
    plugs_in="data, decoder",
    licence_note="no licence was published; nothing of the published code was used",
    differs=(
        (
            "No box is needed: one token per class, and background has logit 0.",
            "The paper boxes every structure, in tests too, with the truth at hand. "
            "`prompt: box` does that, with one token and SAM's own mask added.",
        ),
        (
            "The wider view of a slice is the slice at half the size, amid padding.",
            "A slice ends where a slide goes on. `views: inside` takes the frame for the wider "
            "view and its quarters for the high-resolution ones, which is what tiles that were "
            "cut with their surroundings need.",
        ),
        (
            "With nothing learnt, the answer to a box is SAM's, exactly.",
            "In the published decoder SAM's tokens see the new ones, so that its mask is not "
            "quite its own; `legacy: true` adds that one. `start: random` starts away from SAM.",
        ),
        (
            "The loss looks at every pixel.",
            "The published loss looks at 12,544 points, three quarters of them uncertain: "
            "`points: 12544`. Frames here have not many more pixels than that.",
        ),
        (
            "Training is a reconstruction.",
            "Only the loss and the loader are public. Both views are supervised, with weights 1; "
            "prompts are boxes and points, as in HQ-SAM; the optimiser is that of all methods.",
        ),
    ),
)


class Config(Strict):
    """How the views lie, what is asked, and how the new parts start."""

    views: Layout = "around"
    """around: the frame, and a view of twice its side; inside: its quarters, and the frame."""
    prompt: Literal["none", "box"] = "none"
    """none: one token per class; box: the box of each structure, from the truth."""
    start: Start = "zero"
    low_loss: bool = True
    """Whether the mask in the wider view is learnt from as well."""
    points: int = Field(default=0, ge=0, le=1_000_000)
    """Points of each mask that the loss looks at; 0: every pixel."""
    masks: int = Field(default=5, ge=1, le=64)
    """With boxes: structures drawn per high-resolution view and iteration."""
    legacy: bool = False
    loss: LossConfig = LossConfig()
    box_loss: MaskLossConfig = MaskLossConfig(
        focal=2.0, alpha=0.5, gamma=0.0, dice_of="mask", quality=0.0
    )
    """With boxes: cross-entropy plus the Dice of each mask."""


def attach(sam: Sam, config: Config, classes: int) -> None:
    """Add the new parts of both decoders; nothing else trains.

    With one class or with boxes 897,024 numbers on a TinyViT, 2,142,208 on a ViT-B.
    """
    tokens = 1 if config.prompt == "box" else classes
    add_view_decoders(sam, tokens=tokens, start=config.start)


def see(sam: Sam, config: Config, images: Float[Tensor, "b 3 s s"]) -> Float[Tensor, "b e i j"]:
    """Encode the high views of every image, then its low view: embedding and early feature."""
    frame = padded(images, config.views, stride=sam.stride, beyond=sam.padding)
    high = high_views(frame, config.views).unflatten(0, (len(images), -1))
    low = low_view(frame, config.views, beyond=sam.padding)
    views = torch.cat([high, low[:, None]], dim=1)
    seen = torch.cat(encode_with_early(sam, views.flatten(0, 1)), dim=1)
    return seen.unflatten(0, (len(images), -1)).flatten(1, 2)


def prompts(config: Config) -> str:
    """Say whether structures are boxed."""
    return "none" if config.prompt == "none" else "oracle box"


def loss(config: Config) -> AnyLoss:
    """Return the loss of classes, or of one structure at a time."""
    return config.loss if config.prompt == "none" else config.box_loss


def logits(sam: Sam, config: Config, batch: Batch, memory: Memory) -> Float[Tensor, "b k r s"]:
    """Segment the frame: all classes at once, or with boxes every class that the labels show.

    Raises:
        UsageError: `methods.oracle` when boxes are to come from labels and there are none.
    """
    views = link(sam, batch.embedding, config.views)
    if config.prompt == "none":
        found = _with_background(ask_both(sam, views, NO_PROMPT, own="none", low=False).high)
    else:
        found = _boxed(sam, config, batch, views)
    whole = joined(found, config.views)
    shown = batch.images.shape[-1] * whole.shape[-1] // _side(sam, batch, config)
    return whole[..., :shown, :shown]


def passes(sam: Sam, config: Config, batch: Batch, memory: Memory) -> Iterator[Pass]:
    """Compare both views with the labels, in one step."""
    if batch.labels is None or batch.chance is None:
        raise ValueError("passes are for training")
    views, labels = link(sam, batch.embedding, config.views), _labels(sam, config, batch.labels)
    if config.prompt == "none":
        answers = ask_both(sam, views, NO_PROMPT, own="none", low=config.low_loss)
    else:
        targets = draw_targets(labels, batch.classes, count=config.masks, chance=batch.chance)
        views, labels = views.rows(targets.image), targets.labels()
        shown = first_prompts(targets, batch.chance)
        answers = ask_both(sam, views, shown, own=_own(config), low=config.low_loss)
    part = _as_pass(answers, labels, views)
    yield at_points(part, count=config.points, chance=batch.chance) if config.points else part


def _as_pass(answers: Answers, labels: Tensor, views: Linked) -> Pass:
    found = _with_background(answers.high)
    if answers.low is None:
        return Pass(found, labels)
    both = torch.cat([found, _with_background(answers.low)])
    return Pass(both, torch.cat([labels, low_labels(labels, views.origin)]))


def _with_background(logits: Float[Tensor, "n k r s"]) -> Float[Tensor, "n c r s"]:
    return torch.cat([torch.zeros_like(logits[:, :1]), logits], dim=1)


def _own(config: Config) -> Literal["apart", "shared"]:
    return "shared" if config.legacy else "apart"


def _labels(sam: Sam, config: Config, labels: Tensor) -> Integer[Tensor, "n v v"]:
    """Return the labels of the high views."""
    beyond = labels.new_tensor(IGNORE)
    frame = padded(labels, config.views, stride=sam.stride, beyond=beyond)
    return high_views(frame[:, None], config.views)[:, 0]


def _boxed(sam: Sam, config: Config, batch: Batch, views: Linked) -> Float[Tensor, "n k r s"]:
    if batch.labels is None:
        raise UsageError(
            "wsi-sam with prompt box reads the labels of what it segments, and there are none",
            fix="Use it on a labelled data set, or set prompt to none",
            code="methods.oracle",
        )
    shown = shown_classes(_labels(sam, config, batch.labels), batch.classes)
    given, step = box_prompts(shown.truth), encoder_batch(sam.device)
    height, width = (4 * side for side in views.high.shape[-2:])
    masks = torch.zeros(len(shown.image), height, width, device=sam.device)
    for start in range(0, len(masks), step):
        rows = slice(start, start + step)
        part = views.rows(shown.image[rows])
        answers = ask_both(sam, part, rows_of(given, rows), own=_own(config), low=False)
        masks[rows] = answers.high[:, 0].float()
    return class_logits(
        masks, shown.image, shown.index, images=len(views.high), classes=batch.classes
    )


def _side(sam: Sam, batch: Batch, config: Config) -> int:
    """Return the side, in pixels, of the frame and what was added to it."""
    view = batch.embedding.shape[-1] * sam.stride
    return view if config.views == "around" else 2 * view
