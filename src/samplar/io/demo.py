"""The demonstration data set: the public ICBM 152 average brain with its tissue maps.

ICBM 152 nonlinear symmetric 2009a template (Fonov et al., NeuroImage 2011), as distributed inside
the nilearn wheel: one T1-weighted volume of 197 x 233 x 189 voxels of 1 mm, and two tissue
probability maps on the same grid.
"""

from __future__ import annotations

import json
from pathlib import Path

import nibabel
import numpy as np

from samplar.io.assets import fetch
from samplar.io.atomic import ensure_writable, make_folder, write_bytes, write_with
from samplar.io.bundle import AssetFile, Bundle
from samplar.io.wheel import Progress, Wheel

CASE = "icbm152"
LABEL_NAMES = {"1": "grey matter", "2": "white matter"}

MAP_SCALE = 255.0
"""The maps are 8-bit: probability times 255."""

_DIGESTS = {
    "t1": ("421a10e872fd6cadae7f61d358dffbcc1795a497d61ee76c5dda2503e1a1e9e6", 1617531),
    "gm": ("97a5ca69bd24db37a9cb7b32525e1733a209af904129bf1cd36da06d24243bed", 1965510),
    "wm": ("382d92812de4744f9c86c7a0e4f680dc317a0a50e4da1f0153618a6798c7b7db", 1553010),
}


def _file(kind: str) -> AssetFile:
    name = f"mni_icbm152_{kind}_tal_nlin_sym_09a_converted.nii.gz"
    sha256, size = _DIGESTS[kind]
    return AssetFile(name, sha256, size, member=f"nilearn/datasets/data/{name}")


DEMO = Bundle(
    name=CASE,
    area="demo",
    files=tuple(map(_file, _DIGESTS)),
    origin=Wheel(
        package="nilearn",
        version="0.14.1",
        sha256="725206484e9fb3f6691f9c2d20204a068759d5072f12055324702ee0cb2bbe8a",
        size=11509444,
    ),
    by_hand="samplar demo --from WHEEL",
)


def demo_files(
    *, source: str | Path | None = None, on_progress: Progress | None = None
) -> dict[str, Path]:
    """Return the paths of the template and its maps, `t1`, `gm` and `wm`, fetching them if needed.

    Args:
        source: the nilearn wheel or a folder with the three files, instead of the package index.
        on_progress: called with (bytes so far, bytes in all).

    Raises:
        SamplarError: as `samplar.io.assets.fetch`, with codes `demo.*`.
    """
    paths = fetch(DEMO, source=source, on_progress=on_progress)
    return {kind: paths[_file(kind).name] for kind in _DIGESTS}


def build_demo_dataset(
    folder: Path, *, source: str | Path | None = None, on_progress: Progress | None = None
) -> Path:
    """Write the demonstration data set in the flat layout and return its folder.

    `images/icbm152.nii.gz` holds the T1-weighted image, `labels/icbm152.nii.gz` the most probable
    of background (0), grey matter (1) and white matter (2) at each voxel, and
    `label_names.json` the names. Arguments and errors as for `demo_files`.
    """
    ensure_writable(folder)
    paths = demo_files(source=source, on_progress=on_progress)
    t1 = nibabel.Nifti1Image.from_filename(paths["t1"])
    maps = [_voxels(paths[kind]) for kind in ("gm", "wm")]
    _write(folder / "images" / f"{CASE}.nii.gz", np.asarray(t1.dataobj), t1.affine)
    _write(folder / "labels" / f"{CASE}.nii.gz", most_probable(*maps), t1.affine)
    names = json.dumps(LABEL_NAMES, indent=2) + "\n"
    write_bytes(folder / "label_names.json", names.encode())
    return folder


def most_probable(grey: np.ndarray, white: np.ndarray) -> np.ndarray:
    """Return 0, 1 or 2 (uint8) where background, grey or white matter is the most probable.

    Args:
        grey: grey matter probability times 255, any shape.
        white: the same for white matter; background is what is left of 255. On a tie the lower
            label wins.
    """
    grey, white = grey.astype(np.float32), white.astype(np.float32)
    return np.argmax(np.stack([MAP_SCALE - grey - white, grey, white]), axis=0).astype(np.uint8)


def _voxels(path: Path) -> np.ndarray:
    return np.asarray(nibabel.Nifti1Image.from_filename(path).dataobj)


def _write(path: Path, array: np.ndarray, affine: np.ndarray) -> None:
    make_folder(path.parent)
    image = nibabel.Nifti1Image(array.astype(np.uint8), affine)
    # The published headers leave the units open; the template is defined in millimetres.
    image.header.set_xyzt_units("mm")
    image.set_sform(affine, code="mni")
    image.set_qform(affine, code="mni")

    def verify(written: Path) -> None:
        if not np.array_equal(_voxels(written), array):
            raise OSError(f"{written} does not read back as it was written")

    write_with(path, lambda target: nibabel.save(image, target), verify)
