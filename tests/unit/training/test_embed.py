from __future__ import annotations

import numpy as np
import pytest
import torch

from samplar.exemplars.collect import list_candidates
from samplar.io.dataset import read_dataset
from samplar.io.formats import read_image
from samplar.io.intensity import IntensityRule
from samplar.io.view import View, three_channels
from samplar.sam.frame import letterbox
from samplar.training.embed import CELLS, SIZE, embedder

VIEW = View("axial", IntensityRule(kind="window", low=0, high=200), None)


@pytest.fixture
def embed(tiny_sam, volumes):
    told = []
    dataset = read_dataset(volumes)
    function = embedder(
        tiny_sam,
        dataset,
        on_stage=lambda name, count: told.append(count),
        on_case=lambda done, loss: told.append(done),
    )
    return dataset, function, told


def test_one_unit_row_per_candidate(embed):
    dataset, function, told = embed
    candidates = list_candidates(dataset, plane="axial")
    rows = function(candidates, VIEW)
    assert rows.shape == (15, 32 * CELLS**2)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-5)
    assert told == [3, 1, 2, 3]


def test_rows_go_with_their_candidates_in_any_order(embed):
    dataset, function, _ = embed
    candidates = list_candidates(dataset, plane="axial")
    rows = function(candidates, VIEW)
    turned = [11, 0, 14, 6, 3]
    some = function([candidates[n] for n in turned], VIEW)
    np.testing.assert_allclose(some, rows[turned], rtol=1e-4, atol=1e-5)
    assert len(np.unique(rows.round(5), axis=0)) == 15


def test_a_row_is_the_pooled_embedding_of_its_slice(embed, tiny_sam):
    dataset, function, _ = embed
    candidate = list_candidates(dataset, plane="axial")[7]
    case = next(c for c in dataset.cases if c.id == candidate.case)
    piece = VIEW.slices(read_image(case.images))[candidate.slice]
    image = letterbox(torch.from_numpy(three_channels(piece[None])), SIZE)
    with torch.no_grad():
        embedding = tiny_sam.encode(image)[0]
    cells = embedding.view(32, CELLS, 7, CELLS, 7).mean((2, 4)).flatten()
    expected = (cells / cells.norm()).numpy()
    np.testing.assert_allclose(function([candidate], VIEW)[0], expected, rtol=1e-4, atol=1e-5)
