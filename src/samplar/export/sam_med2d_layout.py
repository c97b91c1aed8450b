"""The layout of SAM-Med2D's own checkpoints: all of SAM, with an adapter in every block.

Source: Cheng et al. 2023, arXiv 2308.16184; names as in its public code (Apache-2.0). Such a file
holds SAM's tensors under SAM's names, the frozen ones too, and `image_encoder.blocks.N.Adapter.*`.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from samplar.errors import UsageError, WeightsError
from samplar.methods.adapted import AdaptedSam
from samplar.methods.conv_adapter import ConvAdapter
from samplar.methods.state import check_tensors

OURS, THEIRS = ".mlp.added.", ".Adapter."


def to_sam_med2d(model: AdaptedSam) -> dict[str, Tensor]:
    """Return the tensors of SAM-Med2D's checkpoint, copied to the CPU.

    Raises:
        UsageError: `export.sam_med2d`, for a method that is not arranged as SAM-Med2D.
    """
    places = _places(model)
    return {name: tensor.detach().cpu().clone().contiguous() for name, tensor in places.items()}


def from_sam_med2d(model: AdaptedSam, state: Mapping[str, Tensor], *, path: str) -> None:
    """Put the tensors of SAM-Med2D's checkpoint into a model of the same arrangement.

    Args:
        model: `sam-med2d` with `blocks: all`, on the base weights that
            `samplar weights add sam-med2d-b FILE` made of the same file.
        state: what `to_sam_med2d` returns, or what the authors' code saved under `model`.
        path: named in errors.

    Raises:
        WeightsError: `adapter.keys`, `adapter.shape`; `adapter.not_finite`; `adapter.base` when a
            frozen tensor is not that of the base weights. Nothing is changed then.
        UsageError: `export.sam_med2d`, for a method that is not arranged as SAM-Med2D.
    """
    places = _places(model)
    check_tensors(places, state, path=path)
    for name, place in places.items():
        _check(name, place, state[name], path)
    with torch.no_grad():
        for name, place in places.items():
            if place.requires_grad:
                place.copy_(state[name])


def _check(name: str, place: Tensor, given: Tensor, path: str) -> None:
    if not bool(torch.isfinite(given).all()):
        raise WeightsError(
            f"{name} holds numbers that are not finite",
            fix="Get the file again, or take an earlier checkpoint",
            code="adapter.not_finite",
            path=path,
        )
    if not place.requires_grad and not torch.equal(place.cpu(), given.cpu().to(place.dtype)):
        raise WeightsError(
            f"{name} differs from that of the base weights: this adapter belongs to another SAM",
            fix="Use the base weights the adapter was made with",
            code="adapter.base",
            path=path,
        )


def _places(model: AdaptedSam) -> dict[str, Tensor]:
    """Return every tensor of SAM by its name in the layout, as it lies in the model."""
    if not any(isinstance(module, ConvAdapter) for module in model.sam.modules()):
        raise UsageError(
            f"{model.method.card.name} is not arranged as SAM-Med2D: no block has its adapter",
            fix="Choose a model made with sam-med2d and blocks other than none",
            code="export.sam_med2d",
        )
    table = model.sam.state_dict(keep_vars=True).items()
    return {name.replace(OURS, THEIRS).replace(".mlp.base.", ".mlp."): t for name, t in table}
