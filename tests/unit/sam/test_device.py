from __future__ import annotations

import pytest
import torch

from samplar.errors import UsageError
from samplar.sam.device import chosen_device, device_of, encoder_batch


@pytest.fixture
def bare(monkeypatch):
    """A machine without any accelerator, whatever this one has."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


def test_auto_is_the_cpu_where_there_is_nothing_else(bare):
    assert chosen_device("auto") == chosen_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize("wanted", ["cuda", "cuda:1", "mps", "tpu", "cpu:x", ""])
def test_never_takes_another_device_than_asked(bare, wanted):
    with pytest.raises(UsageError, match=r"Use one of: auto, cpu\. ") as caught:
        chosen_device(wanted)
    assert caught.value.code == "device.absent"


def test_auto_takes_the_graphics_card(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert chosen_device("auto") == torch.device("cuda")
    assert chosen_device("cuda:1") == torch.device("cuda", 1)
    assert chosen_device("cpu") == torch.device("cpu")
    with pytest.raises(UsageError, match="auto, cpu, cuda, cuda:0, cuda:1"):
        chosen_device("cuda:2")


def test_several_processes_take_the_graphics_cards_in_turn_unless_one_was_named(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    taken = [device_of(torch.device("cuda"), n) for n in range(3)]
    assert [device.index for device in taken] == [0, 1, 0]
    assert device_of(torch.device("cuda", 1), 0) == torch.device("cuda", 1)
    assert device_of(torch.device("cpu"), 1) == torch.device("cpu")


def test_a_cpu_takes_one_image_at_a_time():
    assert encoder_batch(torch.device("cpu")) == 1
    assert encoder_batch(torch.device("cuda")) == 8
