from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from samplar.errors import InputError, OutputError
from samplar.io import npz
from samplar.io.admission import MAX_AXIS
from samplar.io.slicing import slicing_of

RNG = np.random.default_rng(0)
CT = RNG.integers(0, 255, (4, 5, 6)).astype(np.uint8)  # z, y, x
GTS = RNG.integers(0, 3, (4, 5, 6)).astype(np.uint8)


def saved(path: Path, **arrays) -> Path:
    np.savez_compressed(path, **arrays)
    return path


def refused(path: Path, reader=npz.read) -> InputError:
    with pytest.raises(InputError) as caught:
        reader(path)
    assert caught.value.path == str(path)
    return caught.value


def test_a_volume_is_turned_into_xyz_with_its_spacing(tmp_path):
    path = saved(tmp_path / "a.npz", imgs=CT, gts=GTS, spacing=np.array([0.7, 0.8, 5.0]))
    volume, labels = npz.read(path), npz.read_labels(path)
    assert volume.shape == labels.shape == (6, 5, 4)
    assert volume.spacing == (0.7, 0.8, 5.0)
    assert volume.unit == labels.unit == "mm"
    assert volume.array[0, 3, 2, 1] == CT[1, 2, 3]
    assert labels.array[3, 2, 1] == GTS[1, 2, 3]
    # the slices are seen as they are stored
    assert np.array_equal(slicing_of(volume, "axial").cut(volume.array)[:, 0], CT)


def test_without_spacing_the_unit_is_pixels_but_it_is_no_plain_image(tmp_path):
    volume = npz.read(saved(tmp_path / "a.npz", imgs=CT))
    assert volume.unit == "px"
    assert volume.spacing == (1, 1, 1)
    assert not volume.is_raster
    assert slicing_of(volume, "axial").cut(volume.array).shape == (4, 1, 5, 6)


def test_plain_and_coloured_images(tmp_path):
    grey = npz.read(saved(tmp_path / "a.npz", imgs=CT[0]))
    assert grey.array.shape == (1, 5, 6, 1)
    assert grey.is_raster
    narrow = npz.read(saved(tmp_path / "n.npz", imgs=CT[0, :, :3]))
    assert narrow.array.shape == (1, 5, 3, 1)
    rgb = RNG.integers(0, 255, (5, 6, 3)).astype(np.uint8)
    colour = npz.read(saved(tmp_path / "b.npz", imgs=rgb))
    assert np.array_equal(colour.array[..., 0], np.moveaxis(rgb, 2, 0))
    film = npz.read(saved(tmp_path / "c.npz", imgs=np.stack([rgb] * 4)))
    assert film.array.shape == (3, 6, 5, 4)
    assert npz.read_labels(saved(tmp_path / "d.npz", gts=GTS[0])).array.shape == (5, 6, 1)


@pytest.mark.parametrize("spacing", [None, np.array([0.7, 0.8, 5.0])])
def test_labels_come_back_in_the_stored_order(tmp_path, spacing):
    arrays = {"imgs": CT, "gts": GTS} | ({} if spacing is None else {"spacing": spacing})
    path = saved(tmp_path / "a.npz", **arrays)
    npz.write_labels(tmp_path / "out.npz", npz.read_labels(path).array, npz.read(path))
    made = np.load(tmp_path / "out.npz")
    assert np.array_equal(made["segs"], GTS)
    assert made["segs"].dtype == np.uint8
    assert ("spacing" in made) == (spacing is not None)
    again = npz.read_labels(tmp_path / "out.npz")
    assert np.array_equal(again.affine.matrix, npz.read(path).affine.matrix)


