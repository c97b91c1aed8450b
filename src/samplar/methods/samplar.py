"""Samplar's own way: SAM's decoder, trained on whole slices and on close-ups, looks twice.

What trains is what `decoder-only` trains. A small structure is found in the whole slice and then
seen again in a window of its own, as large as the frame allows, so that a small frame is enough.
"""

from __future__ import annotations

from samplar.methods import decoder_only
from samplar.methods.contract import Card
from samplar.methods.decoder_only import attach, loss

__all__ = ["Config", "attach", "loss"]

card = Card(
    name="samplar",
    title="The decoder, trained on slices whole and closer; small structures are looked at twice",
    paper="this library",
    plugs_in="decoder",
    prompts="none",
    licence_note="ours",
)

FIT = {"roi": {"mode": "auto", "otherwise": 192}}
"""Structures that no window brings closer are seen in a larger frame."""

PRESETS = {"standard": {"size": 128, "training": {"iterations": 200, "pool": 200, "batch": 8}}}
"""A close-up shows at 128 px what a whole slice shows at 256, for a quarter of the time."""


class Config(decoder_only.Config):
    """How the head starts and what it is trained with."""
