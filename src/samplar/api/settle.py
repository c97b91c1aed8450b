"""Settings of a method that wait for the number of exemplars."""

from __future__ import annotations

import json

from samplar.config.base import build
from samplar.config.fit import FitConfig
from samplar.methods.contract import Method


def settled(method: Method, config: FitConfig, exemplars: int) -> tuple[FitConfig, str]:
    """Return the settings of a fit with so many exemplars, and a note if that changes any.

    Raises:
        UsageError: `config.invalid`.
    """
    open_ = build(method.config, config.method_config, path="method_config")
    before, after = (
        json.loads(settings.model_dump_json())
        for settings in (open_, method.settled(open_, exemplars))
    )
    changed = {name: value for name, value in after.items() if value != before[name]}
    if not changed:
        return config, ""
    said = ", ".join(f"method_config.{name} = {value}" for name, value in changed.items())
    count = f"{exemplars} exemplar{'' if exemplars == 1 else 's'}"
    whole = {**config.method_config, **changed}
    return config.model_copy(update={"method_config": whole}), f"settings: {said}, with {count}"
