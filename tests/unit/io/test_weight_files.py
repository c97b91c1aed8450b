from __future__ import annotations

import pytest

from samplar.errors import WeightsError
from samplar.io.weight_files import candidates, weights_in


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["model.safetensors.index.json", "model.safetensors", "a.pth"], ["model.safetensors"]),
        (["pytorch_model.bin", "model.safetensors.index.json"], ["model.safetensors.index.json"]),
        (["pytorch_model.bin", "other.safetensors"], ["pytorch_model.bin"]),
        (["sam.pth", "sam.safetensors", "sam.pt"], ["sam.safetensors"]),
        (["b.pth", "a.pth", "c.pt"], ["a.pth", "b.pth"]),
        (["c.pt", "c.bin"], ["c.pt"]),
        (["README.md", "modeling.py", "config.json", "training_args.zip"], []),
        ([], []),
    ],
)
def test_the_first_kind_that_is_there(names, found):
    assert candidates(names) == found


def test_a_folder_is_looked_at_itself_and_no_deeper(tmp_path):
    (tmp_path / "deeper").mkdir()
    (tmp_path / "model.safetensors").mkdir()
    (tmp_path / "deeper" / "model.safetensors").touch()
    assert weights_in(tmp_path) is None
    (tmp_path / "own.pt").touch()
    assert weights_in(tmp_path) == tmp_path / "own.pt"
    (tmp_path / "own2.pt").touch()
    with pytest.raises(WeightsError) as caught:
        weights_in(tmp_path)
    assert caught.value.code == "weights.ambiguous"
