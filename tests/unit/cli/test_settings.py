from __future__ import annotations

from pathlib import Path

import pytest

from samplar.cli.screen import Screen
from samplar.cli.settings import channel_numbers, fit_settings, strength
from samplar.errors import InputError, UsageError

SCREEN = Screen(as_json=False, quiet=False)


def settings(tmp_path, flags, *, yaml=None, sets=()):
    path = None
    if yaml is not None:
        path = tmp_path / "config.yaml"
        path.write_text(yaml)
    return fit_settings(SCREEN, {"dataset": Path("x"), **flags}, config=path, sets=sets)


def test_set_goes_over_flags_over_the_file_over_the_preset(tmp_path):
    yaml = "k: 7\nseed: 5\nsize: 64\npreset: paper\ntraining: {batch: 3}\n"
    made = settings(tmp_path, {"k": 9, "seed": 6}, yaml=yaml, sets=["k=11", "training.lr=0.01"])
    assert (made.k, made.seed, made.size) == (11, 6, 64)
    assert (made.training.batch, made.training.lr, made.training.iterations) == (3, 0.01, 4000)
    assert made.preset == "paper"


def test_a_flag_that_was_not_given_hides_nothing(tmp_path):
    assert settings(tmp_path, {"k": None, "preset": None}, yaml="k: 7\npreset: fast").k == 7


def test_paths_are_kept_as_whole_paths(tmp_path):
    made = settings(tmp_path, {"preset": "fast", "split": Path("s.json")})
    assert made.dataset == Path("x").absolute()
    assert made.split == Path("s.json").absolute()
    assert made.exemplars is None


def test_auto_is_decided_and_said(tmp_path, capsys):
    made = settings(tmp_path, {})
    assert made.preset in {"fast", "standard"}
    assert capsys.readouterr().err.startswith(f"preset {made.preset}: ")


@pytest.mark.parametrize(
    ("yaml", "error", "code"),
    [
        ("preset: slow", UsageError, "config.preset"),
        ("preset: [1]", UsageError, "config.preset"),
        ("method: 5", UsageError, "methods.unknown"),
        ("- k", InputError, "config.shape"),
        ("k: [", InputError, "document.unreadable"),
    ],
)
def test_a_file_that_is_no_settings_is_refused(tmp_path, yaml, error, code):
    with pytest.raises(error) as caught:
        settings(tmp_path, {}, yaml=yaml)
    assert caught.value.code == code


def test_synthesis_and_channels():
    assert strength(None) is None
    assert strength("light") == {"strength": "light"}
    assert channel_numbers(None) is None
    assert channel_numbers("2, 0,1") == (2, 0, 1)
    for wrong in ("", "0,", "-1", "a", "²"):
        with pytest.raises(UsageError, match=r"config\.channels"):
            channel_numbers(wrong)
