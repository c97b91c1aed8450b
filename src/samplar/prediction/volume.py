"""From a volume in memory to class indices on its own grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Integer

from samplar.io.slicing import slicing_of
from samplar.io.volume import Volume
from samplar.methods.adapted import AdaptedSam
from samplar.prediction.adapter import AdapterCard
from samplar.prediction.doubt import Doubt
from samplar.prediction.temperatures import Temperatures
from samplar.prediction.two_looks import segmented
from samplar.prediction.views import further_frames

if TYPE_CHECKING:
    from samplar.prediction.predict import Options


def predict_volume(
    model: AdaptedSam,
    card: AdapterCard,
    image: Volume,
    *,
    options: Options,
    truth: np.ndarray | None = None,
    slices: np.ndarray | None = None,
    doubt: Doubt | None = None,
) -> tuple[Integer[np.ndarray, "x y z"], Float[np.ndarray, "k x y z"] | None]:
    """Return class indices (uint8) on the image's own grid, and probabilities if asked for.

    Args:
        model: the adapted SAM.
        card: its card.
        image: the volume.
        options: of these, precision, tta and probabilities.
        truth: class indices (x, y, z), for oracle methods.
        slices: `card.view.slices(image)`, where that has been done already.
        doubt: empty; takes in what the calibrated probabilities of all slices add up to.
    """
    slicing = slicing_of(image, card.plane)
    shown = card.view.slices(image) if slices is None else slices
    known = None if truth is None else slicing.cut(truth)
    labels = np.empty((len(shown), *shown.shape[-2:]), dtype=np.uint8)
    shares: list[np.ndarray] = []
    doubt = Doubt(Temperatures.of(card.calibration)) if doubt is None else doubt
    start = 0
    also = further_frames(model, card.size, tta=options.tta)
    for logits in segmented(
        model,
        shown,
        size=card.size,
        precision=options.precision,
        also=also,
        truth=known,
        roi=card.roi,
    ):
        labels[start : start + len(logits)] = logits.argmax(dim=1).cpu().numpy()
        calibrated = doubt.add(logits)
        if options.probabilities:
            shares.append(calibrated.cpu().numpy().astype(np.float16))
        start += len(logits)
    whole = slicing.stack(np.concatenate(shares)) if shares else None
    return np.ascontiguousarray(slicing.stack(labels)), whole
