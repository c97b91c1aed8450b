"""Exemplar-guided synthesis: a few labelled slices in, endless labelled images out.

A few images at a time are rendered as tensor operations on one sheet (see `sheet`), as many as stay
in the processor cache; beyond that, a larger batch is not faster. Each pixel is worked on in the
same way wherever it lies, so the bytes of an image do not depend on which others it is made with.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from samplar.config.synthesis import SynthesisConfig
from samplar.errors import InputError
from samplar.synthesis.appearance import apply_look
from samplar.synthesis.chance import draw_one
from samplar.synthesis.dice import SEEDS
from samplar.synthesis.draw import Draw
from samplar.synthesis.paste import paste
from samplar.synthesis.samples import Samples
from samplar.synthesis.sheet import Sheet, order, read
from samplar.synthesis.stock import prepare

SHEET = 2**17
"""Pixels that are rendered together, cut-outs not counted: two images of 256 px, eight of 128."""


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
        return len(self._stock.organs)

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

    def render(self, draws: Sequence[Draw]) -> Samples:
        """Make the images of some draws: a pure function, the same draws give the same bytes.

        The bytes of an image do not depend on which others are rendered with it. The three
        channels of a grey image share their memory.

        Raises:
            InputError: `synthesis.index` for an exemplar that does not exist.
        """
        for draw in draws:
            self._known(draw.exemplar)
            self._known(draw.scene)
        count, side, layers = len(draws), self._stock.side, self._stock.layers
        device, channels = layers.image.device, len(layers.image)
        # made outside of the inference mode below, or nothing could be trained on them
        images = torch.empty(count, channels, side, side, device=device)
        labels = torch.empty(count, side, side, dtype=torch.uint8, device=device)
        valid = torch.empty_like(labels)
        some = max(1, SHEET // side**2)
        with one_core(), torch.inference_mode():
            for first in range(0, count, some):
                chosen = slice(first, first + some)
                parts = zip(images[chosen], labels[chosen], valid[chosen], strict=True)
                self._render_sheet(draws[chosen], list(parts))
        if channels < self._stock.channels:
            images = images[:, :, None].expand(-1, -1, 3, -1, -1).flatten(1, 2)
        return Samples(images, labels, valid.view(torch.bool))

    def _render_sheet(
        self, draws: Sequence[Draw], targets: Sequence[tuple[Tensor, Tensor, Tensor]]
    ) -> None:
        sheet = Sheet()
        orders = [order(draw, self._stock, sheet) for draw in draws]
        for draw, target, (canvas, cuts) in zip(
            draws, targets, read(orders, sheet, self._stock), strict=True
        ):
            for cut in cuts:
                paste(canvas, cut, blur=draw.mask_blur, smallest_visible=draw.smallest_visible)
            image, labels, valid = target
            mean = self._stock.means[draw.scene]
            image.copy_(apply_look(canvas.image, draw.look, inside=canvas.inside, mean=mean))
            labels.copy_(canvas.codes)  # the bit of what is not valid does not fit and falls away
            valid.copy_(canvas.valid)

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
