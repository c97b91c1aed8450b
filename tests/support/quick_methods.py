"""Settings under which every method trains quickly, for tests that are not about those settings."""

from __future__ import annotations

from typing import Any

QUICK: dict[str, dict[str, Any]] = {"sam-med2d": {"masks": 2, "rounds": 1}}
"""Fewer repetitions of what a method does many times over in each iteration."""
