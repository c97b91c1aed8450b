from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import map_coordinates

from samplar.synthesis.resample import (
    OUTSIDE,
    make_layer,
    mirrored,
    read_codes,
    read_image,
    spots,
)


def layer_of(labels, valid=None):
    labels = torch.as_tensor(np.asarray(labels, np.uint8))
    valid = torch.ones_like(labels, dtype=torch.bool) if valid is None else valid
    return make_layer(labels[None].float() / 255, labels, valid)


def at(row, column, side):
    return spots(torch.tensor([[row]]), torch.tensor([[column]]), side=side)


def test_bilinear_reading_is_scipys_with_zeros_around():
    random = np.random.default_rng(0)
    image = random.random((2, 9, 9)).astype(np.float32)
    layer = make_layer(torch.from_numpy(image), torch.zeros(9, 9, dtype=torch.uint8),
                       torch.ones(9, 9, dtype=torch.bool))  # fmt: skip
    where = random.uniform(-4, 13, (2, 20, 15)).astype(np.float32)
    read = read_image(layer, spots(*map(torch.from_numpy, where), side=9))
    for channel in (0, 1):
        expected = map_coordinates(image[channel], where, order=1, mode="grid-constant")
        assert np.abs(read[channel].numpy() - expected).max() < 1e-6


def test_the_heaviest_label_wins_not_the_average():
    layer = layer_of([[0, 2], [0, 2]])
    assert read_codes(layer, at(0.5, 0.49, 2)) == 0
    assert read_codes(layer, at(0.5, 0.51, 2)) == 2
    # nearest is class 1 with 0.36, but the three neighbours of class 7 hold 0.64 together
    layer = layer_of([[1, 7], [7, 7]])
    assert read_codes(layer, at(0.4, 0.4, 2)) == 7
    assert read_codes(layer, at(0.2, 0.2, 2)) == 1
    assert read_codes(layer_of([[1, 2], [3, 9]]), at(0.4, 0.4, 2)) == 1


def test_reading_far_away_gives_black_and_outside():
    layer = layer_of(np.full((4, 4), 3))
    for row, column in ((-100.0, 2.0), (2.0, 1e6), (-1.0, 2.0), (4.0, 4.0), (-0.6, 1.0)):
        assert read_codes(layer, at(row, column, 4)) == OUTSIDE
    assert read_image(layer, at(-100.0, 2.0, 4)) == 0
    assert read_codes(layer, at(-0.4, 2.0, 4)) == 3


def test_labels_under_invalid_pixels_are_kept_but_marked():
    valid = torch.tensor([[True, False], [True, False]])
    layer = layer_of([[1, 2], [255, 255]], valid)
    rows, columns = torch.meshgrid(torch.arange(2.0), torch.arange(2.0), indexing="ij")
    codes = read_codes(layer, spots(rows, columns, side=2))
    assert codes.tolist() == [[1, 2 + OUTSIDE], [255, 255 + OUTSIDE]]


def test_mirrored_coordinates():
    given = torch.tensor([0.0, 4.0, 2.5, -1.0, 5.0, 8.0, 9.0, -7.5])
    assert mirrored(given, side=5).tolist() == [0, 4, 2.5, 1, 3, 0, 1, 0.5]
