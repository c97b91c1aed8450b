from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import BSpline

from samplar.config.synthesis import LARGEST_BEND, STRENGTHS
from samplar.synthesis.draw import Affine, Elastic, Move, Warp
from samplar.synthesis.paste import landing
from samplar.synthesis.shape import PlaneMap, Window, displace, hull, plane_map, trace

WHOLE = Window(0, 0, 40, 40)


def grid(side):
    at = torch.arange(side, dtype=torch.float32)
    return torch.meshgrid(at, at, indexing="ij")


def coordinates(warp, *, side, window, start):
    planes = torch.empty(2, *(torch.broadcast_shapes(start[0].shape, start[1].shape)))
    trace(tuple(planes), warp, side=side, window=window, start=start)
    return planes


def displacement(elastic, side, *, window):
    planes = torch.zeros(2, window.bottom - window.top, window.right - window.left)
    displace(tuple(planes), elastic, side=side, window=window)
    return planes


def test_the_default_affine_is_exactly_the_identity():
    assert plane_map(Affine(centre=(31.7, 12.3))) == PlaneMap(1, 0, 0, 0, 1, 0)


@pytest.mark.parametrize(
    ("affine", "point", "expected"),
    [
        # rows point down: a quarter turn clockwise takes the point above to the right
        (Affine(rotation=90, centre=(10, 10)), (8, 10), (10, 12)),
        (Affine(log_scale=math.log(2), centre=(10, 10)), (8, 11), (6, 12)),
        (Affine(shift=(3, -4)), (1, 1), (4, -3)),
        (Affine(flip=True, centre=(10, 10)), (8, 13), (8, 7)),
        (Affine(shear=45, centre=(10, 10)), (12, 10), (12, 12)),
        # mirror first, then turn: (0, 3) -> (0, -3) -> three up
        (Affine(flip=True, rotation=90), (0, 3), (-3, 0)),
    ],
)
def test_each_part_of_an_affine(affine, point, expected):
    assert plane_map(affine).point(*point) == pytest.approx(expected)


def test_the_inverse_undoes_the_map():
    there = plane_map(Affine(rotation=33, log_scale=0.3, shear=9, shift=(4, 5), centre=(7, 8)))
    assert there.inverse().point(*there.point(2.5, -6)) == pytest.approx((2.5, -6))
    planes = torch.empty(2, 3, 2)
    there.onto(tuple(planes), torch.tensor([[0.0], [1.0], [2.5]]), torch.tensor([[4.0, -6.0]]))
    assert planes[:, 2, 1].tolist() == pytest.approx(there.point(2.5, -6))


def test_the_displacement_is_the_cubic_b_spline_of_its_control_points():
    side, cells = 33, 4
    whole, elastic = Window(0, 0, side, side), Elastic(amplitude=5, cells=cells, seed=9)
    field = displacement(elastic, side, window=whole)
    control = torch.rand(2, 7, 7, generator=torch.Generator().manual_seed(9)) * 10 - 5
    knots = np.arange(-3, cells + 4, dtype=float)
    at = np.linspace(0, cells, side)
    basis = BSpline.design_matrix(at, knots, 3).toarray()
    expected = np.einsum("ri,aij,cj->arc", basis, control.double().numpy(), basis)
    assert np.abs(field.numpy() - expected).max() < 1e-5
    assert field.abs().max() <= 5


def test_a_window_of_a_displacement_is_the_crop_of_the_whole():
    elastic = Elastic(amplitude=5, cells=4, seed=2)
    whole = displacement(elastic, 40, window=WHOLE)
    part = displacement(elastic, 40, window=Window(3, 10, 9, 35))
    assert torch.allclose(part, whole[:, 3:9, 10:35], atol=1e-6)


