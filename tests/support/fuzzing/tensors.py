"""Weights, adapters and checkpoints."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

from fuzzing.target import Reading, Target
from samplar.errors import InputError
from samplar.prediction.adapter import AdapterCard, read_card, read_tensors
from samplar.prediction.card_file import sealed
from samplar.sam.convert import read_checkpoint
from samplar.training.checkpoint import Checkpoint, newest_checkpoint, write_checkpoint

STATE = {f"layer{n}.{part}": torch.arange(1.0, 7) * n for n in (1, 2, 3) for part in ("w", "b")}
INDEX = "model.safetensors.index.json"


def tensor_targets() -> list[Target]:
    """Return every kind of file that holds tensors or belongs to them."""
    return [*_weights(), *_index(), *_adapter(), *_checkpoint()]


def frozen(tensors: Mapping[str, Tensor]) -> Reading:
    """Return a table of tensors as something that can be compared."""
    return tuple(
        (name, str(t.dtype), tuple(t.shape), t.contiguous().view(torch.uint8).numpy().tobytes())
        for name, t in sorted(tensors.items())
    )


def _pth(content: object, *, zipped: bool) -> bytes:
    stream = io.BytesIO()
    torch.save(content, stream, _use_new_zipfile_serialization=zipped)
    return stream.getvalue()


def safetensors_says(data: bytes) -> Reading | None:
    """Read safetensors by their published description."""
    try:
        size = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + size])
        header.pop("__metadata__", None)
        found = {}
        for name, entry in header.items():
            kind = {"F32": np.float32, "F16": np.float16, "I32": np.int32, "U32": np.uint32}
            start, end = (8 + size + n for n in entry["data_offsets"])
            array = np.frombuffer(data[start:end], kind[entry["dtype"]])
            found[name] = torch.from_numpy(array.reshape(entry["shape"]).copy())
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return frozen(found)


def _weights() -> list[Target]:
    def read(path: Path) -> Reading:
        return frozen(read_checkpoint(path))

    other = {name: tensor[:3] for name, tensor in STATE.items()}
    plain, zipped = save(STATE), _pth({"model": STATE}, zipped=True)
    legacy = _pth(STATE, zipped=False)
    other_zip, other_legacy = (_pth(other, zipped=z) for z in (True, False))
    return [
        Target("weights safetensors", "w.pth", plain, read, False, save(other), safetensors_says),
        Target("weights pth zip", "w.pth", zipped, read, True, other_zip),
        Target("weights pth legacy", "w.pth", legacy, read, False, other_legacy),
    ]


def _index() -> list[Target]:
    shard = {name: f"model-{1 + n % 2}.safetensors" for n, name in enumerate(STATE)}
    index = json.dumps({"metadata": {"note": "x" * 300}, "weight_map": shard}, indent=1).encode()

    def beside(folder: Path) -> None:
        for file in set(shard.values()):
            (folder / file).write_bytes(save({n: STATE[n] for n in STATE if shard[n] == file}))

    def read(path: Path) -> Reading:
        return frozen(read_checkpoint(path))

    return [
        Target("weights index", INDEX, index, read, False, index.upper(), text=True, beside=beside)
    ]


def _adapter() -> list[Target]:
    tensors = save(STATE)
    card = AdapterCard.model_validate(
        {
            "samplar": "0.1.0",
            "method": "samed-s",
            "method_config": {"rank": 2},
            "weights": "tiny",
            "weights_sha256": "2" * 64,
            "class_names": ("left", "right"),
            "class_values": (3, 7),
            "size": 32,
            "plane": "axial",
            "intensity": {"kind": "window", "low": 0, "high": 200},
            "channels": None,
            "precision": "fp32",
            "seed": 4,
            "exemplars": [{"slice": 2, "digest": "0" * 64}],
            "exemplars_digest": "1" * 64,
            "tensors_sha256": hashlib.sha256(tensors).hexdigest(),
        }
    )
    fields = card.model_dump(mode="json")
    text, other = sealed(fields), sealed({**fields, "plane": "coronal"})

    def read_text(path: Path) -> Reading:
        return repr(read_card(path.parent))

    def read_data(path: Path) -> Reading:
        return frozen(read_tensors(path.parent, card))

    return [
        Target("adapter card", "adapter.json", text, read_text, True, other),
        Target("adapter tensors", "adapter.safetensors", tensors, read_data, True, text * 2),
    ]


def _checkpoint() -> list[Target]:
    checkpoint = Checkpoint(
        step=7,
        adapter=STATE,
        optimizer={f"{name}.exp_avg": t * 2 for name, t in STATE.items()},
        run="3" * 64,
    )

    def beside(folder: Path) -> None:
        write_checkpoint(folder, checkpoint)

    def read(path: Path) -> Reading:
        try:
            found, skipped = newest_checkpoint(path.parent.parent, run="3" * 64)
        except InputError as error:  # about the folder of all checkpoints, not about a file
            raise InputError(error.problem, fix=error.fix, code=error.code, path=path) from error
        if found is None:  # said in a line, and training begins before it: as good as refused
            assert "step-000007" in skipped[0]
            raise InputError(skipped[0], fix="Nothing to do", code="test.passed_over", path=path)
        return found.step, found.run, frozen(found.adapter), frozen(found.optimizer)

    return [_part(name, checkpoint, beside, read) for name in ("state.json", "adapter.safetensors")]


def _part(
    name: str,
    checkpoint: Checkpoint,
    beside: Callable[[Path], None],
    read: Callable[[Path], Reading],
) -> Target:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        data = (write_checkpoint(Path(folder), checkpoint) / name).read_bytes()
    kind = f"checkpoint {name.partition('.')[0]}"
    return Target(kind, f"step-000007/{name}", data, read, True, data[::-1], beside=beside)
