from __future__ import annotations

import pytest
from pydantic import ValidationError

from samplar.synthesis.draw import Draw, Look, Move


def test_the_scene_is_the_donor_or_the_exemplar():
    assert Draw(exemplar=3).scene == 3
    assert Draw(exemplar=3, background="own").scene == 3
    assert Draw(exemplar=3, background="cross", donor=1).scene == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"exemplar": -1},
        {"exemplar": 0, "moves": (Move(classes=(1,)),)},
        {"exemplar": 0, "background": "cross"},
        {"exemplar": 0, "background": "own", "donor": 1},
        {"exemplar": 0, "background": "own", "moves": [{"classes": []}]},
        {"exemplar": 0, "look": {"gamma": 0}},
        {"exemplar": 0, "look": {"gain": float("nan")}},
        {"exemplar": 0, "speed": 1},
    ],
)
def test_impossible_draws_are_refused(wrong):
    with pytest.raises(ValidationError):
        Draw.model_validate(wrong)


def test_a_bias_has_nine_coefficients_at_most():
    with pytest.raises(ValidationError):
        Look(bias=(0.1,) * 10)
