from __future__ import annotations

import numpy as np
import torch

from samplar.methods.region import fit_level, region_box


def test_the_region_is_what_hangs_together_with_the_seed():
    similarity = torch.tensor(
        [
            [0.9, 0.1, 0.1, 0.1, 0.8],
            [0.1, 0.1, 0.7, 0.1, 0.1],
            [0.1, 0.6, 1.0, 0.6, 0.1],
            [0.1, 0.1, 0.1, 0.1, 0.6],
        ]
    )
    assert region_box(similarity, 0.55, (2, 2)).tolist() == [1, 1, 3, 2]
    assert region_box(similarity, 0.65, (2, 2)).tolist() == [2, 1, 2, 2]
    assert region_box(similarity, 0.0, (2, 2)).tolist() == [0, 0, 4, 3]


def test_a_level_above_everything_leaves_the_seed():
    similarity = torch.zeros(4, 5)
    similarity[1, 3] = 1
    assert region_box(similarity, 2.0, (3, 1)).tolist() == [3, 1, 3, 1]


def test_the_level_cuts_a_clear_structure_out():
    truth = torch.zeros(30, 30, dtype=torch.bool)
    truth[10:16, 12:20] = True
    chance = torch.rand(30, 30, generator=torch.Generator().manual_seed(0))
    similarity = chance + 2 * truth
    level = fit_level([similarity], [truth], [torch.ones_like(truth)])
    assert dice(similarity >= level, truth) > 0.93


def dice(one, other):
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))


def test_no_other_level_has_a_larger_mean_dice():
    generator = torch.Generator().manual_seed(1)
    truths = [torch.rand(20, 25, generator=generator) < share for share in (0.1, 0.3)]
    maps = [torch.rand(20, 25, generator=generator) + 0.5 * truth for truth in truths]
    known = [torch.ones(20, 25, dtype=torch.bool) for _ in maps]
    level = fit_level(maps, truths, known)

    def score(at):
        return np.mean([dice(m >= at, t) for m, t in zip(maps, truths, strict=True)])

    pooled = torch.cat([m.flatten() for m in maps]).numpy()
    assert (
        score(level)
        >= max(score(at) for at in np.quantile(pooled, np.linspace(0.5, 0.99, 200))) - 0.01
    )


def test_unknown_pixels_do_not_count():
    truth = torch.zeros(10, 10, dtype=torch.bool)
    truth[:3] = True
    similarity = torch.where(truth, 1.0, 0.0)
    similarity[7:] = 2.0  # would be cut out first
    known = torch.ones_like(truth)
    known[7:] = False
    level = fit_level([similarity], [truth], [known])
    assert 0 < level <= 1
