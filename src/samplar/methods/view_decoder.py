"""SAM's frozen decoder with tokens and features of its own for one view.

Source: Liu et al. 2024 (WSI-SAM), arXiv 2403.09257, after HQ-SAM (Ke et al. 2023, arXiv
2306.01567): from the text of the specification; no code was used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from samplar.sam.layers import LayerNorm2d, Mlp
from samplar.sam.model import Sam
from samplar.sam.prompt import Prompts
from samplar.sam.upscaling import placed

Start = Literal["zero", "random"]


@dataclass(frozen=True)
class Asked:
    """What SAM's decoder made of views.

    Args:
        wanted: (n, k, c) what each of the new tokens looks for.
        own: (n, 1, c) what the token of SAM's single mask looks for.
        upscaled: (n, c, r, s) SAM's features of every pixel.
    """

    wanted: Float[Tensor, "n k c"]
    own: Float[Tensor, "n 1 c"]
    upscaled: Float[Tensor, "n c r s"]


def compared(
    wanted: Float[Tensor, "n k c"], features: Float[Tensor, "n c r s"]
) -> Float[Tensor, "n k r s"]:
    """Return how well every pixel fits what is looked for."""
    return (wanted @ features.flatten(2)).unflatten(2, features.shape[2:])


def finer(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """Return two transposed convolutions that make a map four times finer."""
    return nn.Sequential(
        nn.ConvTranspose2d(inputs, hidden, 2, stride=2),
        LayerNorm2d(hidden),
        nn.GELU(),
        nn.ConvTranspose2d(hidden, outputs, 2, stride=2),
    )


class ViewDecoder(nn.Module):
    """What is new in the decoder of a view: 448,512 numbers on a TinyViT, 1,071,104 on a ViT-B.

    Args:
        width: of SAM's decoder.
        early: channels of the encoder's early feature.
        tokens: one for every structure that is looked for at once.
        start: `zero`: nothing is wanted of any pixel until something is learnt.
    """

    def __init__(self, width: int, early: int, tokens: int, *, start: Start) -> None:
        super().__init__()
        narrow = width // 8
        self.tokens = nn.Embedding(tokens, width)
        self.networks = nn.ModuleList(Mlp(width, width, narrow, depth=3) for _ in range(tokens))
        self.compress = finer(early, width, narrow)
        self.embed = finer(width, width // 4, narrow)
        self.refine = nn.Sequential(
            nn.Conv2d(narrow, width // 4, 3, padding=1),
            LayerNorm2d(width // 4),
            nn.GELU(),
            nn.Conv2d(width // 4, narrow, 3, padding=1),
        )
        if start == "zero":
            for network in self.networks:
                last = network.get_submodule("layers.2")
                nn.init.zeros_(last.get_parameter("weight"))
                nn.init.zeros_(last.get_parameter("bias"))

    def wanted(self, told: Float[Tensor, "n k d"]) -> Float[Tensor, "n k c"]:
        """Return what the tokens look for, once they have read the image."""
        return torch.stack([net(told[:, i]) for i, net in enumerate(self.networks)], dim=1)

    def forward(
        self,
        upscaled: Float[Tensor, "n c r s"],
        embedding: Float[Tensor, "n d i j"],
        early: Float[Tensor, "n e i j"],
    ) -> Float[Tensor, "n c r s"]:
        """Add what the decoder, the embedding and the early feature say of every pixel."""
        return self.refine(upscaled) + self.embed(embedding) + self.compress(early)


def ask_view(
    sam: Sam, added: ViewDecoder, embedding: Float[Tensor, "n d i j"], prompts: Prompts
) -> Asked:
    """Decode views with the new tokens between SAM's own and those of the prompts.

    Args:
        sam: its decoder is used as it is.
        added: of this view.
        embedding: of the views.
        prompts: one for each view, or an empty one for all, in pixels of the view.
    """
    decoder, kind, count = sam.mask_decoder, embedding.dtype, len(embedding)
    sparse, dense = sam.encode_prompts(prompts, embedding)
    own = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight, added.tokens.weight])
    tokens = torch.cat([own.expand(count, -1, -1), sparse.expand(count, -1, -1)], dim=1)
    grid = (embedding.shape[-2], embedding.shape[-1])
    place = sam.prompt_encoder.pe_layer.grid(*grid).to(kind)
    source = embedding + dense.to(kind)
    cells, where = (x.flatten(2).transpose(1, 2) for x in (source, place))
    told, cells = decoder.transformer(cells, where, tokens)
    first = 1 + decoder.mask_tokens.num_embeddings
    return Asked(
        added.wanted(told[:, first : first + added.tokens.num_embeddings]),
        decoder.output_hypernetworks_mlps[0](told[:, 1:2]),
        placed(decoder.output_upscaling.cells(cells), grid),
    )
