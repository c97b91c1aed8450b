"""Samplar: SAM from a few exemplars.

The public names are loaded when they are first used, so that `import samplar` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from samplar.api.evaluate import evaluate
    from samplar.api.fit import fit
    from samplar.api.predict import predict
    from samplar.errors import SamplarError
    from samplar.io.volume import Volume
    from samplar.methods.registry import cards as methods
    from samplar.prediction.adapter import load_adapter

__version__ = "0.1.0"

__all__ = ["SamplarError", "Volume", "evaluate", "fit", "load_adapter", "methods", "predict"]

_HOMES = {
    "SamplarError": ("samplar.errors", "SamplarError"),
    "Volume": ("samplar.io.volume", "Volume"),
    "evaluate": ("samplar.api.evaluate", "evaluate"),
    "fit": ("samplar.api.fit", "fit"),
    "load_adapter": ("samplar.prediction.adapter", "load_adapter"),
    "methods": ("samplar.methods.registry", "cards"),
    "predict": ("samplar.api.predict", "predict"),
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'samplar' has no attribute {name!r}")
    module, attribute = _HOMES[name]
    return getattr(importlib.import_module(module), attribute)
