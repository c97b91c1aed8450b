from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from samplar.errors import InputError
from samplar.training import checkpoint as module
from samplar.training.checkpoint import (
    Checkpoint,
    newest_checkpoint,
    optimizer_tensors,
    restore_optimizer,
    sweep,
    write_checkpoint,
)


def state(step, run="this run"):
    value = torch.full((2, 3), float(step))
    return Checkpoint(step, {"a.weight": value}, {"a.weight.exp_avg": value + 0.5}, run)


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def newest(folder, run="this run"):
    found, skipped = newest_checkpoint(folder, run=run)
    return (None if found is None else found.step), skipped


def test_comes_back_bit_for_bit(tmp_path):
    chance = torch.Generator().manual_seed(0)
    tensors = {"a": torch.randn(3, 4, generator=chance), "b": torch.tensor(7.0)}
    write_checkpoint(tmp_path, Checkpoint(12, tensors, {"a.step": tensors["b"]}, "this run"))
    found, skipped = newest_checkpoint(tmp_path, run="this run")
    assert (found.step, found.run, skipped) == (12, "this run", [])
    assert set(found.adapter) == {"a", "b"}
    assert all(torch.equal(found.adapter[n], t) for n, t in tensors.items())
    assert torch.equal(found.optimizer["a.step"], tensors["b"])


def test_no_folder_has_no_checkpoint(tmp_path):
    assert newest(tmp_path / "none") == (None, [])


def test_keeps_the_newest_two(tmp_path):
    for step in (9, 10, 100, 110):
        write_checkpoint(tmp_path, state(step))
    assert names(tmp_path) == ["step-000100", "step-000110"]
    assert newest(tmp_path) == (110, [])


def test_writing_a_step_again_replaces_it(tmp_path):
    write_checkpoint(tmp_path, state(5, run="old"))
    write_checkpoint(tmp_path, state(5))
    assert newest(tmp_path) == (5, [])


@pytest.mark.parametrize("survived", range(3))
def test_a_write_that_fails_between_two_files_leaves_the_older_checkpoint_alone(
    tmp_path, monkeypatch, survived
):
    write_checkpoint(tmp_path, state(1))
    real, done = module.write_bytes, []

    def dies(path: Path, data: bytes) -> None:
        if len(done) == survived:
            raise KeyboardInterrupt
        real(path, data)
        done.append(path)

    with monkeypatch.context() as patch:
        patch.setattr(module, "write_bytes", dies)
        with pytest.raises(KeyboardInterrupt):
            write_checkpoint(tmp_path, state(2))
    assert newest(tmp_path) == (1, [])
    assert names(tmp_path) == ["step-000001"]
    write_checkpoint(tmp_path, state(2))  # the same step, after resuming
    assert newest(tmp_path) == (2, [])
    assert names(tmp_path) == ["step-000001", "step-000002"]


def test_a_rename_that_fails_leaves_the_older_checkpoint_alone(tmp_path, monkeypatch):
    write_checkpoint(tmp_path, state(1))

    def dies(self, target):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", dies)
        with pytest.raises(KeyboardInterrupt):
            write_checkpoint(tmp_path, state(2))
    assert newest(tmp_path) == (1, [])
    assert names(tmp_path) == ["step-000001"]


def flip(path):
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    "harm",
    [
        lambda p: flip(p / "adapter.safetensors"),
        lambda p: flip(p / "optimizer.safetensors"),
        lambda p: (p / "optimizer.safetensors").write_bytes(b""),
        lambda p: (p / "adapter.safetensors").unlink(),
        lambda p: (p / "state.json").unlink(),
        lambda p: (p / "state.json").write_text("{"),
        lambda p: (p / "state.json").write_text("[1]"),
        lambda p: (p / "state.json").write_text('{"step": 2, "sha256": {}}'),
        lambda p: edit(p / "state.json", '"step": 2', '"step": 3'),
        lambda p: edit(p / "state.json", "this run", "that run"),
        lambda p: (p / "state.json").write_bytes(
            (p.with_name("step-000001") / "state.json").read_bytes()
        ),
    ],
)
def test_a_damaged_newest_is_passed_over_and_said(tmp_path, harm):
    write_checkpoint(tmp_path, state(1))
    harm(write_checkpoint(tmp_path, state(2)))
    step, skipped = newest(tmp_path)
    assert step == 1
    assert len(skipped) == 1
    assert skipped[0].startswith("step-000002 is damaged")


def test_all_damaged_is_none_and_both_are_said(tmp_path):
    for step in (1, 2):
        flip(write_checkpoint(tmp_path, state(step)) / "adapter.safetensors")
    step, skipped = newest(tmp_path)
    assert step is None
    assert [line[:11] for line in skipped] == ["step-000002", "step-000001"]


def test_the_checkpoint_of_another_run_is_refused(tmp_path):
    write_checkpoint(tmp_path, state(1, run="another"))
    with pytest.raises(InputError) as caught:
        newest(tmp_path)
    assert caught.value.code == "resume.other_run"


def test_nothing_is_pickled(tmp_path):
    folder = write_checkpoint(tmp_path, state(3))
    assert names(folder) == ["adapter.safetensors", "optimizer.safetensors", "state.json"]
    content = json.loads((folder / "state.json").read_text())
    assert content["step"] == 3
    assert set(content["sha256"]) == {"adapter.safetensors", "optimizer.safetensors"}


def stepped(layer, optimizer, count):
    for n in range(count):
        optimizer.zero_grad()
        layer(torch.full((1, 3), n + 1.0)).square().sum().backward()
        optimizer.step()


def test_an_optimiser_goes_on_as_if_it_had_never_stopped():
    torch.manual_seed(0)
    one, two = nn.Linear(3, 2), nn.Linear(3, 2)
    first = torch.optim.AdamW(one.parameters(), lr=0.1, weight_decay=0.1)
    stepped(one, first, 3)
    two.load_state_dict(one.state_dict())
    second = torch.optim.AdamW(two.parameters(), lr=0.1, weight_decay=0.1)
    saved = optimizer_tensors(first, dict(one.named_parameters()))
    assert set(saved) == {
        f"{name}.{key}" for name in ("weight", "bias") for key in ("step", "exp_avg", "exp_avg_sq")
    }
    saved = {name: tensor.clone() for name, tensor in saved.items()}
    restore_optimizer(second, dict(two.named_parameters()), saved)
    stepped(one, first, 2)
    stepped(two, second, 2)
    assert torch.equal(one.weight, two.weight)
    assert torch.equal(one.bias, two.bias)


def test_what_a_killed_process_left_half_written_is_swept(tmp_path):
    write_checkpoint(tmp_path, state(1))
    (tmp_path / "step-000002.tmp").mkdir()
    (tmp_path / "step-000001.aabbccdd.tmp").mkdir()
    sweep(tmp_path)
    assert names(tmp_path) == ["step-000001"]
