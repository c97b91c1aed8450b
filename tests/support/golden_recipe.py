"""The scripts that made the golden files; the tests take settings and inputs from them."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

GOLDEN = Path(__file__).parents[1] / "golden"


def recipe_of(name: str) -> ModuleType:
    """Return `tests/golden/make_NAME.py`, run anew; it does nothing until it is asked."""
    path = GOLDEN / f"make_{name}.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
