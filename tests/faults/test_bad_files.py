"""Every format of image, damaged or none at all: one line, status 3, nothing written, no wait."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from command import samplar
from fuzzing.images import nifti_bytes, npz_bytes, png_bytes, tiff_bytes
from PIL import Image
from refusals import CLASSES, refused

GREY = np.random.default_rng(0).integers(1, 250, (6, 9, 8)).astype(np.uint8)
CLASS = np.arange(GREY.size).reshape(GREY.shape).astype(np.uint8) % 3


def nii(root: Path) -> Path:
    return pair(root, "case0.nii", nifti_bytes(GREY), nifti_bytes(CLASS))


def nii_gz(root: Path) -> Path:
    zipped = (gzip.compress(nifti_bytes(array)) for array in (GREY, CLASS))
    return pair(root, "case0.nii.gz", *zipped)


def png(root: Path) -> Path:
    return pair(root, "case0.png", png_bytes(GREY[0]), png_bytes(CLASS[0]))


def tiff(root: Path) -> Path:
    return pair(root, "case0.tif", tiff_bytes(GREY[0]), tiff_bytes(CLASS[0]))


def jpeg(root: Path) -> Path:
    path = pair(root, "case0.jpg", b"", png_bytes(CLASS[0]))
    path.with_name("case0.jpg").unlink()
    (root / "labels" / "case0.jpg").rename(root / "labels" / "case0.png")
    Image.fromarray(GREY[0]).save(path, "JPEG")
    return path


def npz(root: Path) -> Path:
    (root / "images").mkdir(parents=True)
    (root / "labels").mkdir()
    (root / "label_names.json").write_text(CLASSES)
    whole = npz_bytes(imgs=GREY, gts=CLASS, spacing=np.array([1.0, 1.0, 3.0]))
    (root / "labels" / "case0.npz").write_bytes(whole)
    path = root / "images" / "case0.npz"
    path.write_bytes(whole)
    return path


def pair(root: Path, name: str, image: bytes, labels: bytes) -> Path:
    for place, data in (("images", image), ("labels", labels)):
        (root / place).mkdir(parents=True)
        (root / place / name).write_bytes(data)
    (root / "label_names.json").write_text(CLASSES)
    return root / "images" / name


KINDS = [nii, nii_gz, png, tiff, jpeg, npz]
CUT = {"io.truncated", "io.corrupt", "io.format"}
CUTS = [1, 3, 10, 0.25, 0.5, 0.75, -1]
FOREIGN = {
    "spaces": b" " * 600,
    "zeros": bytes(600),
    "web page": b"<!DOCTYPE html><html>Please log in</html>",
    "xml": b"<?xml version='1.0'?>",
    "json": b'{"image": "elsewhere"}',
    "dicom": bytes(128) + b"DICM" + bytes(200),
    "executable in a dicom preamble": b"MZ" + bytes(126) + b"DICM" + bytes(200),
    "nrrd": b"NRRD0004\n",
    "metaimage": b"ObjectType = Image\nNDims = 3\n",
    "hdf5": b"\x89HDF\r\n\x1a\n" + bytes(100),
    "bmp": b"BM" + bytes(100),
    "gif": b"GIF89a" + bytes(100),
    "webp": b"RIFF\x00\x00\x00\x00WEBPVP8 ",
    "pdf": b"%PDF-1.7\n",
    "pickle": b"\x80\x04cos\nsystem\n(S'touch CANARY'\ntR.",
    "elf": b"\x7fELF" + bytes(100),
    "7z": b"7z\xbc\xaf\x27\x1c" + bytes(50),
    "lfs pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n",
}


def gz_in_gz(path: Path) -> None:
    path.write_bytes(gzip.compress(gzip.compress(path.read_bytes())))


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def looping(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


PLACES: list[tuple[Callable[[Path], None], set[str]]] = [
    (lambda path: path.write_bytes(b""), {"io.empty"}),
    (gz_in_gz, {"io.format", "io.truncated"}),
    (dangling, {"io.missing"}),
    (looping, {"io.unreadable"}),
    (pipe, {"io.not_file"}),
    (folder, {"dataset.label_without_image"}),
]


def told(data: Path, *, names: str, codes: set[str]) -> None:
    """Choose an exemplar, which reads the whole data set and needs no weights."""
    ran = samplar("exemplars", data, "-k", 1, "--strategy", "random", "-o", data.parent / "e.yaml")
    code = ran.err.rstrip().rpartition("[")[2].rstrip("]")
    assert code in codes, ran.err
    refused(ran, status=3, code=code, names=names)
    assert not (data.parent / "e.yaml").exists()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("length", CUTS)
def test_a_file_that_ends_too_early(tmp_path, kind, length):
    path = kind(tmp_path / "set")
    data = path.read_bytes()
    path.write_bytes(data[: int(length * len(data)) if isinstance(length, float) else length])
    told(tmp_path / "set", names=path.name, codes=CUT)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("content", FOREIGN)
def test_a_file_that_is_something_else(tmp_path, monkeypatch, kind, content):
    monkeypatch.chdir(tmp_path)
    path = kind(tmp_path / "set")
    path.write_bytes(FOREIGN[content])
    told(tmp_path / "set", names=path.name, codes={"io.format"})
    assert not (tmp_path / "CANARY").exists()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("place", "codes"), PLACES)
def test_a_name_with_no_such_file_behind_it(tmp_path, kind, place, codes):
    path = kind(tmp_path / "set")
    place(path)
    told(tmp_path / "set", names=path.stem, codes=codes)
