"""Samplar's own way: SAM's decoder looks twice, and a small U-Net that sees the pixels has a say.

The decoder trains on slices whole and on close-ups. A small structure is found in the whole slice
and then seen again in a window of its own, as large as the frame allows, so that a small frame is
enough. Beside it, on the same images, trains a U-Net that knows nothing of SAM; what is said is
a mean of both. With four exemplars that was better than either on brain tumours and hippocampi of
the pool, and no better than the decoder alone on the heart. From one exemplar a U-Net learns
little, and has less of a say.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import cast

from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from samplar.methods import decoder_only
from samplar.methods.beside import Beside
from samplar.methods.contract import Batch, Card, Memory, Pass
from samplar.methods.decoder_only import loss
from samplar.sam.model import Sam
from samplar.sam.unfilled import built_on

__all__ = ["Config", "attach", "logits", "loss", "passes", "settle"]

card = Card(
    name="samplar",
    title="The decoder, trained on slices whole and closer, and a small U-Net beside it",
    paper="this library",
    plugs_in="decoder, beside SAM",
    licence_note="ours",
)

FIT = {"roi": {"mode": "auto", "otherwise": 192}}
"""Structures that no window brings closer are seen in a larger frame."""

PRESETS = {"standard": {"size": 128, "training": {"iterations": 200, "pool": 200, "batch": 8}}}
"""A close-up shows at 128 px what a whole slice shows at 256, for a quarter of the time."""

HALF, DOUBT = 0.5, 3.0
"""With n exemplars the U-Net's share is n / (n + 3), a half at most: on the pool a half did harm on
the heart with one exemplar, where a quarter did not; `docs/explanation/two-networks.md`."""

PLACE = "beside"


class Config(decoder_only.Config):
    """How the head starts, what it is trained with, and what is beside it."""

    unet_share: float | None = Field(default=None, ge=0, le=1)
    """How much the U-Net's say counts; none: settled by the number of exemplars; with 0 there is no
    U-Net."""
    learnt: float = Field(default=0.5, ge=0, le=1)
    """The U-Net has no say on a class whose training images it segments with less than so many
    times the decoder's Dice."""
    width: int = Field(default=16, ge=4, le=128)
    """Channels of the U-Net at full resolution; twice as many on each level below, up to 256."""
    levels: int = Field(default=6, ge=3, le=8)
    """Resolutions of the U-Net; each has half the one before."""


def settle(config: Config, exemplars: int) -> Config:
    """Let the U-Net's say count as much as exemplars give it reason to."""
    if config.unet_share is not None:
        return config
    share = min(HALF, exemplars / (exemplars + DOUBT))
    return config.model_copy(update={"unet_share": round(share, 3)})


def attach(sam: Sam, config: Config, classes: int) -> None:
    """Train the decoder as `decoder-only` does, and put a U-Net beside it if it has a share."""
    decoder_only.attach(sam, config, classes)
    if config.unet_share:
        make = partial(Beside, classes, width=config.width, levels=config.levels)
        sam.add_module(PLACE, built_on(sam.device, make).eval())


def passes(sam: Sam, config: Config, batch: Batch, memory: Memory) -> Iterator[Pass]:
    """Take a step for the decoder, then one for the U-Net: neither knows of the other."""
    if batch.labels is None:
        raise ValueError("passes are for training")
    decoded = sam.decode(batch.embedding)[0]
    yield Pass(decoded, batch.labels)
    if config.unet_share:
        network = _beside(sam)
        found = network(batch.images)
        network.watch(decoded, found, batch.labels)
        yield Pass(found, batch.labels)


def logits(sam: Sam, config: Config, batch: Batch, memory: Memory) -> Float[Tensor, "b k i j"]:
    """Return the decoder's logits; with a U-Net, the logarithm of the mean of both softmaxes."""
    decoded = sam.decode(batch.embedding)[0]
    if not config.unet_share:
        return decoded
    network = _beside(sam)
    return network.together(
        decoded, network(batch.images), share=config.unet_share, learnt=config.learnt
    )


def _beside(sam: Sam) -> Beside:
    return cast(Beside, sam.get_submodule(PLACE))
