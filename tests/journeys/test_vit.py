"""SAM's own kind of encoder, from the command line."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from command import QUICK, samplar
from phantom_sets import nifti

from samplar.sam.cards import TINY_VIT
from samplar.sam.model import empty_sam
from samplar.sam.seeded import seeded_state

VIT = (*QUICK, "--weights", "tiny-vit-sam")


@pytest.mark.parametrize("method", ["cheap-lunch", "decoder-only"])
def test_fit_predict_and_score_on_a_vit(tmp_path, method):
    data, run, out = nifti(tmp_path / "set"), tmp_path / "run", tmp_path / "out"
    made = samplar("fit", data, "-o", run, *VIT, "--method", method)
    assert made.status == 0, made.err
    assert "made for 16 x 16 cells, are resized to 8 x 8" in made.err
    assert json.loads((run / "adapter" / "adapter.json").read_text())["weights"] == "tiny-vit-sam"
    ran = samplar("predict", run, data / "images", "-o", out)
    assert ran.status == 0, ran.err
    assert len(list(out.glob("*.nii.gz"))) == 3


def test_a_size_that_the_encoder_cannot_cut_is_refused_before_anything_is_computed(tmp_path):
    encoder = replace(TINY_VIT.shape.encoder, patch=16, grid=4)
    shape = replace(TINY_VIT.shape, encoder=encoder)
    path = tmp_path / "own.pth"
    torch.save(seeded_state(empty_sam(shape).state_dict(), seed=1), path)
    flags = ("--weights", path, "--size", 40)
    ran = samplar("fit", nifti(tmp_path / "set"), "-o", tmp_path / "run", *QUICK, *flags)
    assert ran.status == 2
    assert "size = 40, but this encoder needs a multiple of 16 pixels. Use 32 or 48" in ran.err
    assert "[config.size]" in ran.err
    assert not (tmp_path / "run").exists()