def test_plain_labels_and_probabilities_come_back(tmp_path):
    image = npz.read(saved(tmp_path / "a.npz", imgs=CT[0]))
    npz.write_labels(tmp_path / "out.npz", GTS[0][..., None] * 200, image)
    assert np.array_equal(np.load(tmp_path / "out.npz")["segs"], GTS[0] * 200)
    chances = RNG.random((3, 5, 6, 1)).astype(np.float16)
    npz.write_probabilities(tmp_path / "p.npz", chances, image)
    made = np.load(tmp_path / "p.npz")["probabilities"]
    assert made.dtype == np.float16
    assert np.array_equal(made, chances[..., 0])


def test_of_several_names_the_usual_one_counts(tmp_path):
    path = saved(tmp_path / "a.npz", image=CT + 1, imgs=CT, gt=GTS + 1, gts=GTS)
    assert np.array_equal(npz.read(path).array[0].T, CT)
    assert np.array_equal(npz.read_labels(path).array.T, GTS)


@pytest.mark.parametrize("name", ["gts", "segs", "gt", "labels"])
def test_labels_by_any_of_their_names(tmp_path, name):
    labels = npz.read_labels(saved(tmp_path / "a.npz", **{name: GTS}))
    assert np.array_equal(labels.array.T, GTS)


@pytest.mark.parametrize("dtype", ["?", "i1", "u2", "i8", "f2", "f8"])
def test_plain_numbers_of_any_kind_are_read(tmp_path, dtype):
    array = (CT % 2).astype(dtype)
    found = npz.read(saved(tmp_path / "a.npz", imgs=array)).array[0].T
    assert found.dtype == array.dtype
    assert np.array_equal(found, array)


@pytest.mark.parametrize("shape", [(5, 6), (3, 4, 5, 6, 1)])
def test_probabilities_of_another_rank_are_refused(tmp_path, shape):
    path = saved(tmp_path / "p.npz", probabilities=np.zeros(shape, np.float32))
    assert refused(path, npz.read_probabilities).code == "io.dimensions"


def test_what_is_not_written_is_noticed(tmp_path, monkeypatch):
    image = npz.read(saved(tmp_path / "a.npz", imgs=CT[0]))
    other = saved(tmp_path / "other.npz", segs=GTS[0]).read_bytes()
    monkeypatch.setattr(npz, "write_new", lambda path, data: path.write_bytes(other))
    with pytest.raises(OutputError) as caught:
        npz.write_labels(tmp_path / "out.npz", GTS[1][..., None], image)
    assert caught.value.code == "output.verify"


@pytest.mark.parametrize(
    ("arrays", "code", "words"),
    [
        ({"scan": CT}, "io.keys", "holds scan, but none of imgs"),
        ({"imgs": CT[0, 0]}, "io.dimensions", "(6,)"),
        ({"imgs": np.array(5)}, "io.dimensions", "()"),
        ({"imgs": np.ones((2, 2), complex)}, "io.dtype", "complex128"),
        ({"imgs": np.ones((MAX_AXIS + 1, 1), np.uint8)}, "io.length", "shape (20001, 1)"),
        ({"imgs": np.zeros((2, 2, 2, 2))}, "io.dimensions", "(2, 2, 2, 2)"),
        ({"imgs": CT, "spacing": np.array([1.0, 2])}, "io.spacing", "(2,)"),
        ({"imgs": CT, "spacing": np.array([1.0, 2, 0])}, "io.affine", "not invertible"),
        ({"imgs": CT, "spacing": np.array([1.0, 2, 500])}, "io.spacing", "500"),
        ({"imgs": np.array(["text"])}, "io.dtype", "<U4"),
        ({"imgs": np.zeros((0, 5))}, "io.length", "shape (0, 5)"),
        ({"imgs": np.array([[1, np.nan]])}, "io.nonfinite", "1 of 2"),
    ],
)
def test_other_contents_are_refused(tmp_path, arrays, code, words):
    error = refused(saved(tmp_path / "a.npz", **arrays))
    assert error.code == code
    assert words in error.problem


def test_a_pickle_inside_is_refused_unopened(tmp_path):
    class Canary:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "canary",))

    path = tmp_path / "a.npz"
    np.savez(path, imgs=np.array([Canary()], dtype=object), allow_pickle=True)
    assert refused(path).code == "io.dtype"
    assert not (tmp_path / "canary").exists()


