"""SAM-UNet's decoder: one token for the structure asked about, and skips from the encoder.

Source: Yang et al. 2024, arXiv 2408.09886, and a description of its code, which has no licence:
nothing of it was used. After HQ-SAM (Ke et al. 2023, arXiv 2306.01567).
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from samplar.sam.decoder import MaskDecoder
from samplar.sam.layers import LayerNorm2d, Mlp
from samplar.sam.upscaling import placed


class SkipDecoder(nn.Module):
    """The new parts; SAM's transformer and upscaling are used as they are.

    Args:
        width: channels of the embedding.
        tokens: numbers per token of the encoder.
        skips: how many depths of the encoder are brought in.
    """

    def __init__(self, width: int, tokens: int, *, skips: int) -> None:
        super().__init__()
        fine = width // 8
        self.skips = skips
        self.token = nn.Embedding(1, width)
        self.network = Mlp(width, width, fine, depth=3)
        self.of_embedding = _four_times(width, width // 4, fine)
        self.bridges = nn.ModuleList(_four_times(tokens, width, fine) for _ in range(skips))
        self.features = nn.Sequential(
            nn.Conv2d(fine, 2 * fine, 3, padding=1),
            LayerNorm2d(2 * fine),
            nn.GELU(),
            nn.Conv2d(2 * fine, fine, 3, padding=1),
        )

    def detail(
        self, embedding: Float[Tensor, "b d i j"], seen: list[Float[Tensor, "b c i j"]]
    ) -> Float[Tensor, "b f r s"]:
        """Return what is added to the features of every pixel, four times finer."""
        bridged = [bridge(x) for bridge, x in zip(self.bridges, seen, strict=True)]
        return torch.stack([self.of_embedding(embedding), *bridged]).sum(dim=0)

    def forward(
        self,
        decoder: MaskDecoder,
        source: Float[Tensor, "p d i j"],
        place: Float[Tensor, "1 d i j"],
        sparse: Float[Tensor, "p n d"],
        *,
        detail: Float[Tensor, "p f r s"],
    ) -> Float[Tensor, "p r s"]:
        """Return a mask for each row of prompts, four times finer than the embedding.

        Args:
            decoder: SAM's.
            source: the embedding of each row's image, and the dense map of its prompt.
            place: the embedding of positions.
            sparse: tokens of its prompt.
            detail: of its image.
        """
        tokens = torch.cat([self.token.weight.expand(len(sparse), 1, -1), sparse], dim=1)
        tokens, cells = decoder.attend(source, place, tokens)
        coarse = placed(decoder.output_upscaling.cells(cells), (source.shape[-2], source.shape[-1]))
        fine = self.features(coarse) + detail
        wanted = self.network(tokens[:, 0])
        return torch.einsum("pf,pfrs->prs", wanted.to(fine.dtype), fine)


def _four_times(inputs: int, inner: int, outputs: int) -> nn.Sequential:
    """Return two transposed convolutions, each of which doubles the grid."""
    return nn.Sequential(
        nn.ConvTranspose2d(inputs, inner, 2, stride=2),
        LayerNorm2d(inner),
        nn.GELU(),
        nn.ConvTranspose2d(inner, outputs, 2, stride=2),
    )
