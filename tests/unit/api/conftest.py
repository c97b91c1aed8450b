"""A short fit of the tiny weights, made once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from samplar.config.fit import FitConfig
from samplar.training.fit import Told

SHORT = {"iterations": 4, "pool": 6, "batch": 2, "checkpoint_every": 2, "precision": "fp32"}


@pytest.fixture
def config(volumes: Path) -> Callable[..., FitConfig]:
    """Return a maker of settings that take a second."""

    def make(**settings: Any) -> FitConfig:
        plain = {"weights": "tiny", "size": 32, "k": 2, "device": "cpu", "training": SHORT}
        return FitConfig(**{"dataset": volumes, **plain, **settings})

    return make


@pytest.fixture
def silent() -> Told:
    return Told(
        stage=lambda name, count: None, step=lambda done, loss: None, note=lambda line: None
    )
