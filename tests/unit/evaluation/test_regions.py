from __future__ import annotations

import json

import numpy as np
import pytest

from samplar.errors import InputError
from samplar.evaluation.protocols import score_case
from samplar.evaluation.regions import read_regions, score_regions
from samplar.io.labels import LabelSet
from samplar.types import IGNORE

BRATS = LabelSet(("core", "oedema", "enhancing"), (1, 2, 4))
GIVEN = {"spacing": (1.0, 1.0, 2.0), "unit": "mm", "tolerance": 1.0}
REGIONS = {"whole": (1, 2, 3), "core": (1, 3), "enhancing": (3,)}


def volume(*rows):
    return np.array([[[int(c) for c in row] for row in rows]], dtype=np.uint8)


def write(folder, document):
    path = folder / "regions.json"
    path.write_text(json.dumps(document))
    return path


def test_regions_name_the_values_of_the_files(tmp_path):
    document = {"whole": [4, 1, 2], "core": [1, 4], "enhancing": [4]}
    assert read_regions(write(tmp_path, document), BRATS) == REGIONS
    merged = LabelSet(("tumour",), (4,), merged=((1, 1), (9, 0)))
    assert read_regions(write(tmp_path, {"whole": [1, 4]}), merged) == {"whole": (1,)}


@pytest.mark.parametrize(
    ("document", "code", "told"),
    [
        ([], "regions.shape", "not a list of regions"),
        ({}, "regions.shape", "not a list of regions"),
        ({"whole": 1}, "regions.shape", "whole is not a list"),
        ({"whole": []}, "regions.shape", "whole is not a list"),
        ({"whole": [True]}, "regions.shape", "whole is not a list"),
        ({"whole": ["core"]}, "regions.shape", "whole is not a list"),
        ({"whole": [1, 3, 0]}, "regions.unknown", "whole holds 3, 0, .* classes are 1, 2, 4"),
    ],
)
def test_what_is_no_list_of_regions_is_refused(tmp_path, document, code, told):
    with pytest.raises(InputError, match=told) as caught:
        read_regions(write(tmp_path, document), BRATS)
    assert caught.value.code == code


@pytest.mark.parametrize("protocol", ["strict", "samed"])
def test_each_region_is_scored_as_the_only_class(protocol):
    truth = volume("0112", "0132", "0000")
    found = volume("0122", "0312", "0300")
    scores = score_regions(found, truth, REGIONS, protocol=protocol, **GIVEN)
    assert [score.index for score in scores] == [1, 2, 3]
    # whole: 6 of 6, and 7 found; core: {1, 3} in 4 places, 4 found, 3 shared; enhancing: apart
    assert [score.dsc for score in scores] == pytest.approx([200 * 6 / 13, 200 * 3 / 8, 0])
    for score, members in zip(scores, REGIONS.values(), strict=True):
        masks = [np.isin(array, members).astype(np.uint8) for array in (found, truth)]
        (alone,) = score_case(*masks, classes=1, protocol=protocol, **GIVEN)
        assert score.model_dump(exclude={"index"}) == alone.model_dump(exclude={"index"})


def test_what_nobody_labelled_is_left_out():
    truth = volume("1200", "0000")
    truth[0, 1] = IGNORE
    found = volume("1200", "2222")
    scores = score_regions(found, truth, REGIONS, protocol="strict", **GIVEN)
    assert [score.dsc for score in scores[:2]] == [100, 100]
    assert [score.status for score in scores] == ["scored", "scored", "both-empty"]