def test_labels_need_two_or_three_axes(tmp_path):
    error = refused(saved(tmp_path / "a.npz", gts=np.zeros((2, 2, 2, 3))), npz.read_labels)
    assert error.code == "io.dimensions"


def test_damage_is_refused(tmp_path):
    path = saved(tmp_path / "a.npz", imgs=CT)
    whole = path.read_bytes()
    for length in range(4, len(whole), 11):
        path.write_bytes(whole[:length])
        assert refused(path).code == "io.corrupt"
    same = 0
    for bit in np.random.default_rng(1).integers(0, len(whole) * 8, 200):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << int(bit % 8)
        path.write_bytes(damaged)
        try:
            after = npz.read(path)
        except InputError:
            continue
        same += 1
        assert np.array_equal(after.array[0].T, CT)
    assert same < 100


def test_a_member_that_claims_too_much_is_refused_unread(tmp_path):
    path = saved(tmp_path / "a.npz", imgs=CT)
    data = bytearray(path.read_bytes())
    entry = data.rfind(b"PK\x01\x02")
    data[entry + 24 : entry + 28] = (3 * 1024**3).to_bytes(4, "little")
    path.write_bytes(data)
    assert refused(path).code == "io.too_large"


def test_a_member_is_bounded(tmp_path, monkeypatch):
    path = saved(tmp_path / "a.npz", imgs=CT)
    size = 128 + CT.size  # numpy's header, and a byte a voxel
    monkeypatch.setattr(npz, "MAX_BYTES", size)
    assert npz.read(path).shape == (6, 5, 4)
    monkeypatch.setattr(npz, "MAX_BYTES", size - 1)
    error = refused(path)
    assert error.code == "io.too_large"
    assert f"imgs.npy of {size} bytes" in error.problem


def test_an_axis_may_be_as_long_as_the_bound(tmp_path):
    long = np.ones((MAX_AXIS, 1), np.uint8)
    assert npz.read(saved(tmp_path / "a.npz", imgs=long)).shape == (MAX_AXIS, 1, 1)


def archive_of(path: Path, *members: tuple[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


@pytest.mark.parametrize("more", [-1, 1])
def test_an_array_of_another_length_than_its_shape_is_refused(tmp_path, more):
    content = npy(CT)
    content = content + b"!" if more > 0 else content[:-1]
    error = refused(archive_of(tmp_path / "a.npz", ("imgs.npy", content)))
    assert error.code == "io.length"
    assert f"holds {120 + more} bytes for shape (4, 5, 6)" in error.problem


def test_a_name_that_is_there_twice_is_refused(tmp_path):
    path = archive_of(tmp_path / "a.npz", ("imgs.npy", npy(CT)), ("imgs", npy(CT + 1)))
    error = refused(path)
    assert error.code == "io.corrupt"
    assert "imgs is there twice" in error.problem


def test_members_that_are_not_listed_are_missed(tmp_path):
    path = saved(tmp_path / "a.npz", imgs=CT, gts=GTS)
    data = bytearray(path.read_bytes())
    data[data.rfind(b"PK\5\6") + 10] = 3
    path.write_bytes(data)
    error = refused(path)
    assert error.code == "io.corrupt"
    assert "2 of 3 members are listed" in error.problem


def test_a_file_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "a.npz"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(200))
    assert refused(path).code == "io.format"


def test_fortran_order_and_newer_headers(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, imgs=np.asfortranarray(CT))
    assert np.array_equal(npz.read(path).array[0].T, CT)
    with (tmp_path / "imgs.npy").open("wb") as file:
        np.lib.format.write_array(file, CT, version=(2, 0))
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(tmp_path / "imgs.npy", "imgs.npy")
    assert np.array_equal(npz.read(path).array[0].T, CT)
