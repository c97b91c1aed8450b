from __future__ import annotations

import numpy as np
import pytest
import tifffile
from PIL import Image

from samplar.api.tiles import cut_slides, join_tiles
from samplar.errors import InputError, UsageError
from samplar.io.dataset import read_dataset
from samplar.io.formats import read_image
from samplar.io.pyramid import Pyramid
from samplar.io.tiles import Tiling

SIDES = {"side": 64, "middle": 32}
HEIGHT, WIDTH = 100, 150


@pytest.fixture
def slide(tmp_path):
    """Return a slide with a dark disc on glass, and its labels."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    disc = np.hypot(rows - 40, columns - 70) < 30
    image = np.full((HEIGHT, WIDTH, 3), 240, dtype=np.uint8)
    image[disc] = (150, 60, 120)
    stored = {"tile": (32, 32), "compression": "zlib"}
    paths = tmp_path / "one.tif", tmp_path / "one-labels.tif"
    tifffile.imwrite(paths[0], image, photometric="rgb", **stored)
    tifffile.imwrite(paths[1], disc.astype(np.uint8), photometric="minisblack", **stored)
    return *paths, disc


@pytest.mark.parametrize(("side", "middle"), [(64, 32), (32, 32), (48, 16)])
def test_middles_cover_an_image_once(side, middle):
    tiling = Tiling(HEIGHT, WIDTH, side=side, middle=middle)
    times = np.zeros((HEIGHT, WIDTH), dtype=int)
    for corner in tiling.corners():
        x, y = (place + tiling.margin for place in corner)
        assert min(x, y) >= 0
        times[y : y + middle, x : x + middle] += 1
    assert (times == 1).all()


@pytest.mark.parametrize(("side", "middle"), [(64, 30), (65, 32), (32, 64), (64, 0)])
def test_sides_that_do_not_fit_are_refused(side, middle):
    with pytest.raises(UsageError) as caught:
        Tiling(100, 100, side=side, middle=middle)
    assert caught.value.code == "config.tiles"


def test_tiles_are_a_data_set_whose_labels_join_to_those_of_the_slide(slide, tmp_path):
    path, labels, disc = slide
    count = cut_slides({path: labels}, tmp_path / "tiles", tissue=0.01, **SIDES)
    assert 4 < count < len(list(Tiling(HEIGHT, WIDTH, **SIDES).corners()))
    dataset = read_dataset(tmp_path / "tiles")
    assert len(dataset.labelled) == count
    assert {case.subject for case in dataset.labelled} == {"one"}
    tile = read_image([tmp_path / "tiles" / "images" / "one_x16_y-16.png"]).array[..., 0]
    assert tile.shape == (3, 64, 64)
    assert (tile[:, :16] == 255).all()
    with Pyramid(path) as opened:
        expected = opened.read(0, x=16, y=0, width=64, height=48)
    assert np.array_equal(np.moveaxis(tile[:, 16:], 0, -1), expected)
    join_tiles(tmp_path / "tiles" / "labels", path, tmp_path / "joined.tif", **SIDES)
    joined = tifffile.imread(tmp_path / "joined.tif")
    # what a tile without enough tissue would have shown is background
    kept = joined.astype(bool)
    assert np.array_equal(joined, disc & kept)
    assert (disc & ~kept).sum() < 0.01 * 32 * 32 * 20
    cut_slides({path: labels}, tmp_path / "all", tissue=0.0, **SIDES)
    join_tiles(tmp_path / "all" / "labels", path, tmp_path / "joined.tif", **SIDES)
    assert np.array_equal(tifffile.imread(tmp_path / "joined.tif"), disc)


def test_labels_beyond_the_slide_are_not_joined(slide, tmp_path):
    path, labels, _ = slide
    cut_slides({path: labels}, tmp_path / "tiles", tissue=0.0, **SIDES)
    for tile in (tmp_path / "tiles" / "labels").glob("*.png"):
        Image.fromarray(np.full((64, 64), 3, dtype=np.uint8)).save(tile)
    join_tiles(tmp_path / "tiles" / "labels", path, tmp_path / "joined.tif", **SIDES)
    assert (tifffile.imread(tmp_path / "joined.tif") == 3).all()


def test_what_does_not_belong_together_is_refused(slide, tmp_path):
    path, labels, _ = slide
    small = tmp_path / "small.tif"
    tifffile.imwrite(small, np.zeros((50, 50), np.uint8), tile=(32, 32))
    with pytest.raises(InputError, match="50 x 50") as caught:
        cut_slides({path: small}, tmp_path / "a", **SIDES)
    assert caught.value.code == "io.grid"
    with pytest.raises(InputError, match="1 resolutions") as caught:
        cut_slides({path: labels}, tmp_path / "a", level=1, **SIDES)
    assert caught.value.code == "io.dimensions"
    other = tmp_path / "other" / "one.tif"
    other.parent.mkdir()
    other.write_bytes(path.read_bytes())
    with pytest.raises(UsageError, match="one name"):
        cut_slides({path: labels, other: None}, tmp_path / "a", **SIDES)
    cut_slides({path: labels}, tmp_path / "a", **SIDES)
    predicted, out = tmp_path / "a" / "labels", tmp_path / "joined.tif"
    with pytest.raises(InputError, match="lie where none was cut") as caught:
        join_tiles(predicted, path, out, side=96, middle=32)
    assert caught.value.code == "io.grid"
    with pytest.raises(InputError, match="0 of 0 tiles of small") as caught:
        join_tiles(predicted, small, out, **SIDES)
    assert caught.value.code == "io.missing"
    tile = next(predicted.glob("*.png"))
    Image.fromarray(np.zeros((64, 63), dtype=np.uint8)).save(tile)
    with pytest.raises(InputError, match="63 x 64") as caught:
        join_tiles(predicted, path, out, **SIDES)
    assert caught.value.code == "io.grid"
    assert not out.exists()
