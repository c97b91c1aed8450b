"""The layouts an adapter can be exported to; imports no torch."""

from __future__ import annotations

from typing import Literal

Kind = Literal["peft", "samed", "merged"]
"""For PEFT and transformers; for SAMed's own code; for the original Segment Anything."""
