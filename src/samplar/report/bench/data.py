"""What the page of a benchmark is made of: plain values and pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from samplar.evaluation.board import Board
from samplar.evaluation.cell import Cell


@dataclass(frozen=True)
class BenchData:
    """A benchmark as it stands.

    Args:
        title: the name of the results folder.
        created: the moment, as it is to be shown.
        board: the cells.
        reference: the method that others are compared with.
        side: `test` or `pool`, whichever subjects were scored.
        protocol: of scoring.
        facts: short statements about how it was set up.
        overlays: PNG files by name of the cell, of those that are shown.
        notes: sentences for the reader.
    """

    title: str
    created: str
    board: Board
    reference: str
    side: str
    protocol: str
    facts: tuple[str, ...]
    overlays: Mapping[str, bytes]
    notes: tuple[str, ...]

    def shown(self, method: str) -> str:
        """Return the name of a method with what a reader must know of it."""
        if self.board.is_oracle(method):
            return f"{method} (oracle: reads the truth)"
        return f"{method} (trivial)" if self.board.is_trivial(method) else method

    def unit(self, dataset: str) -> str:
        """Return the unit of HD95 on a data set, which its first finished cell tells."""
        units = {cell.evaluation.unit for cell in self.of(dataset) if cell.evaluation is not None}
        return "mixed" if len(units) > 1 else next(iter(units), "unit not known yet")

    def of(self, dataset: str) -> list[Cell]:
        """Return the finished cells of a data set."""
        return [cell for cell in self.board.cells if cell.key.dataset == dataset]
