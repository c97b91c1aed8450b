from __future__ import annotations

import pytest
import torch

from samplar.errors import UsageError
from samplar.methods.contract import Batch
from samplar.methods.target import (
    class_features,
    legacy_cells,
    mean_of_exemplars,
    target_cells,
)


def block(rows, columns, side=8):
    mask = torch.zeros(1, side, side, dtype=torch.bool)
    mask[:, rows, columns] = True
    return mask


def test_a_cell_counts_from_half_covered_on():
    # Cells of 4 x 4 pixels: 16, 8, 4 and 0 of 16 pixels covered.
    mask = block(slice(0, 4), slice(0, 6)) | block(slice(4, 6), slice(0, 2))
    cells = target_cells(mask, (2, 2), coverage=0.5)
    assert cells.int().tolist() == [[[1, 1], [0, 0]]]
    assert target_cells(mask, (2, 2), coverage=0.25).int().tolist() == [[[1, 1], [1, 0]]]
    assert target_cells(mask, (2, 2), coverage=0.51).int().tolist() == [[[1, 0], [0, 0]]]


def test_a_small_structure_has_its_most_covered_cell():
    mask = block(slice(3, 5), slice(1, 2)) | block(slice(4, 5), slice(2, 3))
    assert target_cells(mask, (2, 2), coverage=0.5).int().tolist() == [[[0, 0], [1, 0]]]
    assert not target_cells(torch.zeros(1, 8, 8, dtype=torch.bool), (2, 2), coverage=0.5).any()


@pytest.mark.parametrize(("value", "needed"), [(255.0, 2), (128.0, 4)])
@pytest.mark.parametrize("count", range(5))
def test_the_legacy_rule_at_the_values_of_a_mask(value, needed, count):
    """A cell of 4 x 4 pixels reads its middle 2 x 2.

    128 gives +0.074 inside and -2.118 outside: all four must be covered. 255 gives +2.249: two.
    """
    mask = block(slice(0, 4), slice(4, 8))  # a cell that counts, so that nothing falls back
    for row, column in [(1, 1), (1, 2), (2, 1), (2, 2)][:count]:
        mask[0, row, column] = True
    cells = legacy_cells(mask, torch.ones_like(mask), (2, 2), value=value)
    assert cells.int().tolist() == [[[int(count >= needed), 1], [0, 0]]]


def test_the_legacy_rule_with_a_value_that_never_counts_falls_back():
    mask = block(slice(0, 4), slice(0, 4)) | block(slice(4, 6), slice(0, 2))
    everywhere = torch.ones_like(mask)
    cells = legacy_cells(mask, everywhere, (2, 2), value=1.0)
    assert cells.int().tolist() == [[[1, 0], [0, 0]]]
    none = legacy_cells(torch.zeros_like(mask), everywhere, (2, 2))
    assert not none.any()


def test_padding_is_zero_and_lifts_the_legacy_average():
    """Beyond the image the normalised mask is 0, not -2.118: a half covered cell counts there."""
    mask = block(slice(0, 4), slice(0, 4)) | block(slice(0, 4), slice(5, 6))
    whole = torch.ones_like(mask)
    part = whole.clone()
    part[:, :, 6:] = False
    assert legacy_cells(mask, whole, (2, 2)).int().tolist() == [[[1, 0], [0, 0]]]
    assert legacy_cells(mask, part, (2, 2)).int().tolist() == [[[1, 1], [0, 0]]]


def batch(labels, embedding, classes=2):
    images = torch.rand(len(embedding), 3, 8, 8, generator=torch.Generator().manual_seed(0))
    return Batch(images, embedding, labels, classes)


def test_features_of_every_class_in_the_exemplars_that_show_it():
    labels = torch.zeros(2, 8, 8, dtype=torch.uint8)
    labels[0, :4] = 1  # two cells of the first exemplar
    labels[1, :4, :4] = 1  # one of the second
    embedding = torch.arange(2 * 3 * 4).float().view(2, 3, 2, 2)
    first, second = class_features(batch(labels, embedding), coverage=0.5, legacy=False)
    assert [f.tolist() for f in first] == [
        [[0.0, 4.0, 8.0], [1.0, 5.0, 9.0]],
        [[12.0, 16.0, 20.0]],
    ]
    assert second == []
    # Each exemplar counts the same: half of (0.5, 4.5, 8.5) and (12, 16, 20).
    assert mean_of_exemplars(first).tolist() == [6.25, 10.25, 14.25]


def test_legacy_features_of_a_full_block_are_the_same():
    labels = torch.zeros(1, 8, 8, dtype=torch.uint8)
    labels[0, :4, 4:] = 2
    embedding = torch.rand(1, 3, 2, 2, generator=torch.Generator().manual_seed(1))
    for legacy in (False, True):
        _, second = class_features(batch(labels, embedding), coverage=0.5, legacy=legacy)
        assert torch.equal(second[0], embedding[0, :, 0, 1][None])


def test_needs_labels():
    with pytest.raises(UsageError) as caught:
        class_features(batch(None, torch.zeros(1, 3, 2, 2)), coverage=0.5, legacy=False)
    assert caught.value.code == "methods.labels"
