"""Every contract holds on every kind of image encoder: the fixtures here go through them all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from quick_methods import QUICK

from samplar.methods.registry import cards
from samplar.sam.weights import WEIGHTS, load_sam

if TYPE_CHECKING:
    from samplar.methods.adapted import AdaptedSam
    from samplar.sam.model import Sam

CARDS = cards()
IN_MEMORY = [name for name, card in WEIGHTS.items() if card.bundle is None]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out methods on encoders they refuse; that they do refuse them is a test of its own."""
    unfit = [item for item in items if _is_unfit(item)]
    config.hook.pytest_deselected(items=unfit)
    items[:] = [item for item in items if item not in unfit]


def _is_unfit(item: pytest.Item) -> bool:
    given = getattr(getattr(item, "callspec", None), "params", {})
    card = CARDS.get(given.get("name", ""))
    return (
        card is not None and "base" in given and not card.fits(WEIGHTS[given["base"]].architecture)
    )


@pytest.fixture(params=IN_MEMORY)
def base(request: pytest.FixtureRequest) -> str:
    """Return the name of small made-up base weights."""
    return request.param


@pytest.fixture
def tiny_sam(base: str) -> Sam:
    """Return these weights as a SAM."""
    return load_sam(base)


@pytest.fixture
def adapted(base: str) -> Callable[..., AdaptedSam]:
    """Return a maker of a method on these weights, seeded as `samplar fit` does it."""
    import torch

    from samplar.config.base import build
    from samplar.methods.adapted import AdaptedSam
    from samplar.methods.registry import load_method

    def make(name: str, *, classes: int = 2, seed: int = 0, **config: Any) -> AdaptedSam:
        method = load_method(name)
        sam = load_sam(base)
        torch.manual_seed(seed)
        return AdaptedSam(sam, method, build(method.config, QUICK.get(name, {}) | config), classes)

    return make


@pytest.fixture
def reloaded(base: str, tmp_path: Path) -> Callable[..., AdaptedSam]:
    """Return a function that saves a model of two classes and loads what was saved."""
    from samplar.prediction.adapter import load_adapter, save_adapter

    def reload(model: AdaptedSam, *, size: int) -> AdaptedSam:
        fields = {
            "samplar": "0",
            "method": model.method.card.name,
            "method_config": model.config.model_dump(),
            "weights": base,
            "weights_sha256": WEIGHTS[base].sha256,
            "class_names": ("left", "right"),
            "class_values": (1, 2),
            "size": size,
            "plane": "axial",
            "intensity": {"kind": "range", "low": 0, "high": 1},
            "channels": None,
            "precision": "fp32",
            "seed": 0,
            "exemplars": [],
            "exemplars_digest": "",
        }
        save_adapter(tmp_path / "adapter", model, fields)
        return load_adapter(tmp_path / "adapter")

    return reload
