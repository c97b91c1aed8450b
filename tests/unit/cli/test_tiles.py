from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile
from command import samplar

from samplar.io.dataset import read_dataset

SIDES = ("--side", 64, "--middle", 32)


@pytest.fixture
def slides(tmp_path):
    """Return the folder with two slides, of the first of which there are labels, and these."""
    folder, labels = tmp_path / "slides", tmp_path / "labels"
    folder.mkdir()
    labels.mkdir()
    disc = np.hypot(*(np.mgrid[:100, :150] - np.array([40, 70])[:, None, None])) < 30
    image = np.where(disc[..., None], (150, 60, 120), 240).astype(np.uint8)
    stored = {"tile": (32, 32), "compression": "zlib"}
    for name in ("one.tif", "two.tif"):
        tifffile.imwrite(folder / name, image, photometric="rgb", **stored)
    truth = disc.astype(np.uint8)
    tifffile.imwrite(labels / "one.tif", truth, photometric="minisblack", **stored)
    return folder, labels, truth


def test_slides_are_cut_and_joined_again(slides, tmp_path):
    folder, labels, disc = slides
    out, paths = tmp_path / "tiles", sorted(folder.iterdir())
    ran = samplar(
        "tiles", "cut", *paths, "--labels", labels, "-o", out, "--tissue", 0, *SIDES, "--json"
    )
    assert ran.status == 0
    count = 2 * 4 * 5  # 100 x 150 pixels in middles of 32
    said = {"out": str(out), "slides": 2, "labelled": 1, "tiles": count}
    assert json.loads(ran.out) == said
    assert "cutting two: 100%" in ran.err
    dataset = read_dataset(out)
    assert (len(dataset.cases), len(dataset.labelled)) == (count, count // 2)
    joined = tmp_path / "joined.tif"
    ran = samplar("tiles", "join", folder / "one.tif", out / "labels", "-o", joined, *SIDES)
    assert (ran.status, ran.out) == (0, f"labels of {folder / 'one.tif'} in {joined}\n")
    assert "joining one: 100%" in ran.err
    assert np.array_equal(tifffile.imread(joined), disc)


def test_slides_may_have_no_labels(slides, tmp_path):
    folder, _, _ = slides
    ran = samplar("tiles", "cut", folder / "one.tif", "-o", tmp_path / "tiles", *SIDES)
    assert ran.status == 0
    assert ran.out.endswith(f"tiles of 1 slides, 0 of them with labels, in {tmp_path / 'tiles'}\n")
    assert list((tmp_path / "tiles" / "labels").iterdir()) == []


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["--labels", "nowhere"], (3, "io.missing", "is no folder")),
        (["--labels", "slides"], (3, "io.grid", "3 channels")),
        (["--labels", "other"], (3, "io.missing", "holds labels of none of 1 slides")),
        (["--level", 2], (3, "io.dimensions", "has 1 resolutions")),
        (["--middle", 24], (2, "config.tiles", "a middle of 24 pixels")),
        (["-o", "slides"], (2, "tiles.exists", "not empty")),
    ],
)
def test_what_cannot_be_cut_is_said(slides, tmp_path, monkeypatch, words, wanted):
    status, code, said = wanted
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other").mkdir()
    ran = samplar("tiles", "cut", slides[0] / "one.tif", "-o", "tiles", *SIDES, *words)
    assert ran.status == status
    assert f"[{code}]" in ran.err
    assert said in ran.err
    assert "Traceback" not in ran.err
    assert not (tmp_path / "tiles").exists()


@pytest.mark.parametrize(
    ("place", "code"), [("nowhere", "io.missing"), ("slides", "io.missing"), ("x/y.tif", "output")]
)
def test_what_cannot_be_joined_is_said(slides, tmp_path, monkeypatch, place, code):
    monkeypatch.chdir(tmp_path)
    target = "joined.tif" if code.startswith("io") else place
    labels = place if code.startswith("io") else "slides"
    (tmp_path / "x").write_text("no folder")
    ran = samplar("tiles", "join", slides[0] / "one.tif", labels, "-o", target, *SIDES)
    assert ran.status != 0
    assert f"[{code}" in ran.err
    assert not (tmp_path / "joined.tif").exists()
