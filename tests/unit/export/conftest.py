"""Adapters with made-up numbers, saved and exported as the command line does it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from samplar.api.export import Exported, export
from samplar.config.base import build
from samplar.methods.adapted import AdaptedSam
from samplar.methods.registry import load_method
from samplar.prediction.adapter import save_adapter
from samplar.sam.weights import find_card, load_sam

VIT = "tiny-vit-sam"


@dataclass(frozen=True)
class Saved:
    """An adapter on disk, and what it computes."""

    model: AdaptedSam
    folder: Path
    size: int

    def images(self) -> Tensor:
        chance = torch.Generator().manual_seed(3)
        return torch.rand(2, 3, self.size, self.size, generator=chance)

    def pixels(self) -> Tensor:
        """What programs that know no pixel rule have to be given for these images."""
        rule = self.model.sam.pixels.rule
        mean, std = (torch.tensor(colour).view(3, 1, 1) for colour in (rule.mean, rule.std))
        return (self.images() - mean) / std

    @torch.no_grad()
    def logits(self) -> Tensor:
        return self.model(self.model.prefix(self.images()), self.images())


@torch.no_grad()
def moved(model: AdaptedSam, seed: int = 0) -> AdaptedSam:
    """Move every trained tensor, as training would."""
    chance = torch.Generator().manual_seed(seed)
    for parameter in model.trained().values():
        spread = 0.3 * max(float(parameter.std(correction=0)), 0.1)
        parameter.add_(spread * torch.randn(parameter.shape, generator=chance))
    return model


def make(name: str, *, weights: str = VIT, classes: int = 2, **config: Any) -> AdaptedSam:
    method = load_method(name)
    torch.manual_seed(0)
    model = AdaptedSam(load_sam(weights), method, build(method.config, config), classes)
    return moved(model) if method.card.trains else model


def save(model: AdaptedSam, folder: Path, *, size: int, weights: str = VIT) -> Saved:
    names = tuple(f"organ {number}" for number in range(1, model.classes + 1))
    fields = {
        "samplar": "0",
        "method": model.method.card.name,
        "method_config": model.config.model_dump(),
        "weights": weights,
        "weights_sha256": find_card(weights).sha256,
        "class_names": names,
        "class_values": tuple(range(1, model.classes + 1)),
        "size": size,
        "plane": "axial",
        "intensity": {"kind": "window", "low": -125, "high": 275},
        "channels": None,
        "precision": "fp32",
        "seed": 0,
        "exemplars": [],
        "exemplars_digest": "",
    }
    save_adapter(folder, model, fields)
    return Saved(model, folder, size)


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., Saved]:
    """Return a maker of an adapter folder of any method on any weights."""

    def create(name: str, *, size: int = 48, weights: str = VIT, **given: Any) -> Saved:
        model = make(name, weights=weights, **given)
        return save(model, tmp_path / "run" / "adapter", size=size, weights=weights)

    return create


@pytest.fixture
def exported(tmp_path: Path) -> Callable[..., Exported]:
    """Return a function that exports what `saved` made."""

    def write(made: Saved, kind: Any) -> Exported:
        return export(made.folder, tmp_path / "out", kind=kind)

    return write


@pytest.fixture
def readme_code() -> Callable[[Path], str]:
    """Return a function that finds the Python in an export's README.md."""

    def find(folder: Path) -> str:
        text = (folder / "README.md").read_text()
        (block,) = text.split("```python\n")[1:]
        return block.split("```")[0]

    return find


@pytest.fixture
def first_linear() -> Callable[[nn.Module], nn.Linear]:
    """Return a function that finds a layer to look at."""
    return lambda model: next(m for m in model.modules() if isinstance(m, nn.Linear))
