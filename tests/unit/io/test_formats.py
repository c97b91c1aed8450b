from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from samplar.errors import InputError
from samplar.io import formats
from samplar.io.affine import Affine
from samplar.io.formats import (
    label_name,
    read_image,
    read_labels,
    read_probabilities,
    write_labels,
    write_probabilities,
)
from samplar.io.volume import Volume

RNG = np.random.default_rng(0)
VALUES = RNG.integers(0, 4, (5, 6, 7))


def nifti(path: Path, seed=0, matrix=None, shape=(5, 6, 7), dtype=np.int16) -> Path:
    array = np.random.default_rng(seed).integers(0, 100, shape).astype(dtype)
    nib.save(nib.Nifti1Image(array, np.eye(4) * 2 if matrix is None else matrix), path)
    return path


def scan(path: Path, **options) -> Path:
    return nifti(path, matrix=np.diag([2.0, 2, 2, 1]), **options)


def png(path: Path, array) -> Path:
    Image.fromarray(array).save(path)
    return path


def test_the_content_decides_who_reads(tmp_path):
    scan(tmp_path / "a.nii.gz").rename(tmp_path / "a.png")
    assert read_image([tmp_path / "a.png"]).shape == (5, 6, 7)
    assert read_labels(tmp_path / "a.png").shape == (5, 6, 7)
    png(tmp_path / "b.png", np.ones((3, 4), np.uint8)).rename(tmp_path / "b.nii.gz")
    assert read_image([tmp_path / "b.nii.gz"]).is_raster
    assert read_labels(tmp_path / "b.nii.gz").is_raster
    np.savez(tmp_path / "c.npz", imgs=np.ones((2, 3, 4)), gts=np.ones((2, 3, 4)))
    assert read_image([tmp_path / "c.npz"]).shape == (4, 3, 2)
    assert read_labels(tmp_path / "c.npz").shape == (4, 3, 2)


def test_sequences_become_channels(tmp_path):
    paths = [scan(tmp_path / f"c_{i:04}.nii.gz", seed=i) for i in range(3)]
    volume = read_image(paths)
    assert volume.array.shape == (3, 5, 6, 7)
    for channel, path in zip(volume.array, paths, strict=True):
        assert np.array_equal(channel, np.asarray(nib.load(path).dataobj))
    assert volume.sources == tuple(paths)
    assert volume.header is not None


def test_notes_of_all_sequences_are_kept(tmp_path):
    paths = [scan(tmp_path / f"{i}.nii", seed=i) for i in range(2)]
    for path in paths:
        image = nib.load(path)
        image = nib.Nifti1Image(np.asarray(image.dataobj), None)
        nib.save(image, path)
    assert [note.split(":")[0] for note in read_image(paths).notes] == [str(p) for p in paths]


def test_sequences_on_other_grids_are_refused(tmp_path):
    first = scan(tmp_path / "a.nii.gz")
    for second in (
        scan(tmp_path / "b.nii.gz", shape=(5, 6, 8)),
        nifti(tmp_path / "c.nii.gz", matrix=np.diag([2.0, 2, 3, 1])),
    ):
        with pytest.raises(InputError) as caught:
            read_image([first, second])
        assert caught.value.code == "io.grid"
        assert caught.value.path == str(second)


def test_colours_are_no_sequence(tmp_path):
    grey = png(tmp_path / "a.png", np.zeros((3, 4), np.uint8))
    rgb = png(tmp_path / "b.png", np.zeros((3, 4, 3), np.uint8))
    for paths in ([grey, rgb], [rgb, grey]):
        with pytest.raises(InputError, match="has 3 channels") as caught:
            read_image(paths)
        assert caught.value.code == "io.channels"
        assert caught.value.path == str(rgb)


@pytest.mark.parametrize(
    ("source", "top", "name"),
    [
        ("x.nii.gz", 300, "case.nii.gz"),
        ("x.nii", 0, "case.nii"),
        ("x.png", 0, "case.nii.gz"),
        ("x.npz", 0, "case.npz"),
    ],
)
def test_volumes_are_answered_in_kind(source, top, name):
    volume = Volume(np.zeros((1, 2, 2, 2)), Affine(np.eye(4)), "mm", (Path(source),))
    assert label_name(volume, "case", top=top) == name


