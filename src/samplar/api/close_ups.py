"""Whether a fit learns from close-ups of its exemplars as well, and how close they are."""

from __future__ import annotations

from samplar.config.base import build
from samplar.config.fit import FitConfig
from samplar.exemplars.exemplar import ExemplarSet
from samplar.exemplars.roi import roi_share
from samplar.methods.contract import is_oracle
from samplar.methods.registry import load_method


def learnt_share(exemplars: ExemplarSet, config: FitConfig) -> tuple[float | None, str]:
    """Return the side of the close-ups as a share of the longer side of an image, and a note.

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
    share = roi_share(exemplars, config.roi.margin)
    if share is None:
        return None, "region of interest: off, the structures fill the exemplars or are in none"
    return share, f"region of interest: a window of {share:.0%} of the longer side"
