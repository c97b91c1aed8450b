"""The oracles here are `transformers` and `peft` themselves."""

from __future__ import annotations

import pytest
import torch
from peft import PeftModel
from transformers import SamModel

TOLERANCE = 1e-5


@torch.no_grad()
def logits(model, pixels):
    """All masks of a `SamModel`, which returns either the first or all others."""
    parts = [model(pixel_values=pixels, multimask_output=many) for many in (False, True)]
    return torch.cat([part.pred_masks[:, 0] for part in parts], dim=1)


def load(folder):
    base, report = SamModel.from_pretrained(folder / "base", output_loading_info=True)
    assert not any(report.values())
    return PeftModel.from_pretrained(base.eval(), folder).eval()


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("classes", [1, 3, 8])
@pytest.mark.parametrize("name", ["samed", "samed-s", "cheap-lunch", "decoder-only"])
def test_peft_computes_the_same(saved, exported, name, classes):
    made = saved(name, classes=classes)
    model = load(exported(made, "peft").folder)
    expected = made.logits()
    assert expected.shape[1] == classes + 1
    assert expected.std() > 0.01
    torch.testing.assert_close(logits(model, made.pixels()), expected, rtol=0, atol=TOLERANCE)
    plain = model.merge_and_unload()
    torch.testing.assert_close(logits(plain, made.pixels()), expected, rtol=0, atol=TOLERANCE)
