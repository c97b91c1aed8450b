"""High and low views that are decoded apart and answer together.

Source: Liu et al. 2024 (WSI-SAM), arXiv 2403.09257, from the text of the specification: what the
tokens of both views look for is added up, and compared with the pixels of either view.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from samplar.methods.two_views import Layout, low_prompts, origins, views_per_image
from samplar.methods.view_decoder import Asked, Start, ViewDecoder, ask_view, compared
from samplar.sam.early import early_width
from samplar.sam.model import Sam
from samplar.sam.prompt import Prompts
from samplar.sam.unfilled import built_on

Own = Literal["none", "apart", "shared"]
"""SAM's single mask that is added: none; as SAM gives it; or of the pass with the new tokens,
which SAM's own tokens then see."""


@dataclass(frozen=True)
class Linked:
    """High views and the low view of each: embedding and early feature, one after the other.

    Args:
        high: (n, e, i, j).
        low: (n, e, i, j).
        origin: (n, 2) where the corner (x, y) of the high view lies in the low one, pixels of that.
    """

    high: Float[Tensor, "n e i j"]
    low: Float[Tensor, "n e i j"]
    origin: Int[Tensor, "n 2"]

    def rows(self, chosen: Int[Tensor, " p"] | slice) -> Linked:
        """Return some of the views, or some of them several times."""
        return Linked(self.high[chosen], self.low[chosen], self.origin[chosen])


def link(sam: Sam, seen: Float[Tensor, "b e i j"], layout: Layout) -> Linked:
    """Take apart what was kept of images: their high views, then their low view."""
    views = seen.unflatten(1, (views_per_image(layout) + 1, -1))
    high = views[:, :-1].flatten(0, 1)
    low = views[:, -1].repeat_interleave(views_per_image(layout), dim=0)
    side = seen.shape[-1] * sam.stride
    origin = origins(len(high), layout, side=side, device=seen.device)
    return Linked(high, low, origin)


def add_view_decoders(sam: Sam, *, tokens: int, start: Start) -> None:
    """Give SAM's decoder the new parts for both views."""
    width, early = sam.mask_decoder.width, early_width(sam)
    for name in ("high_view", "low_view"):
        made = built_on(sam.device, lambda: ViewDecoder(width, early, tokens, start=start))
        sam.mask_decoder.add_module(name, made)


@dataclass(frozen=True)
class Answers:
    """Logits of what the tokens look for, in both views.

    Args:
        high: (n, k, r, s).
        low: (n, k, r, s), if it was asked for.
    """

    high: Float[Tensor, "n k r s"]
    low: Float[Tensor, "n k r s"] | None


def ask_both(sam: Sam, views: Linked, prompts: Prompts, *, own: Own, low: bool) -> Answers:
    """Decode both views and let their tokens answer together.

    Args:
        sam: with `add_view_decoders` done to it.
        views: to be decoded.
        prompts: one for each view, or an empty one for all, in pixels of the high view.
        own: which mask of SAM's is added.
        low: whether the mask of the low view is wanted as well.
    """
    high_view = _view(sam, "high_view", views.high, prompts)
    low_view = _view(sam, "low_view", views.low, low_prompts(prompts, views.origin))
    high_asked, low_asked = high_view.ask(), low_view.ask()
    wanted = high_asked.wanted + low_asked.wanted
    return Answers(
        high_view.logits(high_asked, wanted, own),
        low_view.logits(low_asked, wanted, own) if low else None,
    )


@dataclass(frozen=True)
class _View:
    sam: Sam
    added: ViewDecoder
    embedding: Float[Tensor, "n d i j"]
    early: Float[Tensor, "n c i j"]
    prompts: Prompts

    def ask(self) -> Asked:
        """Run SAM's decoder with the new tokens."""
        return ask_view(self.sam, self.added, self.embedding, self.prompts)

    def logits(
        self, made: Asked, wanted: Float[Tensor, "n k c"], own: Own
    ) -> Float[Tensor, "n k r s"]:
        """Compare what is looked for with every pixel, and add SAM's own mask."""
        features = self.added(made.upscaled, self.embedding, self.early)
        logits = compared(wanted, features)
        if own == "none":
            return logits
        if own == "shared":
            return logits + compared(made.own, made.upscaled)
        with torch.no_grad():
            mask = self.sam.decode(self.embedding, self.prompts)[0][:, :1]
        return logits + mask


def _view(sam: Sam, name: str, seen: Float[Tensor, "n e i j"], prompts: Prompts) -> _View:
    added = sam.mask_decoder.get_submodule(name)
    if not isinstance(added, ViewDecoder):
        raise TypeError(f"{name} is a {type(added).__name__}")
    width = sam.mask_decoder.width
    return _View(sam, added, seen[:, :width], seen[:, width:], prompts)
