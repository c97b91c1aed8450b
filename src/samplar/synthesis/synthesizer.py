"""Exemplar-guided synthesis: a few labelled slices in, endless labelled images out.

Images are rendered one after the other on purpose: the planes of one image stay in the processor
cache, which reads them four to six times faster than one large batch (measured on two cores at 128
and 256 px), and the bytes of an image cannot depend on which others are rendered with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

from samplar.config.synthesis import SynthesisConfig
from samplar.errors import InputError
from samplar.synthesis.appearance import apply_look
from samplar.synthesis.chance import draw_one
from samplar.synthesis.dice import SEEDS
from samplar.synthesis.draw import Draw, Move
from samplar.synthesis.organs import together
from samplar.synthesis.paste import Canvas, paste
from samplar.synthesis.resample import (
    OUTSIDE,
    mirrored,
    read_codes,
    read_image,
    spots,
)
from samplar.synthesis.samples import Samples
from samplar.synthesis.shape import Window, coordinates
from samplar.synthesis.stock import prepare


class Synthesizer:
    """Draws and renders synthetic images.

    Args:
        exemplars: at least one, all on the device that is to do the work.
        classes: number of foreground classes.
        config: chances and ranges.

    Raises:
        InputError: `synthesis.no_exemplars`, `synthesis.labels` (an index above `classes`) or
            `synthesis.range` (intensities outside [0, 1], or not numbers).
    """

    def __init__(self, exemplars: Samples, *, classes: int, config: SynthesisConfig) -> None:
        self._stock = prepare(exemplars, classes=classes)
        self._config = config

    def __len__(self) -> int:
        """Return the number of exemplars."""
        return len(self._stock.layers)

    def draw(self, indices: Sequence[int], generator: torch.Generator) -> list[Draw]:
        """Draw one image per index; which exemplar each starts from is given.

        Args:
            indices: exemplar indices, in any order, repeats allowed.
            generator: a CPU generator; as many numbers are taken from it as there are indices.

        Raises:
            InputError: `synthesis.index` for an exemplar that does not exist.
        """
        for index in indices:
            self._known(index)
        seeds = torch.randint(SEEDS, (len(indices),), generator=generator).tolist()
        return [
            draw_one(
                index, self._stock.organs, side=self._stock.side, config=self._config, seed=seed
            )
            for index, seed in zip(indices, seeds, strict=True)
        ]

    @torch.no_grad()
    def render(self, draws: Sequence[Draw]) -> Samples:
        """Make the images of some draws: a pure function, the same draws give the same bytes.

        Each image is rendered on its own, so its bytes do not depend on the rest of the batch.

        Raises:
            InputError: `synthesis.index` for an exemplar that does not exist.
        """
        with one_core():
            return self._rendered(draws)

    def _rendered(self, draws: Sequence[Draw]) -> Samples:
        canvases = [self._canvas(draw) for draw in draws]
        device, side = self._stock.grid[0].device, self._stock.side
        images = torch.empty(len(draws), 3, side, side, device=device)
        codes = torch.empty(len(draws), side, side, dtype=torch.int16, device=device)
        for n, (draw, canvas) in enumerate(zip(draws, canvases, strict=True)):
            valid = canvas.codes < OUTSIDE
            mean = self._stock.means[draw.scene]
            images[n] = apply_look(canvas.image, draw.look, valid=valid, mean=mean)
            codes[n] = canvas.codes
        labels = (codes & (OUTSIDE - 1)).to(torch.uint8)
        return Samples(images, labels, codes < OUTSIDE)

    def _canvas(self, draw: Draw) -> Canvas:
        self._known(draw.exemplar)
        self._known(draw.scene)
        canvas = self._backdrop(draw)
        for move in draw.moves:
            self._paste(canvas, draw, move)
        return canvas

    def _backdrop(self, draw: Draw) -> Canvas:
        stock, side = self._stock, self._stock.side
        layers = stock.cleaned if draw.background in {"own", "cross_clean"} else stock.layers
        layer = layers[draw.scene]
        whole = Window(0, 0, side, side)
        scene = coordinates(draw.warp, side=side, window=whole, start=stock.grid)
        at = spots(*scene, side=side)
        codes = read_codes(layer, at)
        if draw.border == "reflect":
            at = spots(*(mirrored(plane, side=side) for plane in scene), side=side)
        return Canvas(read_image(layer, at), codes, scene)

    def _paste(self, canvas: Canvas, draw: Draw, move: Move) -> None:
        here = self._stock.organs[draw.exemplar]
        parts = [here[k] for k in move.classes if k in here]
        if parts:
            layer = self._stock.layers[draw.exemplar]
            paste(canvas, layer, together(parts), move=move, draw=draw)

    def _known(self, index: int) -> None:
        if not 0 <= index < len(self):
            raise InputError(
                f"exemplar {index} does not exist, there are {len(self)}",
                fix="Use the exemplars that the draw was made with",
                code="synthesis.index",
            )


@contextmanager
def one_core() -> Iterator[None]:
    """Keep torch on the calling core for a while.

    The planes of one image are too small to share: handing them to a second core costs more than
    the work itself, and many times more when that core is busy training. OpenMP keeps the number
    per thread, so a trainer in another thread is not slowed down.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
