"""Whether a fit learns from close-ups of its exemplars as well, and how close they are."""

from __future__ import annotations

from samplar.config.base import build
from samplar.config.fit import FitConfig
from samplar.exemplars.exemplar import ExemplarSet
from samplar.exemplars.roi import Region, longer_than, region_of
from samplar.methods.contract import is_oracle
from samplar.methods.registry import load_method


def region_for(exemplars: ExemplarSet, config: FitConfig) -> tuple[Region | None, str]:
    """Return the window that close-ups show, and a note.

    None where slices are seen whole only; the note then says why, or is empty if nobody asked.

    Raises:
        UsageError: what `load_method` refuses, and `config.invalid`.
    """
    if config.roi.mode == "off":
        return None, ""
    method = load_method(config.method)
    settings = build(method.config, config.method_config, path="method_config")
    if not method.card.trains or is_oracle(method.prompted(settings)):
        return None, f"region of interest: off, {method.card.name} does not learn from one"
    region = region_of(exemplars, config.roi.margin, size=config.size)
    if region is None:
        return None, "region of interest: off, the structures fill the exemplars or are in none"
    return region, f"region of interest: a window of {region.share:.0%} of the longer side"


def framed(
    exemplars: ExemplarSet, config: FitConfig, region: Region | None
) -> tuple[FitConfig, str]:
    """Return the settings with the frame that is then used, and a note if it is another one.

    What no window brings closer may be shown in a larger frame instead, if the images have more
    pixels than the frame: enlarging them shows nothing new.

    Args:
        exemplars: of the fit.
        config: of the fit.
        region: what `region_for` returned.
    """
    size = config.roi.otherwise
    if config.roi.mode == "off" or region is not None or size is None or size <= config.size:
        return config, ""
    if not longer_than(exemplars, config.size):
        return config, ""
    note = f"frame: {size} px in place of {config.size}, because there is no window"
    return config.model_copy(update={"size": size}), note
