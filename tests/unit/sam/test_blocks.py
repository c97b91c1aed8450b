from __future__ import annotations

import pytest
import torch
from torch import nn

from samplar.errors import UsageError
from samplar.sam.blocks import (
    add_after_attention,
    add_beside_mlp,
    encoder_blocks,
    plain_vit_blocks,
)
from samplar.sam.unfilled import built_on
from samplar.sam.weights import load_sam


class Seen(nn.Module):
    """Keep what comes in and return it, or nothing of it."""

    def __init__(self, scale):
        super().__init__()
        self.scale = scale

    def forward(self, x):
        self.x = x
        return self.scale * x


@pytest.mark.parametrize(
    ("base", "names", "widths"),
    [
        ("tiny", [f"layers.{level}.blocks.0" for level in (1, 2, 3)], [16, 24, 32]),
        ("tiny-vit-sam", [f"blocks.{number}" for number in range(4)], [32] * 4),
    ],
)
def test_every_attention_block_is_a_place_of_its_own_width(base, names, widths):
    sites = encoder_blocks(load_sam(base))
    assert [site.name for site in sites] == [f"image_encoder.{name}" for name in names]
    assert [site.width for site in sites] == widths


@pytest.mark.parametrize("base", ["tiny", "tiny-vit-sam"])
@torch.no_grad()
def test_what_is_added_sees_the_whole_grid_and_its_output_counts(base):
    sam, plain = load_sam(base), load_sam(base)
    site = encoder_blocks(sam)[1]
    block = sam.get_submodule(site.name)
    after, beside = Seen(1.0), Seen(0.0)
    add_after_attention(sam, site, after)
    add_beside_mlp(sam, site, beside)
    x = torch.randn(1, site.width, 6, 6, generator=torch.Generator().manual_seed(0))
    expected = plain.get_submodule(site.name)(x)
    torch.testing.assert_close(block(x), expected, rtol=0, atol=1e-6)
    assert after.x.shape == beside.x.shape == (1, 6, 6, site.width)
    tokens = beside.x  # what the feed-forward layer works on is normed
    norm = block.norm2 if base == "tiny-vit-sam" else block.mlp.base.norm
    bare = (tokens - norm.bias) / norm.weight
    torch.testing.assert_close(bare.mean(-1), torch.zeros(1, 6, 6), rtol=0, atol=1e-5)
    torch.testing.assert_close(bare.var(-1, correction=0), torch.ones(1, 6, 6), rtol=0, atol=1e-2)
    after.scale, beside.scale = 1.0, 2.0
    torch.testing.assert_close(
        block(x).permute(0, 2, 3, 1), expected.permute(0, 2, 3, 1) + 2 * tokens, rtol=0, atol=1e-5
    )
    after.scale = 0.5
    assert (block(x) - expected).abs().max() > 1e-3


def test_a_tiny_vit_is_no_plain_vit():
    assert len(plain_vit_blocks(load_sam("tiny-vit-sam"), "this")) == 4
    with pytest.raises(UsageError, match="this needs SAM's own image encoder") as caught:
        plain_vit_blocks(load_sam("tiny"), "this")
    assert caught.value.code == "methods.plain_vit"


def test_a_module_is_built_with_one_seed_the_same_or_without_numbers():
    made = []
    for _ in range(2):
        torch.manual_seed(0)
        made.append(built_on(torch.device("cpu"), lambda: nn.Linear(2, 3)).weight)
    assert torch.equal(*made)
    before = torch.get_rng_state()
    assert built_on(torch.device("meta"), lambda: nn.Linear(2, 3)).weight.is_meta
    assert torch.equal(torch.get_rng_state(), before)
