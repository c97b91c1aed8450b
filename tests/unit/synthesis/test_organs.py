from __future__ import annotations

import torch

from samplar.synthesis.organs import Organ, find_organs, together
from samplar.synthesis.shape import Window


def labels():
    plane = torch.zeros(20, 20, dtype=torch.uint8)
    plane[2:4, 3:9] = 4
    plane[10:16, 10:18] = 2
    plane[0, 0] = 255
    plane[18:, 18:] = 7
    return plane


def test_organs_are_measured_largest_first_inside_the_valid_part():
    valid = torch.ones(20, 20, dtype=torch.bool)
    valid[18:] = False
    assert list(find_organs(labels(), valid).items()) == [
        (2, Organ(48, (12.5, 13.5), Window(10, 10, 16, 18))),
        (4, Organ(12, (2.5, 5.5), Window(2, 3, 4, 9))),
    ]


def test_organs_together():
    organs = find_organs(labels(), torch.ones(20, 20, dtype=torch.bool))
    group = together([organs[2], organs[4]])
    assert group.area == 60
    assert group.centre == ((12.5 * 48 + 2.5 * 12) / 60, (13.5 * 48 + 5.5 * 12) / 60)
    assert group.window == Window(2, 3, 16, 18)


def test_no_foreground_no_organs():
    assert find_organs(torch.zeros(5, 5, dtype=torch.uint8), torch.ones(5, 5).bool()) == {}
