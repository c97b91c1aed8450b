"""Which files an export consists of, each made only when it is about to be written."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor

from samplar.errors import UsageError
from samplar.export import hugging_face, peft_layout, readme
from samplar.export.kinds import Kind
from samplar.export.position_tables import at_size
from samplar.export.readme import Facts
from samplar.export.samed_layout import to_samed
from samplar.methods.adapted import AdaptedSam
from samplar.sam.convert import to_safetensors
from samplar.sam.model import Sam

BASE = "base"
"""Folder of the base model in an export for PEFT."""

Files = Mapping[str, Callable[[], bytes]]
"""Names inside the output folder, in the order of writing, and what makes their contents."""


def files_of(model: AdaptedSam, facts: Facts, *, kind: Kind) -> Files:
    """Return the files of an export; the model is used up.

    Raises:
        UsageError: `export.method` for a method that trains nothing or also remembers something;
            `export.encoder`, `export.peft`, `export.samed` or `methods.merge` where the layout
            cannot hold what the method trained.
    """
    _refuse_other_methods(model)
    plain = model.merge()
    if kind == "merged":
        return _merged(plain, facts)
    hugging_face.vit_shape(plain.shape)
    return _peft(model, plain, facts) if kind == "peft" else _samed(model, facts)


def _refuse_other_methods(model: AdaptedSam) -> None:
    if model.trained() and not model.memory:
        return
    name = model.method.card.name
    what = "trains nothing" if not model.trained() else "also works from what it remembers"
    raise UsageError(
        f"{name} {what}, and an export holds trained tensors only",
        fix="Export the adapter of a method that trains, such as cheap-lunch or samed",
        code="export.method",
    )


def _merged(plain: Sam, facts: Facts) -> Files:
    state, shape = at_size(_on_cpu(plain), plain.shape, facts.size)
    return {
        **_both("sam", state),
        "README.md": partial(readme.merged, facts, shape),
    }


def _samed(model: AdaptedSam, facts: Facts) -> Files:
    return {**_both("samed", to_samed(model)), "README.md": partial(readme.samed, facts)}


def _peft(model: AdaptedSam, plain: Sam, facts: Facts) -> Files:
    adapter = peft_layout.to_peft(model, plain)
    base, trained = _on_cpu(model.detach()), _on_cpu(plain)
    # What has another shape than in the base weights comes from the method.
    whole = {
        name: base[name] if name in base and base[name].shape == tensor.shape else tensor
        for name, tensor in trained.items()
    }
    state, shape = at_size(whole, plain.shape, facts.size)
    return {
        f"{BASE}/{hugging_face.TENSORS}": partial(hugging_face.tensors_of, state),
        f"{BASE}/{hugging_face.CONFIG}": partial(hugging_face.config_of, shape),
        peft_layout.TENSORS: adapter.tensors,
        "README.md": partial(readme.peft, facts),
        peft_layout.CONFIG: partial(adapter.config, base=f"./{BASE}"),  # no name that a hub knows
    }


def _on_cpu(sam: Sam) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu() for name, tensor in sam.state_dict().items()}


def _both(stem: str, state: Mapping[str, Tensor]) -> Files:
    """Return the same tensors twice: to be read safely, and as the original programs read them."""
    return {
        f"{stem}.safetensors": partial(to_safetensors, state, note=hugging_face.NOTE),
        f"{stem}.pth": partial(_pth, state),
    }


def _pth(state: Mapping[str, Tensor]) -> bytes:
    """Return a .pth file of nothing but tensors, readable with `weights_only=True`."""
    file = io.BytesIO()
    torch.save({name: tensor.contiguous() for name, tensor in state.items()}, file)
    return file.getvalue()
