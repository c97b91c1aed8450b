"""An adapter as PEFT saves one, for `PeftModel.from_pretrained(transformers.SamModel, FOLDER)`.

PEFT knows one low-rank path per layer, so the paths of q and v on a fused projection become one of
twice the rank: their A stacked, their B in blocks over their own rows, scale 1. Layers that trained
otherwise are saved whole (`modules_to_save`), and take the place of the layers of their name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from samplar.errors import UsageError
from samplar.export.hugging_face import NOTE
from samplar.methods.adapted import AdaptedSam
from samplar.methods.lora import LoraLinear
from samplar.sam.convert import to_safetensors
from samplar.sam.hugging_face import to_hugging_face
from samplar.sam.model import Sam

CONFIG = "adapter_config.json"
TENSORS = "adapter_model.safetensors"
_PREFIX = "base_model.model."

NO_LAYER = "dummy-target-modules"
"""PEFT's own word for an adapter without low-rank paths."""


@dataclass(frozen=True)
class PeftAdapter:
    """Low-rank pairs and whole layers, by the names of `SamModel`'s layers.

    Args:
        pairs: A (r, inputs) and B (outputs, r); the layer adds B A x, scale 1.
        layers: tensors of every layer that is saved whole.
    """

    pairs: Mapping[str, tuple[Tensor, Tensor]]
    layers: Mapping[str, Mapping[str, Tensor]]

    def config(self, *, base: str) -> bytes:
        """Return adapter_config.json; `base` is where the base model lies."""
        ranks = {name: len(down) for name, (down, _) in self.pairs.items()}
        rank = max(ranks.values(), default=1)
        other = {name: r for name, r in ranks.items() if r != rank}
        config = {
            "peft_type": "LORA",
            "task_type": None,
            "auto_mapping": {
                "base_model_class": "SamModel",
                "parent_library": "transformers.models.sam.modeling_sam",
            },
            "base_model_name_or_path": base,
            "inference_mode": True,
            "r": rank,
            "lora_alpha": rank,
            "use_rslora": False,
            "rank_pattern": other,
            "alpha_pattern": other,
            "lora_dropout": 0.0,
            "bias": "none",
            "target_modules": list(ranks) or NO_LAYER,
            "modules_to_save": list(self.layers),
        }
        return (json.dumps(config, indent=2) + "\n").encode()

    def tensors(self) -> bytes:
        """Return adapter_model.safetensors."""
        state: dict[str, Tensor] = {}
        for name, (down, up) in self.pairs.items():
            state[f"{_PREFIX}{name}.lora_A.weight"] = down
            state[f"{_PREFIX}{name}.lora_B.weight"] = up
        for name, layer in self.layers.items():
            state |= {f"{_PREFIX}{name}.{leaf}": tensor for leaf, tensor in layer.items()}
        return to_safetensors(state, note=NOTE)


def to_peft(model: AdaptedSam, plain: Sam) -> PeftAdapter:
    """Return what the method trained in PEFT's terms.

    Args:
        model: on a SAM with a ViT encoder.
        plain: what `model.merge()` returned.

    Raises:
        UsageError: `export.peft`, for a tensor that trains outside of any layer.
    """
    paths = {n: m for n, m in model.sam.named_modules() if isinstance(m, LoraLinear)}
    trained = [name for name in model.trained() if not _low_rank(name, paths)]
    whole = dict.fromkeys(_layer_of(name, plain, model) for name in trained)
    return PeftAdapter(
        pairs={_renamed(name): _pair(layer) for name, layer in paths.items() if name not in whole},
        layers={_renamed(name): plain.get_submodule(name).state_dict() for name in whole},
    )


def _low_rank(name: str, paths: Mapping[str, LoraLinear]) -> bool:
    layer, _, table = name.rpartition(".")[0].rpartition(".")
    return layer in paths and table in ("a", "b")


def _layer_of(name: str, plain: Sam, model: AdaptedSam) -> str:
    layer = name.rpartition(".")[0].removesuffix(".base")
    if not any(plain.get_submodule(layer).children()):
        return layer
    raise UsageError(
        f"{model.method.card.name} trains {name}, which is part of no layer, and PEFT holds layers",
        fix="Use --format merged",
        code="export.peft",
    )


def _pair(layer: LoraLinear) -> tuple[Tensor, Tensor]:
    down, up = layer.stacked()
    return down.detach().cpu(), up.detach().cpu()


def _renamed(layer: str) -> str:
    return to_hugging_face(f"{layer}.weight").removesuffix(".weight")
