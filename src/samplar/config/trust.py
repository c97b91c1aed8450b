"""How far to trust: the refits without some of the exemplars that calibrate the probabilities."""

from __future__ import annotations

from pydantic import Field

from samplar.config.base import Strict


class TrustConfig(Strict):
    """Refits on a part of the exemplars, for the sake of those left out."""

    calibrate: bool = True
    """Whether to calibrate; that needs three exemplars, and two subjects among them."""
    folds: int = Field(default=2, ge=2, le=16)
    """Refits, each without some subjects; never more than there are subjects."""
    share: float = Field(default=0.3, gt=0, le=1)
    """How long a refit is, as a share of `training.iterations`."""