def test_plain_images_are_answered_by_png_or_tiff():
    plain = Volume(np.zeros((1, 2, 2, 1)), Affine.pixels(), "px", (Path("x.jpg"),))
    assert label_name(plain, "case", top=255) == "case.png"
    assert label_name(plain, "case", top=256) == "case.tif"
    made = Volume(np.zeros((1, 2, 2, 2)), Affine(np.eye(4)), "mm", ())
    assert label_name(made, "case") == "case.nii.gz"


@pytest.mark.parametrize("asked", ["case.v2.nii.gz", "case.v2.png", "case.v2"])
def test_labels_are_written_under_the_name_that_fits(tmp_path, asked):
    volume = read_image([scan(tmp_path / "in.nii.gz")])
    path = write_labels(tmp_path / asked, VALUES, volume)
    assert path == tmp_path / "case.v2.nii.gz"
    assert path.read_bytes().startswith(b"\x1f\x8b")
    assert np.array_equal(read_labels(path).array, VALUES)


def test_every_format_gives_labels_that_read_back(tmp_path):
    Image.fromarray(RNG.integers(0, 255, (8, 9)).astype(np.uint8)).save(tmp_path / "a.jpg")
    np.savez(tmp_path / "b.npz", imgs=np.zeros((7, 6, 5)), spacing=[1, 1, 2])
    for source, values, name in (
        ("a.jpg", VALUES.reshape(-1, 1, 1)[:72].reshape(8, 9, 1), "o.png"),
        ("a.jpg", VALUES.reshape(-1, 1, 1)[:72].reshape(8, 9, 1) * 200, "o.tif"),
        ("b.npz", VALUES, "o.npz"),
    ):
        image = read_image([tmp_path / source])
        path = write_labels(tmp_path / "o.x", values, image)
        path = write_labels(tmp_path / "o.png", values, image)
        assert path.name == name
        magic = {"o.png": b"\x89PNG", "o.tif": b"II*\0", "o.npz": b"PK\x03\x04"}[name]
        assert path.read_bytes().startswith(magic)  # readers go by the content, people by the name
        labels = read_labels(path)
        assert np.array_equal(labels.array, values)
        formats.check_grid(image, labels)


def test_probabilities_of_every_format(tmp_path):
    chances = RNG.random((3, 5, 6, 7)).astype(np.float32)
    volume = read_image([scan(tmp_path / "in.nii.gz")])
    path = write_probabilities(tmp_path / "p.nii.gz", chances, volume)
    assert np.array_equal(np.moveaxis(np.asarray(nib.load(path).dataobj), -1, 0), chances)
    png(tmp_path / "a.png", np.zeros((5, 6), np.uint8))
    plain = read_image([tmp_path / "a.png"])
    path = write_probabilities(tmp_path / "q.png", chances[..., :1], plain)
    assert path.name == "q.npz"
    assert np.array_equal(np.load(path)["probabilities"], chances[..., 0])


def test_probabilities_read_back_from_every_format(tmp_path):
    png(tmp_path / "a.png", np.zeros((5, 6), np.uint8))
    np.savez(tmp_path / "b.npz", imgs=np.zeros((7, 6, 5)), spacing=[1, 1, 2])
    scan(tmp_path / "c.nii.gz")
    for source, depth, name in (
        ("a.png", 1, "q.npz"),
        ("b.npz", 7, "q.npz"),
        ("c.nii.gz", 7, "q.nii.gz"),
    ):
        like = read_image([tmp_path / source])
        chances = RNG.random((3, 5, 6, depth)).astype(np.float32)
        path = write_probabilities(tmp_path / "q.nii.gz", chances, like)
        assert path.name == name
        assert np.array_equal(read_probabilities(path, like, classes=2), chances)
        with pytest.raises(InputError) as caught:
            read_probabilities(path, like, classes=3)
        assert caught.value.code == "io.probabilities"


@pytest.mark.parametrize(("suffix", "other"), [(".png", ".nii.gz"), (".npz", ".png")])
def test_one_image_may_come_alone_whatever_its_channels(tmp_path, suffix, other):
    rgb = np.zeros((3, 4, 3), np.uint8)
    if suffix == ".png":
        png(tmp_path / "a.png", rgb)
    else:
        np.savez(tmp_path / "a.npz", imgs=rgb)
    path = (tmp_path / f"a{suffix}").rename(tmp_path / f"b{other}")
    assert len(read_image([path]).array) == 3


def test_labels_of_no_voxels_are_named_as_a_png(tmp_path):
    plain = Volume(np.zeros((1, 0, 2, 1)), Affine.pixels(), "px", (Path("x.png"),))
    assert label_name(plain, "case") == "case.png"
