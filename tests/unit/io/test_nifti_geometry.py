from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from samplar.errors import InputError
from samplar.io.nifti_geometry import geometry

HERE = Path("scan.nii")
SHAPE = (10, 11, 12)


def header(sform=None, qform=None, *, units="mm", zooms=(1, 1, 1), **fields) -> nib.Nifti1Header:
    made = nib.Nifti1Header()
    made.set_data_shape(SHAPE)
    made.set_zooms(zooms)
    made.set_xyzt_units(units)
    if qform is not None:
        made.set_qform(qform, code=1)
    if sform is not None:
        made.set_sform(sform, code=2)
    for name, value in fields.items():
        made[name] = value
    return made


def test_agreeing_forms_give_no_note():
    matrix = np.diag([1.0, 2, 3, 1])
    affine, unit, notes = geometry(header(matrix, matrix), SHAPE, HERE)
    assert np.array_equal(affine.matrix, matrix)
    assert (unit, notes) == ("mm", ())


def test_the_sform_wins_and_the_disagreement_is_said_in_mm():
    sform, qform = np.eye(4), np.eye(4)
    qform[:3, 3] = [3, 4, 0]
    affine, _, notes = geometry(header(sform, qform), SHAPE, HERE)
    assert np.array_equal(affine.matrix, sform)
    assert notes == ("scan.nii: qform and sform differ by up to 5 mm, the sform is used",)


def test_a_tenth_of_a_millimetre_is_agreement():
    qform = np.eye(4)
    qform[0, 3] = 0.0999
    assert geometry(header(np.eye(4), qform), SHAPE, HERE)[2] == ()
    qform[0, 3] = 0.11
    assert len(geometry(header(np.eye(4), qform), SHAPE, HERE)[2]) == 1


@pytest.mark.parametrize("code", [1, 5])
def test_a_form_counts_from_code_1_on(code):
    matrix = np.diag([1.0, 1, 2, 1])
    made = header(matrix, np.eye(4), sform_code=code, zooms=(1, 1, 2))
    assert np.array_equal(geometry(made, SHAPE, HERE)[0].matrix, matrix)
    made = header(np.eye(4), matrix, sform_code=0, qform_code=code, zooms=(1, 1, 2))
    assert np.array_equal(geometry(made, SHAPE, HERE)[0].matrix, matrix)
    made = header(np.eye(4), np.eye(4), sform_code=0, qform_code=0)
    assert "no orientation" in geometry(made, SHAPE, HERE)[2][0]


def test_a_qform_that_is_no_rotation_is_said_beside_an_sform():
    broken = header(np.eye(4), np.eye(4), quatern_b=2)
    assert "not a rotation" in geometry(broken, SHAPE, HERE)[2][0]


def test_a_qform_alone_is_used_or_refused():
    matrix = np.array([[0, -2.0, 0, 1], [2, 0, 0, 2], [0, 0, 2, 3], [0, 0, 0, 1]])
    affine, _, notes = geometry(header(qform=matrix), SHAPE, HERE)
    assert np.allclose(affine.matrix, matrix, atol=1e-6)
    assert notes == ()
    with pytest.raises(InputError) as caught:
        geometry(header(qform=matrix, quatern_b=2), SHAPE, HERE)
    assert caught.value.code == "io.affine"


def test_no_form_at_all_is_said():
    made = header(zooms=(1, 2, 3))
    affine, unit, notes = geometry(made, SHAPE, HERE)
    assert affine.orientation == ("L", "A", "S")
    assert np.array_equal(affine.matrix, made.get_base_affine())
    assert unit == "mm"
    assert "no orientation" in notes[0]


