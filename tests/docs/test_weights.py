"""The table of base weights says what the cards say."""

from __future__ import annotations

from pathlib import Path

from samplar.sam.cards import WEIGHTS
from samplar.sam.pixels import UNIT

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "weights.md"


def rows() -> dict[str, list[str]]:
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line[:3] == "| `"]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0].strip("`"): row[1:] for row in cells}


def test_every_card_has_its_row():
    table = rows()
    assert list(table) == list(WEIGHTS)
    for name, card in WEIGHTS.items():
        _, encoder, size, pixels, parameters, origin = table[name]
        assert encoder.startswith("TinyViT" if card.architecture == "tiny-vit" else "ViT")
        assert size == f"{card.image_size} px"
        assert pixels == ("[0, 1]" if card.pixels == UNIT else "SAM's")
        assert parameters == f"{card.parameters:,}"
        assert ("no digest is pinned" in origin) == (not card.sha256)
        fetched = card.bundle is not None and card.bundle.origin is not None
        assert ("samplar weights fetch" in origin) == fetched
