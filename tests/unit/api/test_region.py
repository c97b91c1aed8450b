from __future__ import annotations

import numpy as np
import pytest

from samplar.api.region import framed, region_for
from samplar.config.fit import FitConfig
from samplar.exemplars.exemplar import Exemplar, ExemplarSet
from samplar.io.labels import LabelSet


@pytest.fixture
def exemplars():
    """Return one exemplar of 40 x 60 pixels with a structure of 12 x 12."""
    labels = np.zeros((40, 60), dtype=np.uint8)
    labels[10:22, 10:22] = 1
    image = np.zeros((3, 40, 60), dtype=np.float32)
    one = Exemplar.of(case="c", subject="s", number=0, image=image, labels=labels)
    return ExemplarSet.of([one], LabelSet(("a",), (1,)))


def settings(size, **roi):
    return FitConfig(dataset="d", method="decoder-only", size=size, roi={"mode": "auto", **roi})


@pytest.mark.parametrize(
    ("size", "margin", "used"),
    [(56, 1.5, False), (56, 1.0, True), (64, 1.0, False), (64, 0.7, True)],
)
def test_what_the_frame_shows_in_full_is_enlarged_by_much_or_not(exemplars, size, margin, used):
    region, note = region_for(exemplars, settings(size, margin=margin))
    assert (region is not None) == used
    assert note.startswith("region of interest: off, the structures fill the exemplars") != used


@pytest.mark.parametrize(
    ("size", "otherwise", "frame"),
    [(32, 64, 64), (32, None, 32), (56, 48, 56), (56, 56, 56), (64, 96, 64)],
)
def test_a_larger_frame_is_used_where_it_shows_more(exemplars, size, otherwise, frame):
    config = settings(size, otherwise=otherwise, margin=4)  # no window
    region, _ = region_for(exemplars, config)
    assert region is None
    found, note = framed(exemplars, config, region)
    assert found.size == frame
    assert bool(note) == (frame != size)
    assert framed(exemplars, found, region_for(exemplars, found)[0]) == (found, "")


def test_the_frame_stays_where_there_is_a_window_or_nobody_asked(exemplars):
    config = settings(32, otherwise=64)
    region, _ = region_for(exemplars, config)
    assert region is not None
    assert framed(exemplars, config, region) == (config, "")
    off = settings(32, otherwise=64, mode="off")
    assert framed(exemplars, off, None) == (off, "")
