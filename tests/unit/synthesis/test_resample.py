from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import map_coordinates

from samplar.synthesis.resample import (
    MANY,
    MIXED,
    OUTSIDE,
    Spots,
    duel,
    make_layers,
    mirrored,
    positions,
    read_points,
    vote,
)


def layers_of(labels, valid=None):
    labels = torch.as_tensor(np.asarray(labels, np.uint8))[None]
    valid = torch.ones_like(labels, dtype=torch.bool) if valid is None else valid[None]
    return make_layers(labels[:, None].float() / 255, labels, valid)


def read(layers, rows, columns, layer=0):
    rows, columns = torch.as_tensor(rows).flatten(), torch.as_tensor(columns).flatten()
    parts = [(slice(0, len(rows)), layer)]
    return read_points(layers, rows.clone(), columns.clone(), parts)


def code(layers, row, column):
    return int(read(layers, [float(row)], [float(column)])[1])


def test_bilinear_reading_is_scipys_with_zeros_around():
    random = np.random.default_rng(0)
    images = random.random((3, 2, 9, 9)).astype(np.float32)
    layers = make_layers(torch.from_numpy(images), torch.zeros(3, 9, 9, dtype=torch.uint8),
                         torch.ones(3, 9, 9, dtype=torch.bool))  # fmt: skip
    where = random.uniform(-4, 13, (2, 300)).astype(np.float32)
    parts = [(slice(0, 100), 2), (slice(100, 180), 0), (slice(180, 300), 1)]
    image, _ = read_points(layers, *map(torch.from_numpy, where.copy()), parts)
    for span, layer in parts:
        for channel in (0, 1):
            expected = map_coordinates(
                images[layer, channel], where[:, span], order=1, mode="grid-constant"
            )
            assert np.abs(image[channel, span].numpy() - expected).max() < 1e-6


def test_the_heaviest_label_wins_not_the_average():
    layers = layers_of([[0, 2], [0, 2]])
    assert code(layers, 0.5, 0.49) == 0
    assert code(layers, 0.5, 0.5) == 0  # of two that weigh the same, the upper left one
    assert code(layers, 0.5, 0.51) == 2
    # nearest is class 1 with 0.36, but the three neighbours of class 7 hold 0.64 together
    layers = layers_of([[1, 7], [7, 7]])
    assert code(layers, 0.4, 0.4) == 7
    assert code(layers, 0.2, 0.2) == 1
    assert code(layers_of([[1, 2], [3, 9]]), 0.4, 0.4) == 1


def test_reading_far_away_gives_black_and_outside():
    layers = layers_of(np.full((4, 4), 3))
    for row, column in ((-100.0, 2.0), (2.0, 1e6), (-1.0, 2.0), (4.0, 4.0), (-0.6, 1.0)):
        assert code(layers, row, column) == OUTSIDE
    assert read(layers, [-100.0], [2.0])[0] == 0
    assert code(layers, -0.4, 2.0) == 3


def test_labels_under_invalid_pixels_are_kept_but_marked():
    valid = torch.tensor([[True, False], [True, False]])
    layers = layers_of([[1, 2], [255, 255]], valid)
    rows, columns = torch.meshgrid(torch.arange(2.0), torch.arange(2.0), indexing="ij")
    _, codes = read(layers, rows, columns)
    assert codes.tolist() == [1, 2 + OUTSIDE, 255, 255 + OUTSIDE]


def test_cells_say_how_many_codes_their_four_neighbours_have():
    cells = layers_of([[1, 1, 4], [1, 1, 4], [5, 5, 1]]).cells.view(6, 6)[1:4, 1:4]
    assert cells[:2, :2].tolist() == [[1, 1 + MIXED], [1 + MIXED, 1 + MIXED + MANY]]
    assert cells[2, 2] == 1 + MIXED  # 1 and, three times, outside


def test_reading_is_a_vote_at_every_pixel():
    random = np.random.default_rng(2)
    layers = layers_of(random.integers(0, 3, (12, 12)))
    where = torch.from_numpy(random.uniform(-2, 13, (2, 4000)).astype(np.float32))
    _, codes = read(layers, *where)
    top, left = where.floor().clamp(-1, 12)
    at = Spots(
        ((top + 1) * 15 + left + 1).int(), where[0].clamp(-1, 12) - top,
        where[1].clamp(-1, 12) - left, 15,
    )  # fmt: skip
    assert torch.equal(codes, vote(at.neighbours(layers.codes), at))


def test_two_codes_are_settled_as_by_the_vote():
    random = torch.Generator().manual_seed(0)
    four = list(torch.randint(0, 2, (4, 5000), generator=random).to(torch.int16) * 250 + 3)
    below, beside = torch.rand(2, 5000, generator=random)
    below[::7], beside[::5] = 0.5, 0.0  # ties are part of it
    at = Spots(torch.zeros(5000, dtype=torch.int32), below, beside, 1)
    assert torch.equal(duel(four, at), vote(four, at))


def test_positions_are_those_of_the_marked_codes():
    codes = torch.tensor([0, 511, MIXED, 3, MIXED + 7, MANY + MIXED], dtype=torch.int16)
    assert positions(codes, MIXED).tolist() == [2, 4, 5]
    assert positions(codes, MANY).tolist() == [5]


def test_mirrored_coordinates():
    given = torch.tensor([0.0, 4.0, 2.5, -1.0, 5.0, 8.0, 9.0, -7.5])
    assert mirrored(given, side=5).tolist() == [0, 4, 2.5, 1, 3, 0, 1, 0.5]
