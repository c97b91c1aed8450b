"""SAM's mask decoder: a two-way transformer between tokens and image (names as published).

Source: Kirillov et al. 2023, "Segment Anything", appendix A, and the public code.
The number of mask tokens is a parameter: 4 in SAM, classes + 1 in the multi-class methods.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from samplar.sam.few_tokens import Affine, affine_of, compare, pays, read, tell
from samplar.sam.guidance import Guidance
from samplar.sam.layers import Mlp
from samplar.sam.upscaling import Upscaling, placed


class Attention(nn.Module):
    """Multi-head attention with separate projections and a narrower inner width.

    One side is always a handful of tokens, so the weights are small and are written out: with
    the fused kernel a training step on a CPU took half as long again. `plain` is the published
    form; where it pays, the many cells of the image are left unprojected (few_tokens.py).
    """

    def __init__(self, width: int, heads: int, *, inner: int) -> None:
        super().__init__()
        self.heads = heads
        self.inner = inner
        self.q_proj = nn.Linear(width, inner)
        self.k_proj = nn.Linear(width, inner)
        self.v_proj = nn.Linear(width, inner)
        self.out_proj = nn.Linear(inner, width)

    def forward(
        self,
        q: Float[Tensor, "b n d"],
        k: Float[Tensor, "b m d"],
        v: Float[Tensor, "b m d"],
        guidance: Guidance | None = None,
    ) -> Float[Tensor, "b n d"]:
        """Let `q` attend to `k` and read `v`."""
        if self._pays(few=q, many=k):
            key, value = affine_of(self.k_proj), affine_of(self.v_proj)
            if key is not None and value is not None:
                return self._tokens_read(q, (k, key), (v, value), guidance)
        if self._pays(few=k, many=q) and guidance is None:
            asking, telling = affine_of(self.q_proj), affine_of(self.out_proj)
            if asking is not None and telling is not None:
                return self._cells_read((q, asking), k, v, telling)
        return self.plain(q, k, v, guidance)

    def plain(
        self,
        q: Float[Tensor, "b n d"],
        k: Float[Tensor, "b m d"],
        v: Float[Tensor, "b m d"],
        guidance: Guidance | None = None,
    ) -> Float[Tensor, "b n d"]:
        """Project all three, compare, read."""
        query, key = self._split(self.q_proj(q)), self._split(self.k_proj(k))
        weights = (query * query.shape[-1] ** -0.5) @ key.transpose(-2, -1)
        shares = weights.softmax(dim=-1) if guidance is None else guidance.shares(weights)
        return self._joined(shares @ self._split(self.v_proj(v)))

    def _pays(self, *, few: Tensor, many: Tensor) -> bool:
        return pays(few.shape[1], many.shape[1], heads=self.heads, inner=self.inner)

    def _tokens_read(
        self,
        q: Tensor,
        k: tuple[Tensor, Affine],
        v: tuple[Tensor, Affine],
        guidance: Guidance | None,
    ) -> Tensor:
        query = self._split(self.q_proj(q))
        weights = compare(query * query.shape[-1] ** -0.5, *k)
        shares = weights.softmax(dim=-1) if guidance is None else guidance.shares(weights)
        return self._joined(read(shares, *v))

    def _cells_read(
        self, q: tuple[Tensor, Affine], k: Tensor, v: Tensor, telling: Affine
    ) -> Tensor:
        key = self._split(self.k_proj(k))
        shares = compare(key * key.shape[-1] ** -0.5, *q).softmax(dim=-2)
        return tell(shares, self._split(self.v_proj(v)), telling)

    def _split(self, x: Float[Tensor, "b n d"]) -> Float[Tensor, "b h n e"]:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def _joined(self, x: Float[Tensor, "b h n e"]) -> Float[Tensor, "b n d"]:
        return self.out_proj(x.transpose(1, 2).flatten(2))


class Feedforward(nn.Module):
    """Two linear layers with ReLU."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.lin1 = nn.Linear(width, hidden)
        self.lin2 = nn.Linear(hidden, width)

    def forward(self, x: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        """Apply to each token."""
        return self.lin2(F.relu(self.lin1(x)))


class TwoWayBlock(nn.Module):
    """Tokens attend to themselves and to the image, then the image attends to the tokens."""

    def __init__(self, width: int, heads: int, hidden: int, *, first: bool) -> None:
        super().__init__()
        self.first = first
        self.self_attn = Attention(width, heads, inner=width)
        self.norm1 = nn.LayerNorm(width)
        self.cross_attn_token_to_image = Attention(width, heads, inner=width // 2)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = Feedforward(width, hidden)
        self.norm3 = nn.LayerNorm(width)
        self.norm4 = nn.LayerNorm(width)
        self.cross_attn_image_to_token = Attention(width, heads, inner=width // 2)

    def forward(
        self,
        tokens: Float[Tensor, "b n d"],
        image: Float[Tensor, "b m d"],
        token_pe: Float[Tensor, "b n d"],
        image_pe: Float[Tensor, "#b m d"],
        guidance: Guidance | None = None,
    ) -> tuple[Float[Tensor, "b n d"], Float[Tensor, "b m d"]]:
        """Return updated tokens and image; guidance tells the tokens where to read."""
        if self.first:  # the first block replaces the tokens and adds no position
            tokens = self.self_attn(tokens, tokens, tokens)
        else:
            placed = tokens + token_pe
            tokens = tokens + self.self_attn(placed, placed, tokens)
        tokens = self.norm1(tokens)
        keys = image + image_pe
        read = self.cross_attn_token_to_image(tokens + token_pe, keys, image, guidance)
        tokens = self.norm2(tokens + read)
        tokens = self.norm3(tokens + self.mlp(tokens))
        image = self.norm4(image + self.cross_attn_image_to_token(keys, tokens + token_pe, tokens))
        return tokens, image


class TwoWayTransformer(nn.Module):
    """Two blocks and a last reading of the image by the tokens."""

    def __init__(self, width: int, *, depth: int = 2, heads: int = 8, hidden: int = 2048) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            TwoWayBlock(width, heads, hidden, first=number == 0) for number in range(depth)
        )
        self.final_attn_token_to_image = Attention(width, heads, inner=width // 2)
        self.norm_final_attn = nn.LayerNorm(width)

    def forward(
        self,
        image: Float[Tensor, "b m d"],
        image_pe: Float[Tensor, "#b m d"],
        tokens: Float[Tensor, "b n d"],
        guidance: Guidance | None = None,
    ) -> tuple[Float[Tensor, "b n d"], Float[Tensor, "b m d"]]:
        """Return tokens and image after all blocks."""
        token_pe = tokens if guidance is None else guidance.place(tokens)
        for layer in self.layers:
            tokens = tokens if guidance is None else guidance.told(tokens)
            tokens, image = layer(tokens, image, token_pe, image_pe, guidance)
        asking = tokens if guidance is None else guidance.told(tokens)
        read = self.final_attn_token_to_image(asking + token_pe, image + image_pe, image)
        return self.norm_final_attn(tokens + read), image


class MaskDecoder(nn.Module):
    """Predict one low-resolution mask per mask token, and how good each is."""

    def __init__(self, width: int = 256, *, mask_tokens: int = 4, hidden: int = 2048) -> None:
        super().__init__()
        self.width = width
        self.transformer = TwoWayTransformer(width, hidden=hidden)
        self.iou_token = nn.Embedding(1, width)
        self.output_upscaling = Upscaling(width)
        self.set_mask_tokens(mask_tokens)

    def set_mask_tokens(self, count: int) -> None:
        """Put `count` new mask tokens, their hypernetworks and a quality head for them in place."""
        width = self.width
        device = self.iou_token.weight.device
        self.mask_tokens = nn.Embedding(count, width).to(device)
        self.output_hypernetworks_mlps = nn.ModuleList(
            Mlp(width, width, width // 8, depth=3) for _ in range(count)
        ).to(device)
        self.iou_prediction_head = Mlp(width, width, count, depth=3).to(device)

    def forward(
        self,
        embedding: Float[Tensor, "b d h w"],
        image_pe: Float[Tensor, "1 d h w"],
        sparse: Float[Tensor, "p n d"],
        dense: Float[Tensor, "p d h w"],
        guidance: Guidance | None = None,
    ) -> tuple[Float[Tensor, "o t i j"], Float[Tensor, "o t"]]:
        """Decode `b` images with `p` prompts; one of the two must be 1, or both equal.

        Guidance has as many rows as the output.

        Returns:
            Logits of every mask token on a grid four times finer, and the predicted IoU of each.
        """
        count = max(len(embedding), len(sparse))
        tokens = torch.cat([self.iou_token.weight, self.mask_tokens.weight])
        tokens = tokens.expand(count, -1, -1)
        tokens = torch.cat([tokens, sparse.expand(count, -1, -1)], dim=1)
        kind = embedding.dtype  # one wide addend would double every pass over the image's tokens
        source = (embedding + dense.to(kind)).expand(count, -1, -1, -1)
        tokens, image = self.attend(source, image_pe, tokens, guidance)
        masks = self._masks(tokens, self.output_upscaling.cells(image))
        grid = (embedding.shape[-2], embedding.shape[-1])
        return placed(masks, grid), self.iou_prediction_head(tokens[:, 0])

    def attend(
        self,
        source: Float[Tensor, "o d h w"],
        image_pe: Float[Tensor, "1 d h w"],
        tokens: Float[Tensor, "o n d"],
        guidance: Guidance | None = None,
    ) -> tuple[Float[Tensor, "o n d"], Float[Tensor, "o m d"]]:
        """Let any tokens and the cells of images look at each other; return both."""
        place = image_pe.to(source.dtype)
        flat, place = (x.flatten(2).transpose(1, 2) for x in (source, place))
        return self.transformer(flat, place, tokens, guidance)

    def _masks(
        self, tokens: Float[Tensor, "o n d"], cells: Float[Tensor, "o m p c"]
    ) -> Float[Tensor, "o m p t"]:
        """Compare every pixel with what each mask token asks for."""
        weights = torch.stack(
            [mlp(tokens[:, 1 + i]) for i, mlp in enumerate(self.output_hypernetworks_mlps)], dim=2
        )
        return (cells.flatten(1, 2) @ weights).unflatten(1, cells.shape[1:3])
