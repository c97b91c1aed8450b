"""The adapter folder: everything a run learnt, and everything needed to use it elsewhere.

`adapter.safetensors` holds the tensors, `adapter.json` what they belong to, `README.md` says it in
words. Loading checks every file digest and every tensor; nothing is loaded loosely.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import Field, ValidationError, ValidationInfo, field_validator
from safetensors import SafetensorError
from safetensors.torch import load, save

from samplar import __version__
from samplar.config.base import Strict, build
from samplar.config.fit import FitConfig
from samplar.config.training import Precision
from samplar.errors import WeightsError
from samplar.evaluation.trust import Calibration
from samplar.exemplars.exemplar import ExemplarSet
from samplar.exemplars.roi import Region
from samplar.io.admission import MAX_LABEL
from samplar.io.atomic import make_folder, write_bytes
from samplar.io.intensity import IntensityRule
from samplar.io.labels import LabelSet
from samplar.io.slicing import Plane
from samplar.io.view import View
from samplar.methods.adapted import AdaptedSam
from samplar.methods.registry import load_method
from samplar.prediction.base_weights import check_base, origin_of
from samplar.prediction.card_file import bad_card, sealed, unsealed
from samplar.sam.cards import WeightsCard
from samplar.sam.weights import load_sam

TENSORS = "adapter.safetensors"
CARD = "adapter.json"
README = "README.md"


class ExemplarRecord(Strict):
    """What an exemplar was, without a name: a case or subject is often called after a patient."""

    slice: int
    digest: str
    case: str = ""
    """Set by earlier versions only, and `subject` too; nothing uses them."""
    subject: str = ""


class AdapterCard(Strict):
    """What an adapter is and how to use it."""

    samplar: str
    method: str
    method_config: dict[str, Any]
    weights: str
    weights_sha256: str
    weights_source: str = ""
    """Where weights under a name of the user's own can be had, if that is on the network."""
    weights_like: str = ""
    """The known weights whose pixel rule they borrow."""
    class_names: tuple[str, ...]
    class_values: tuple[int, ...]
    size: int = Field(ge=16, le=2048)
    roi: Region | None = None
    """The window in which slices are seen again."""
    plane: Plane
    intensity: IntensityRule
    channels: tuple[int, ...] | None
    sequences: int = Field(default=1, ge=1)
    """How many files make one image."""
    precision: Precision
    agreement: float | None = Field(default=None, ge=0, le=1)
    """Mean Dice between its masks in bf16 and in fp32 on exemplars, where both were tried."""
    calibration: Calibration = Calibration()
    """How far its probabilities can be trusted."""
    seed: int
    exemplars: tuple[ExemplarRecord, ...]
    exemplars_digest: str
    tensors_sha256: str

    @field_validator("class_values")
    @classmethod
    def _one_each(cls, values: tuple[int, ...], info: ValidationInfo) -> tuple[int, ...]:
        names = info.data.get("class_names", values)
        if len(values) != len(names) or len(set(values)) < len(values):
            raise ValueError(f"{len(names)} names need as many different values")
        if not all(0 < value <= MAX_LABEL for value in values) or not values:
            raise ValueError(f"values lie in 1..{MAX_LABEL}, and there is at least one")
        return values

    @property
    def labels(self) -> LabelSet:
        """The classes."""
        return LabelSet(self.class_names, self.class_values)

    @property
    def prompted(self) -> str:
        """What the method needs at test time with these settings: "none", or "oracle ...".

        Raises:
            UsageError: `methods.unknown`, or `config.invalid`.
        """
        method = load_method(self.method)
        return method.prompted(build(method.config, self.method_config, path=CARD))

    @property
    def shown_name(self) -> str:
        """The method as it stands beside its scores: what it is prompted with is said."""
        return self.method if self.prompted == "none" else f"{self.method} ({self.prompted})"

    @property
    def view(self) -> View:
        """How volumes become slices."""
        return View(self.plane, self.intensity, self.channels)


def save_adapter(folder: Path, model: AdaptedSam, fields: dict[str, Any]) -> AdapterCard:
    """Write an adapter folder; `fields` are those of the card but for the digest of the tensors."""
    data = save(model.adapter_state())
    digest = hashlib.sha256(data).hexdigest()
    card = AdapterCard.model_validate({**fields, "tensors_sha256": digest})
    make_folder(folder)
    write_bytes(folder / TENSORS, data)
    write_bytes(folder / README, readme(card, len(data)).encode())
    # Last: a folder without a card is no adapter, one with it is whole.
    write_bytes(folder / CARD, sealed(card.model_dump(mode="json")))
    return card


