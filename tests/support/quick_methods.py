"""Settings under which every method trains quickly, for tests that are not about those settings."""

from __future__ import annotations

from typing import Any

QUICK: dict[str, dict[str, Any]] = {
    "autosam-prompt": {"network": "small"},
    "ma-sam": {"neighbours": 0},
    "persam-f": {"steps": 20},
    "sam-med2d": {"masks": 4, "rounds": 1},
    "sam-unet": {"branch": "small", "masks": 2},
    "samaug": {"width": 4, "levels": 3, "grid": 2, "sure": -1.0, "stable": 0.0},
    "samplar": {"unet_share": 0.5, "width": 4, "levels": 3},
    "unet": {"width": 4, "levels": 3},
}
"""A small network, or fewer repetitions of what a method does many times over."""