@pytest.mark.parametrize(
    ("made", "unit"),
    [
        (header(np.eye(4), units="unknown"), "px"),
        (header(units="unknown"), "px"),
        (header(np.eye(4), units="mm"), "mm"),
        (header(np.eye(4), np.eye(4), units="unknown"), "mm"),
        (header(np.diag([1, 1, 1.5, 1]), units="unknown", zooms=(1, 1, 1.5)), "mm"),
        (header(np.eye(4), units="unknown", zooms=(1, 1, 10)), "mm"),
    ],
)
def test_a_blank_header_is_in_pixels(made, unit):
    assert geometry(made, SHAPE, HERE)[1] == unit


def test_the_unit_of_time_does_not_matter():
    made = header(np.eye(4))
    made.set_xyzt_units("mm", "sec")
    assert geometry(made, SHAPE, HERE)[1] == "mm"


@pytest.mark.parametrize(("stated", "used"), [(0, 1), (-1, 1), (np.nan, 1), (5, 5)])
def test_a_2d_file_may_say_nothing_of_its_third_axis(stated, used):
    made = header(qform=np.eye(4))
    made.set_data_shape((10, 11))
    made["pixdim"][1:4] = [2, 3, stated]
    affine, _, _ = geometry(made, (10, 11, 1), HERE)
    assert affine.spacing == (2, 3, used)


def test_an_sform_needs_no_other_voxel_sizes():
    made = header(np.eye(4), pixdim=[1, 1, 0, -1, 0, 0, 0, 0])
    assert geometry(made, SHAPE, HERE)[0].spacing == (1, 1, 1)


@pytest.mark.parametrize(("degrees", "said"), [(0.049, False), (0.051, True)])
def test_a_twentieth_of_a_degree_is_no_shear(degrees, said):
    sheared = np.eye(4)
    sheared[0, 1] = np.tan(np.radians(degrees))
    assert bool(geometry(header(sheared), SHAPE, HERE)[2]) == said


def test_a_sheared_affine_is_kept_and_said():
    sheared = np.eye(4)
    sheared[0, 1] = np.tan(np.radians(5))
    affine, _, notes = geometry(header(sheared), SHAPE, HERE)
    assert affine.matrix[0, 1] == pytest.approx(np.tan(np.radians(5)))
    assert notes == ("scan.nii: axes are 5.00 degrees from right angles, kept so",)


@pytest.mark.parametrize(
    ("made", "code", "words"),
    [
        (header(np.diag([1, 1, 0, 1])), "io.affine", "not invertible"),
        (header(np.diag([1, np.nan, 1, 1])), "io.affine", "not finite"),
        (header(np.eye(4), units="meter"), "io.units", "metres"),
        (header(np.eye(4), units="micron"), "io.units", "micrometres"),
        (header(np.eye(4), pixdim=[1, 1, np.nan, 1, 0, 0, 0, 0]), "io.header", "1, nan, 1"),
        (header(np.eye(4), pixdim=[1, np.inf, 1, 1, 0, 0, 0, 0]), "io.header", "inf, 1, 1"),
        (header(np.eye(4), pixdim=[1, 1, 1, np.nan, 0, 0, 0, 0]), "io.header", "1, 1, nan"),
        (header(pixdim=[1, 0, 1, 1, 0, 0, 0, 0]), "io.header", "0, 1, 1 mm are not positive"),
        (header(pixdim=[1, 1, 1, 0, 0, 0, 0, 0]), "io.header", "1, 1, 0 mm are not positive"),
        (header(np.eye(4), sform_code=6), "io.header", "sform code 6 is not in 0 to 5"),
        (header(np.eye(4), qform_code=-1), "io.header", "qform code -1 is not in 0 to 5"),
        (header(pixdim=[1, 1, -2, 1, 0, 0, 0, 0]), "io.header", "1, -2, 1 mm are not positive"),
        (header(np.diag([100, 1, 1, 1])), "io.spacing", "100 x 1 x 1 mm"),
    ],
)
def test_useless_geometry_is_refused(made, code, words):
    with pytest.raises(InputError) as caught:
        geometry(made, SHAPE, HERE)
    assert caught.value.code == code
    assert words in caught.value.problem
