from __future__ import annotations

import pytest
import torch

from samplar.sam.precision import at_least_single, autocast, chosen_precision

CPU = torch.device("cpu")


@pytest.mark.parametrize("wanted", ["fp32", "bf16"])
@pytest.mark.parametrize("device", ["cpu", "cuda", "mps"])
def test_what_is_asked_for_is_kept(wanted, device):
    assert chosen_precision(wanted, torch.device(device)) == wanted


@pytest.mark.parametrize(("able", "expected"), [(True, "bf16"), (False, "fp32")])
def test_auto_asks_what_the_processor_can_do(monkeypatch, able, expected):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: able)
    generation = (8, 0) if able else (7, 5)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: generation)
    assert chosen_precision("auto", CPU) == expected
    assert chosen_precision("auto", torch.device("cuda")) == expected
    assert chosen_precision("auto", torch.device("mps")) == "fp32"


def test_the_context_changes_the_type_of_products_for_bf16_alone():
    a = torch.ones(2, 2)
    with autocast("bf16", CPU):
        assert (a @ a).dtype == torch.bfloat16
    with autocast("fp32", CPU):
        assert (a @ a).dtype == torch.float32


@torch.no_grad()
def test_bf16_stays_close_to_fp32(tiny_sam):
    image = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    exact = tiny_sam.decode(tiny_sam.encode(image))[0]
    with autocast("bf16", CPU):
        rough = tiny_sam.decode(tiny_sam.encode(image))[0].float()
    assert 0 < (rough - exact).abs().max() < 0.1 * exact.abs().max()


def test_half_precision_is_widened_and_nothing_is_narrowed():
    kinds = {
        torch.float16: torch.float32,
        torch.bfloat16: torch.float32,
        torch.float32: torch.float32,
        torch.float64: torch.float64,
    }
    values = torch.tensor([1.5, -2.0])
    for kind, wanted in kinds.items():
        found = at_least_single(values.to(kind))
        assert found.dtype == wanted
        assert torch.equal(found, values.to(wanted))
