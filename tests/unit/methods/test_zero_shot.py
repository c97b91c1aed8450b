from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_cdt

from samplar.methods.zero_shot import ABSENT, prompt_of
from samplar.sam.prompt import Prompts


def mask(*rows):
    return torch.tensor([[c == "#" for c in row] for row in rows])


def test_the_box_is_tight_and_in_x_y_order():
    prompt = prompt_of(mask("......", "..##..", "...#..", "......"), "box")
    assert prompt.boxes.tolist() == [[2, 1, 3, 2]]
    assert prompt.points is None


def test_the_box_of_a_single_pixel():
    assert prompt_of(mask("...", "..#"), "box").boxes.tolist() == [[2, 1, 2, 1]]


def test_the_point_is_the_deepest_pixel():
    shape = mask(
        "#.......",
        "....###.",
        "#.#####.",
        "....###.",
        "....###.",
        "........",
    )
    prompt = prompt_of(shape, "point")
    assert prompt.points.tolist() == [[[5, 2]]]
    assert prompt.labels.tolist() == [[1]]


def test_the_border_of_the_image_counts_as_outside():
    assert prompt_of(torch.ones(5, 7, dtype=torch.bool), "point").points[0, 0].tolist() == [2, 2]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_no_pixel_is_deeper_by_an_independent_distance(seed):
    shape = np.random.default_rng(seed).random((12, 9)) < 0.7
    x, y = (int(v) for v in prompt_of(torch.from_numpy(shape), "point").points[0, 0])
    depth = distance_transform_cdt(np.pad(shape, 1), "chessboard")[1:-1, 1:-1]
    assert depth[y, x] == depth.max()


@pytest.mark.parametrize("kind", ["box", "point"])
@torch.no_grad()
def test_each_class_that_is_there_gets_sams_own_mask(adapted, phantoms, tiny_sam, kind):
    samples, model = phantoms(), adapted("zero-shot", prompt=kind, classes=3)
    samples.labels[1][samples.labels[1] == 1] = 255
    logits = model(model.prefix(samples.images), samples.images, samples.labels)
    embedding = tiny_sam.encode(samples.images)
    assert logits.shape == (2, 4, 32, 32)
    assert not logits[:, 0].any()
    assert (logits[:, 3] == ABSENT).all()
    assert (logits[1, 1] == ABSENT).all()
    for image, index in ((0, 1), (0, 2), (1, 2)):
        prompts = prompt_of(samples.labels[image] == index, kind)
        masks, _ = tiny_sam.decode(embedding[image : image + 1], prompts)
        torch.testing.assert_close(logits[image, index], masks[0, 0])
    assert logits[0, 1].std() > 0


def test_the_prompt_makes_a_difference(tiny_sam, phantoms):
    embedding = tiny_sam.encode(phantoms(1).images)
    first = tiny_sam.decode(embedding, Prompts(boxes=torch.tensor([[1.0, 1.0, 9.0, 9.0]])))[0]
    other = tiny_sam.decode(embedding, Prompts(boxes=torch.tensor([[9.0, 9.0, 30.0, 30.0]])))[0]
    assert (first - other).abs().max() > 1e-3
