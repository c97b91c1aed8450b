"""An adapter in a folder, and volumes in memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from samplar.io.affine import Affine
from samplar.io.volume import Volume
from samplar.prediction.adapter import AdapterCard, save_adapter
from samplar.sam.weights import WEIGHTS

FIELDS: dict[str, Any] = {
    "samplar": "0.1.0",
    "method": "samed-s",
    "method_config": {"rank": 2},
    "weights": "tiny",
    "weights_sha256": WEIGHTS["tiny"].sha256,
    "class_names": ("left", "right"),
    "class_values": (3, 7),
    "size": 32,
    "plane": "axial",
    "intensity": {"kind": "window", "low": 0, "high": 200},
    "channels": None,
    "precision": "fp32",
    "seed": 4,
    "exemplars": [{"case": "ann", "subject": "a", "slice": 2, "digest": "0" * 64}],
    "exemplars_digest": "1" * 64,
}


@pytest.fixture(scope="session")
def learnt(adapted, phantoms, taught):
    """A model that has learnt enough to tell its classes apart somewhere."""
    return taught(adapted("samed-s", rank=2), phantoms(), iterations=60, batch=2, lr=1e-2)


@pytest.fixture
def fields() -> dict[str, Any]:
    """Return the fields of the card of a made-up adapter."""
    return dict(FIELDS)


@pytest.fixture
def saved(learnt, tmp_path) -> tuple[Path, AdapterCard]:
    """Return an adapter folder inside a run folder, and its card."""
    folder = tmp_path / "run" / "adapter"
    return folder, save_adapter(folder, learnt, FIELDS)


@pytest.fixture
def card(saved) -> AdapterCard:
    return saved[1]


@pytest.fixture
def volume(arrays) -> Callable[..., Volume]:
    """Return a maker of a grey volume of bright discs, its slices along z."""

    def make(shape: tuple[int, int, int] = (36, 28, 10), *, seed: int = 3) -> Volume:
        images, _ = arrays(shape[2], height=shape[1], width=shape[0], seed=seed)
        array = np.round(200 * np.transpose(images[:, :1], (1, 3, 2, 0))).astype(np.int16)
        return Volume(array, Affine(np.diag([-1.5, -1.2, 4.0, 1.0])), "mm", (Path("a.nii"),))

    return make
