"""HyP-Adpt: an adapter in the decoder whose inner layers are made from the prompt.

Source: Wu et al. 2023, arXiv 2304.12620, from its description alone: released code has none of it.
Where it sits (on what tokens read of the image, in both layers), its inner width, LayerNorm and
ReLU after the first inner layer, and the zero start are our reading.
"""

from __future__ import annotations

from functools import partial

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from samplar.methods.bottleneck import Start
from samplar.sam.guidance import Guidance
from samplar.sam.model import Sam
from samplar.sam.sites import replace_module
from samplar.sam.unfilled import built_on

INNER = 8
"""Times narrower than the decoder: 32 numbers in SAM, so that the prompt makes 32 x 32 weights."""


class HyperPrompt(nn.Module):
    """The reading of the image by the tokens, changed by what was asked.

    The prompt is the first token after those of the quality and of the masks.
    """

    def __init__(self, base: nn.Module, *, width: int, place: int, start: Start) -> None:
        super().__init__()
        inner = max(1, width // INNER)
        self.base = base
        self.place = place
        self.down = nn.Linear(width, inner)
        self.first = nn.Linear(width, inner * inner)
        self.norm = nn.LayerNorm(inner)
        self.second = nn.Linear(width, inner * inner)
        self.up = nn.Linear(inner, width)
        if start == "zero":
            nn.init.zeros_(self.up.weight)
            nn.init.zeros_(self.up.bias)

    def forward(
        self,
        q: Float[Tensor, "b n d"],
        k: Float[Tensor, "b m d"],
        v: Float[Tensor, "b m d"],
        guidance: Guidance | None = None,
    ) -> Float[Tensor, "b n d"]:
        """Read the image and add what the prompt makes of it."""
        read = self.base(q, k, v, guidance)
        prompt, low = q[:, self.place], self.down(read)
        first, second = (
            made(prompt).unflatten(-1, (low.shape[-1], -1)) for made in (self.first, self.second)
        )
        return read + self.up(F.relu(self.norm(low @ first)) @ second)


def add_hyper_prompts(sam: Sam, *, start: Start) -> None:
    """Put one on the reading of the image in each layer of the decoder's transformer."""
    decoder = sam.mask_decoder
    place = 1 + decoder.mask_tokens.num_embeddings
    for layer in range(len(decoder.transformer.layers)):
        name = f"mask_decoder.transformer.layers.{layer}.cross_attn_token_to_image"
        base = sam.get_submodule(name)
        make = partial(HyperPrompt, base, width=decoder.width, place=place, start=start)
        added = built_on(sam.device, make)
        replace_module(sam, name, added)
