"""The layout of SAMed's own checkpoints, written and read tensor by tensor.

Source: Zhang and Liu 2023, arXiv 2304.13785; names as in its public code (MIT). Such a file holds

- `w_a_000`, `w_b_000`, ...: A (r, c) and B (c, r) of the image encoder's attention blocks, q and v
  of the first block, then of the second, and so on;
- every tensor of the prompt encoder and of the mask decoder under SAM's own names, trained or not.

Where the decoder's transformer has LoRA instead (SAMed_s), its own tensors are left out and there
are `sa_*` (self-attention), `cti_*` (tokens to image) and `cit_*` (image to tokens), each `_a` or
`_b` and numbered by layer, q before v, and `fati_qa`, `fati_qb`, `fati_va`, `fati_vb` of the last
attention.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from samplar.errors import UsageError, WeightsError
from samplar.methods.adapted import AdaptedSam
from samplar.methods.lora import LoraLinear
from samplar.methods.state import check_tensors
from samplar.sam.model import Sam
from samplar.sam.sites import DECODER_ATTENTIONS, encoder_attention

PARTS = ("prompt_encoder.", "mask_decoder.")
TRANSFORMER = "mask_decoder.transformer."
FIXED = "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"
"""Part of every file though nothing trains it: it tells which SAM the adapter was made on."""

KINDS = {
    "self_attn": "sa",
    "cross_attn_token_to_image": "cti",
    "cross_attn_image_to_token": "cit",
}


def to_samed(model: AdaptedSam) -> dict[str, Tensor]:
    """Return the tensors of SAMed's checkpoint, copied to the CPU, float32 as they are.

    Raises:
        UsageError: `export.samed`, for a method that is not arranged as SAMed or SAMed_s.
    """
    return {
        name: tensor.detach().cpu().clone().contiguous() for name, tensor in _places(model).items()
    }


def from_samed(model: AdaptedSam, state: Mapping[str, Tensor], *, path: str) -> None:
    """Put the tensors of SAMed's checkpoint into a model of the same arrangement.

    Args:
        model: with the method, rank, classes and base weights the checkpoint was made with.
        state: what `to_samed` returns, or what SAMed's code saved.
        path: named in errors.

    Raises:
        WeightsError: `adapter.keys`, `adapter.shape` or `adapter.not_finite`; `adapter.base` when
            the checkpoint was made on other base weights. Nothing is changed then.
        UsageError: `export.samed`, for a method that is not arranged as SAMed or SAMed_s.
    """
    places = _places(model)
    check_tensors(places, state, path=path)
    _check_values(places, state, path)
    with torch.no_grad():
        for name, place in places.items():
            place.copy_(state[name])


def _check_values(places: Mapping[str, Tensor], state: Mapping[str, Tensor], path: str) -> None:
    wild = [name for name in places if not bool(torch.isfinite(state[name]).all())]
    if wild:
        raise WeightsError(
            f"{len(wild)} tensors hold numbers that are not finite (first: {wild[0]})",
            fix="Get the file again, or take an earlier checkpoint",
            code="adapter.not_finite",
            path=path,
        )
    if not torch.equal(places[FIXED].cpu(), state[FIXED].cpu().to(places[FIXED].dtype)):
        raise WeightsError(
            f"{FIXED} differs from that of the base weights: this adapter belongs to another SAM",
            fix="Use the base weights the adapter was made with",
            code="adapter.base",
            path=path,
        )


def _places(model: AdaptedSam) -> dict[str, Tensor]:
    """Return every tensor of the layout by its name there, as it lies in the model."""
    sam = model.sam
    encoder = dict(_numbered("w", _layers(sam, [s.name for s in encoder_attention(sam)])))
    decoder = dict(_decoder_low_rank(sam))
    whole = {
        name: tensor
        for name, tensor in sam.state_dict(keep_vars=True).items()
        if name.startswith(PARTS) and not (decoder and name.startswith(TRANSFORMER))
    }
    frozen = [name for name, t in whole.items() if name != FIXED and not t.requires_grad]
    if frozen or not encoder:
        raise UsageError(
            f"{model.method.card.name} is not arranged as SAMed: "
            + (f"{frozen[0]} does not train" if frozen else "no encoder block has LoRA"),
            fix="Choose a model made with samed, samed-s or samed-h and blocks other than none",
            code="export.samed",
        )
    return encoder | decoder | whole


def _layers(sam: Sam, names: list[str]) -> list[LoraLinear]:
    modules = [sam.get_submodule(name) for name in names]
    return [module for module in modules if isinstance(module, LoraLinear)]


def _numbered(prefix: str, layers: list[LoraLinear]) -> Iterator[tuple[str, Tensor]]:
    pairs = [(layer.a[part], layer.b[part]) for layer in layers for part in layer.parts]
    for number, (down, up) in enumerate(pairs):
        yield f"{prefix}_a_{number:03d}", down
        yield f"{prefix}_b_{number:03d}", up


def _decoder_low_rank(sam: Sam) -> Iterator[tuple[str, Tensor]]:
    names = [f"{name}.{part}_proj" for name in DECODER_ATTENTIONS for part in "qv"]
    for kind, prefix in KINDS.items():
        yield from _numbered(prefix, _layers(sam, [n for n in names if f".{kind}." in n]))
    last = _layers(sam, [n for n in names if ".final_attn_token_to_image." in n])
    for layer in last:
        for part in layer.parts:
            yield f"fati_{part}a", layer.a[part]
            yield f"fati_{part}b", layer.b[part]