def describe(
    config: FitConfig,
    weights: WeightsCard,
    exemplars: ExemplarSet,
    *,
    view: View,
    sequences: int,
    precision: str,
) -> dict[str, Any]:
    """Return the fields of the card of an adapter about to be saved."""
    records = [{"slice": e.slice, "digest": e.digest} for e in exemplars.exemplars]
    return {
        "samplar": __version__,
        "method": config.method,
        "method_config": config.method_config,
        "weights": config.weights,
        "weights_sha256": weights.sha256,
        **origin_of(weights),
        "class_names": exemplars.labels.names,
        "class_values": exemplars.labels.values,
        "size": config.size,
        "plane": view.plane,
        "intensity": view.rule,
        "channels": view.channels,
        "sequences": sequences,
        "precision": precision,
        "seed": config.seed,
        "exemplars": records,
        "exemplars_digest": exemplars.digest,
    }


def read_card(folder: Path) -> AdapterCard:
    """Read what an adapter is, from its folder or from the run folder around it.

    Raises:
        WeightsError: `adapter.missing` or `adapter.card`.
    """
    path = adapter_folder(folder) / CARD
    try:
        return AdapterCard.model_validate(unsealed(path))
    except ValidationError as error:
        wrong = error.errors()[0]
        where = ".".join(map(str, wrong["loc"]))
        raise bad_card(f"{where}: {wrong['msg']}", path) from error


def adapter_folder(folder: Path) -> Path:
    """Return the adapter folder that `folder` is or contains."""
    for candidate in (folder, folder / "adapter"):
        if (candidate / CARD).is_file():
            return candidate
    raise WeightsError(
        f"there is no {CARD} here or in adapter/",
        fix="Give the output folder of `samplar fit`, or its adapter folder",
        code="adapter.missing",
        path=folder,
    )


def load_adapter(folder: Path, *, device: str | torch.device = "cpu") -> AdaptedSam:
    """Rebuild the adapted SAM.

    Args:
        folder: a run folder or an adapter folder.
        device: where to compute.

    Raises:
        WeightsError: `adapter.*` for a missing, damaged or foreign adapter; `weights.*`.
    """
    card, place = read_card(folder), adapter_folder(folder)
    check_base(card, place)
    method = load_method(card.method)
    config = build(method.config, card.method_config, path=str(place / CARD))
    sam = load_sam(card.weights, device=device)
    model = AdaptedSam(sam, method, config, len(card.labels))
    tensors = read_tensors(place, card)
    _check_numbers(tensors, model.trained(), place / TENSORS)
    model.load_adapter_state(tensors, path=str(place / TENSORS))
    return model


def read_tensors(folder: Path, card: AdapterCard) -> dict[str, torch.Tensor]:
    """Return the tensors of an adapter folder, by name.

    Raises:
        WeightsError: `adapter.digest` or `adapter.damaged`.
    """
    path = folder / TENSORS
    data = path.read_bytes() if path.is_file() else b""
    found = hashlib.sha256(data).hexdigest()
    if found != card.tensors_sha256:
        raise WeightsError(
            f"has digest {found[:12]}, expected {card.tensors_sha256[:12]} ({len(data):,} bytes)",
            fix="Copy the adapter folder again, whole",
            code="adapter.digest",
            path=path,
        )
    try:
        return load(data)
    except SafetensorError as error:
        raise WeightsError(
            f"cannot be read ({error})",
            fix="Copy the adapter folder again, whole",
            code="adapter.damaged",
            path=path,
        ) from error


def _check_numbers(
    found: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor], path: Path
) -> None:
    """Refuse other types than those trained, and numbers that are not finite: all would be used."""
    for name, tensor in found.items():
        wanted = expected.get(name, tensor).dtype
        strange = int((~torch.isfinite(tensor)).sum())
        if tensor.dtype == wanted and not strange:
            continue
        other = f"holds {tensor.dtype}, expected {wanted}"
        raise WeightsError(
            f"{name} {f'has {strange} values that are not finite' if strange else other}",
            fix="Copy the adapter folder again, whole, or fit again",
            code="adapter.not_finite" if strange else "adapter.dtype",
            path=path,
        )


def readme(card: AdapterCard, size: int) -> str:
    """Return README.md: the card in words; `size` is that of the tensors' file in bytes."""
    classes = "\n".join(
        f"- {value}: {name}"
        for name, value in zip(card.class_names, card.class_values, strict=True)
    )
    looks = "" if card.roi is None else f", and a window of {card.roi.share:.0%} again"
    return f"""# A Samplar adapter

Method `{card.shown_name}` on base weights `{card.weights}` (sha256 {card.weights_sha256}),
{size:,} bytes of tensors, made with samplar {card.samplar}, seed {card.seed}.

    samplar predict THIS_FOLDER IMAGES -o OUT

Classes:
{classes}

Made from {len(card.exemplars)} exemplars ({card.plane} slices, shown at {card.size} px{looks}).
Their digests are in {CARD}, their names are not: `samplar doctor --privacy` looks for any that are.

Its probabilities are {card.calibration.line()}.

Not a medical device. For research only.
"""
