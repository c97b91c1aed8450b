"""Frozen embeddings of slices, for choosing exemplars that differ from each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float

from samplar.exemplars.choose import Candidate
from samplar.io.dataset import Dataset
from samplar.io.formats import read_image
from samplar.io.view import View, three_channels
from samplar.sam.device import encoder_batch
from samplar.sam.frame import letterbox
from samplar.sam.halving import by_halves
from samplar.sam.model import Sam

CELLS = 4

SIZE = 112
"""Side of the frame, whatever the fit uses: enough to tell slices apart, and the choice of
exemplars does not change with the fit's own size."""


def embedder(
    sam: Sam,
    dataset: Dataset,
    *,
    on_stage: Callable[[str, int], None],
    on_case: Callable[[int, None], None],
) -> Callable[[list[Candidate], View], np.ndarray]:
    """Return the function that embeds candidates, for whoever needs it."""

    def embed(candidates: list[Candidate], view: View) -> np.ndarray:
        on_stage("looking at the candidates", len({c.case for c in candidates}))
        return embed_candidates(sam, dataset, candidates, view, on_case=on_case)

    return embed


@torch.inference_mode()
def embed_candidates(
    sam: Sam,
    dataset: Dataset,
    candidates: Sequence[Candidate],
    view: View,
    *,
    on_case: Callable[[int, None], None],
) -> np.ndarray:
    """Return one unit-length embedding per candidate, (n, 16 d): SAM's, pooled to 4 x 4 cells.

    In fp32 on every processor: which slices are chosen is not to depend on it.
    """
    rows: dict[tuple[str, int], np.ndarray] = {}
    cases = [case for case in dataset.labelled if any(c.case == case.id for c in candidates)]
    step = encoder_batch(sam.device)
    for number, case in enumerate(cases):
        wanted = [c.slice for c in candidates if c.case == case.id]
        slices = view.slices(read_image(case.images))[wanted]
        for start in range(0, len(wanted), step):
            part = torch.from_numpy(three_channels(slices[start : start + step]))
            unit = by_halves(partial(_unit, sam, part), len(part)).numpy()
            rows |= {(case.id, n): u for n, u in zip(wanted[start:], unit, strict=False)}
        on_case(number + 1, None)
    return np.stack([rows[c.case, c.slice] for c in candidates])


def _unit(
    sam: Sam, images: Float[torch.Tensor, "n 3 h w"], part: slice
) -> Float[torch.Tensor, "b d"]:
    framed = letterbox(images[part].to(sam.device), SIZE, padding=sam.padding)
    pooled = F.adaptive_avg_pool2d(sam.encode(framed), CELLS).flatten(1)
    return F.normalize(pooled, dim=1).cpu()
