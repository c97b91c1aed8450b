"""Where a NIfTI header puts its voxels: sform before qform, and what is odd about them."""

from __future__ import annotations

import math
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError

from samplar.errors import InputError
from samplar.io.affine import Affine, corners_of
from samplar.io.nifti_header import odd_header
from samplar.io.volume import Unit

_FORMS_AGREE_MM = 0.1
_SKEW_DEGREES = 0.05
_FORM_CODES = range(6)
_OTHER_UNITS = {1: "metres", 3: "micrometres"}


def geometry(
    header: nib.Nifti1Header, shape: tuple[int, int, int], path: Path
) -> tuple[Affine, Unit, tuple[str, ...]]:
    """Return the affine (sform before qform), its unit, and what the user should hear of.

    Raises:
        InputError: `io.units`, `io.header` (voxel sizes), `io.affine` or `io.spacing`.
    """
    unit_code = int(header["xyzt_units"]) & 7
    if unit_code in _OTHER_UNITS:
        problem = f"header gives {_OTHER_UNITS[unit_code]} (unit {unit_code})"
        fix = "Save it again in millimetres"
        raise InputError(problem, fix=fix, code="io.units", path=path)
    for form in ("sform", "qform"):
        code = int(header[f"{form}_code"])
        if code not in _FORM_CODES:
            raise odd_header(f"{form} code {code} is not in 0 to 5", path)
    sizes = _sizes(header, path)
    with np.errstate(invalid="ignore"):  # NaN in a form is refused below, in words
        sform = header.get_sform() if int(header["sform_code"]) > 0 else None
        qform = _qform(header)
    notes = []
    if sform is not None:
        affine = Affine(sform, path)
        notes += _disagreement(affine, qform, shape)
    elif qform is not None:
        affine = Affine(qform, path)
    else:
        affine = Affine(header.get_base_affine(), path)
        notes.append("the header gives no orientation, axes are taken to run left, front, up")
    if affine.shear_degrees > _SKEW_DEGREES:
        notes.append(f"axes are {affine.shear_degrees:.2f} degrees from right angles, kept so")
    blank = unit_code != 2 and qform is None
    unit: Unit = "px" if blank and affine.spacing == sizes == (1.0, 1.0, 1.0) else "mm"
    return affine, unit, tuple(f"{path}: {note}" for note in notes)


def _sizes(header: nib.Nifti1Header, path: Path) -> tuple[float, float, float]:
    """Return the voxel sizes the header states, after mending that of the axis a 2D file lacks."""
    if int(header["dim"][0]) == 2 and not header["pixdim"][3] > 0:
        header["pixdim"][3] = 1
    x, y, z = (float(size) for size in header["pixdim"][1:4])
    if not (math.isfinite(x) and math.isfinite(y) and math.isfinite(z)):
        raise odd_header(f"voxel sizes {x:g}, {y:g}, {z:g} are not numbers", path)
    if int(header["sform_code"]) <= 0 and min(x, y, z) <= 0:
        raise odd_header(f"voxel sizes {x:g}, {y:g}, {z:g} mm are not positive", path)
    return x, y, z


def _qform(header: nib.Nifti1Header) -> np.ndarray | None:
    """Return the qform, or None if it is not set; NaN if it is set but no rotation."""
    if int(header["qform_code"]) <= 0:
        return None
    try:
        return header.get_qform()
    except (HeaderDataError, ValueError):
        return np.full((4, 4), np.nan)


def _disagreement(
    sform: Affine, qform: np.ndarray | None, shape: tuple[int, int, int]
) -> list[str]:
    if qform is None:
        return []
    if not np.isfinite(qform).all():
        return ["the qform is not a rotation, the sform is used"]
    gaps = corners_of(qform, shape) - sform.corners(shape)
    worst = float(np.linalg.norm(gaps, axis=1).max())
    if worst <= _FORMS_AGREE_MM:
        return []
    return [f"qform and sform differ by up to {worst:.4g} mm, the sform is used"]
