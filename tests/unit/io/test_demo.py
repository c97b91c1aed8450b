from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest

from samplar.errors import InputError, OutputError
from samplar.io import demo

AFFINE = np.diag([1.0, 1.0, 1.0, 1.0])
AFFINE[:3, 3] = (-98, -134, -72)


def test_the_most_probable_tissue_by_hand():
    grey = np.array([0, 255, 0, 100, 128, 127, 85, 60, 128], dtype=np.uint8)
    white = np.array([0, 0, 255, 150, 127, 128, 85, 60, 0], dtype=np.uint8)
    # background is 255 - grey - white: 255, 0, 0, 5, 0, 0, 85 (a tie of three), 135, 127
    found = demo.most_probable(grey, white)
    assert found.dtype == np.uint8
    assert found.tolist() == [0, 1, 2, 2, 1, 2, 0, 0, 1]


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with three small volumes under the published names, pinned in place of the real."""
    folder = tmp_path / "brought"
    folder.mkdir()
    random = np.random.default_rng(0)
    grey = random.integers(0, 256, (5, 4, 3))
    white = ((255 - grey) * random.random((5, 4, 3))).astype(int)
    arrays = (random.integers(0, 256, (5, 4, 3)), grey, white)
    files = []
    for file, array in zip(demo.DEMO.files, arrays, strict=True):
        path = folder / file.name
        nibabel.save(nibabel.Nifti1Image(array.astype(np.uint8), AFFINE), path)
        data = path.read_bytes()
        files.append(replace(file, sha256=hashlib.sha256(data).hexdigest(), size=len(data)))
    monkeypatch.setattr(demo, "DEMO", replace(demo.DEMO, files=tuple(files)))
    monkeypatch.setenv("SAMPLAR_CACHE", str(tmp_path / "cache"))
    return folder


def voxels(path: Path) -> np.ndarray:
    return np.asarray(nibabel.load(path).dataobj)


def test_the_files_by_their_short_names(source, tmp_path):
    found = demo.demo_files(source=source)
    assert set(found) == {"t1", "gm", "wm"}
    for kind, path in found.items():
        assert path.parent == tmp_path / "cache" / "demo"
        assert f"_{kind}_" in path.name
        assert path.read_bytes() == (source / path.name).read_bytes()


def test_the_data_set_is_flat_and_in_millimetres(source, tmp_path):
    folder = demo.build_demo_dataset(tmp_path / "new" / "demo", source=source)
    written = sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())
    assert written == ["images/icbm152.nii.gz", "label_names.json", "labels/icbm152.nii.gz"]
    assert json.loads((folder / "label_names.json").read_text()) == {
        "1": "grey matter",
        "2": "white matter",
    }
    t1, grey, white = (voxels(source / file.name).astype(int) for file in demo.DEMO.files)
    assert np.array_equal(voxels(folder / "images" / "icbm152.nii.gz"), t1)
    labels = voxels(folder / "labels" / "icbm152.nii.gz")
    background = 255 - grey - white
    assert np.array_equal(labels == 1, (grey > background) & (grey >= white))
    assert np.array_equal(labels == 2, (white > background) & (white > grey))
    assert set(np.unique(labels)) == {0, 1, 2}
    for kind in ("images", "labels"):
        image = nibabel.load(folder / kind / "icbm152.nii.gz")
        assert np.array_equal(image.affine, AFFINE)
        assert image.header.get_xyzt_units()[0] == "mm"
        assert (int(image.header["sform_code"]), int(image.header["qform_code"])) == (4, 4)


def test_building_twice_gives_the_same_voxels(source, tmp_path):
    first = demo.build_demo_dataset(tmp_path / "a", source=source)
    second = demo.build_demo_dataset(tmp_path / "b")
    for name in ("images/icbm152.nii.gz", "labels/icbm152.nii.gz"):
        assert np.array_equal(voxels(first / name), voxels(second / name))


def test_without_the_files_it_names_the_wheel(source, tmp_path):
    with pytest.raises(InputError) as caught:
        demo.demo_files(source=tmp_path / "nowhere.whl")
    assert caught.value.code == "demo.missing"
    assert "nilearn==0.14.1" in demo.DEMO.manual
    assert "samplar demo --from WHEEL" in demo.DEMO.manual


def test_a_data_set_that_does_not_read_back_is_an_error(source, tmp_path, monkeypatch):
    wrong, save = nibabel.Nifti1Image(np.zeros((5, 4, 3), np.uint8), AFFINE), nibabel.save
    monkeypatch.setattr(nibabel, "save", lambda image, path: save(wrong, path))
    with pytest.raises(OutputError, match="does not read back"):
        demo.build_demo_dataset(tmp_path / "demo", source=source)
    assert not (tmp_path / "demo" / "images" / "icbm152.nii.gz").exists()


def test_what_is_fetched_is_what_was_recorded():
    """The sizes go with the digests: another size is another file, and nothing would be fetched."""
    assert [file.size for file in demo.DEMO.files] == [1_617_531, 1_965_510, 1_553_010]
    assert demo.DEMO.origin.size == 11_509_444
    assert all(len(file.sha256) == 64 for file in demo.DEMO.files)
    assert demo.DEMO.files[0].member == f"nilearn/datasets/data/{demo.DEMO.files[0].name}"


def test_the_names_are_readable_too(source, tmp_path):
    folder = demo.build_demo_dataset(tmp_path / "demo", source=source)
    text = (folder / "label_names.json").read_text()
    assert text == '{\n  "1": "grey matter",\n  "2": "white matter"\n}\n'
