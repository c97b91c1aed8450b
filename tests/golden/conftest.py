"""The inputs of the golden cases, taken from the script that made them."""

from __future__ import annotations

from types import ModuleType

import pytest
from golden_recipe import recipe_of


@pytest.fixture(scope="session")
def recipe() -> ModuleType:
    return recipe_of("lite_medsam")