@pytest.mark.parametrize("cells", [1, 3, 5, 8, 16])
def test_the_strongest_allowed_field_never_folds(cells):
    side = 128
    amplitude = LARGEST_BEND / cells * max(STRENGTHS.values()) * side
    whole = Window(0, 0, side, side)
    for seed in range(5):
        warp = Warp(elastic=Elastic(amplitude=amplitude, cells=cells, seed=seed))
        rows, columns = coordinates(warp, side=side, window=whole, start=grid(side))
        down, right = rows.diff(dim=0)[:, :-1], columns.diff(dim=1)[:-1]
        across = rows.diff(dim=1)[:-1] * columns.diff(dim=0)[:, :-1]
        assert (down * right - across).min() > 0


def test_coordinates_are_the_inverse_map_plus_the_displacement():
    elastic = Elastic(amplitude=5, cells=4, seed=2)
    affine = Affine(rotation=20, shift=(3, 1), centre=(20, 20))
    part = Window(5, 8, 30, 36)
    start = tuple(plane[part.crop] for plane in grid(40))
    warp = Warp(affine=affine, elastic=elastic)
    rows, columns = coordinates(warp, side=40, window=part, start=start)
    down, right = displacement(elastic, 40, window=part)
    back = plane_map(affine).inverse()
    for at in ((0, 0), (7, 20), (24, 27)):
        row, column = back.point(5 + at[0], 8 + at[1])
        assert float(rows[at]) == pytest.approx(row + float(down[at]), abs=1e-4)
        assert float(columns[at]) == pytest.approx(column + float(right[at]), abs=1e-4)


def test_windows():
    window = Window(2, 3, 6, 9)
    assert (window.longer_side, window.empty) == (6, False)
    assert Window(4, 4, 4, 8).empty
    assert Window(4, 5, 8, 5).empty
    assert window.grown(4, side=10) == Window(0, 0, 10, 10)
    assert window.grown(1.2, side=50) == Window(0, 1, 8, 11)
    assert hull([window, Window(0, 8, 3, 12)]) == Window(0, 3, 6, 12)
    moved = window.moved(plane_map(Affine(shift=(1.5, -3))), margin=0)
    assert moved == Window(3, 0, 8, 6)
    assert window.moved(plane_map(Affine()), margin=2) == Window(0, 1, 8, 11)


def outside_landing(organ, cut, scene, *, side):
    """Mark the pixels that read the organ although they lie outside its landing window."""
    whole = Window(0, 0, side, side)
    start = coordinates(scene, side=side, window=whole, start=grid(side))
    rows, columns = coordinates(cut, side=side, window=whole, start=start)
    # a pixel can show an organ if it reads within one pixel of its box
    reads = (rows > organ.top - 1) & (rows < organ.bottom)
    reads &= (columns > organ.left - 1) & (columns < organ.right)
    window = landing(organ, Move(classes=(1,), warp=cut), scene, blur=0, side=side)
    reads[window.crop] = False
    return reads


@pytest.mark.parametrize("seed", range(8))
def test_the_landing_window_allows_for_both_elastic_fields(seed):
    bent = Warp(elastic=Elastic(amplitude=15, cells=2, seed=seed))
    for cut, scene in ((bent, Warp()), (Warp(), bent), (bent, bent)):
        assert not outside_landing(Window(30, 40, 50, 52), cut, scene, side=96).any()


angles, shifts = st.floats(-90, 90), st.floats(-25, 25)
affines = st.builds(
    Affine,
    rotation=angles,
    log_scale=st.floats(-0.5, 0.5),
    shear=st.floats(-20, 20),
    flip=st.booleans(),
    shift=st.tuples(shifts, shifts),
    centre=st.tuples(st.floats(0, 40), st.floats(0, 40)),
)
elastics = st.none() | st.builds(
    Elastic, amplitude=st.floats(0, 4), cells=st.integers(1, 6), seed=st.integers(0, 99)
)
warps = st.builds(Warp, affine=affines, elastic=elastics)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(cut=warps, scene=warps, top=st.integers(0, 35), left=st.integers(0, 35))
def test_the_landing_window_holds_every_pixel_of_the_cut_out(cut, scene, top, left):
    organ = Window(top, left, top + 5, left + 4)
    assert not outside_landing(organ, cut, scene, side=40).any()
