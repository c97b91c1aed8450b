"""Reading checkpoints without ever running what is in them, and checking every tensor.

A .pth file is read once, with the restricted unpickler (`weights_only=True`) and nothing else:
when that refuses, the file is refused. What samplar keeps is safetensors. An optimiser beside the
weights is read as the stand-ins of `samplar.sam.inert`, and dropped.
"""

from __future__ import annotations

import re
import struct
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError  # the exception's name only; nothing here unpickles
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from samplar.errors import WeightsError
from samplar.io.shards import is_index
from samplar.sam.inert import STAND_INS
from samplar.sam.sharded import read_sharded

WRAPPER = "model"
"""The key under which training scripts put the weights."""

_FIX = "Get the file again from its publisher"

# The one line of torch's refusal worth showing; the rest of it explains how to switch safety off.
_FORBIDDEN = re.compile(r"(?:GLOBAL|unrecognized function|but got) (.{1,80}?)(?: w|$|\n)")
_PICKLE = b"\x80"

# What torch.load raises on damaged bytes, found by cutting and flipping real files.
_DAMAGE = (
    RuntimeError,
    OSError,
    EOFError,
    ValueError,
    LookupError,
    AttributeError,
    TypeError,
    AssertionError,
    OverflowError,
    struct.error,
)


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """Read a .safetensors or .pth file as a name -> tensor table on the CPU.

    The kind is told from the first bytes. `{"model": table}` is unwrapped. The index of several
    .safetensors files stands for all of them.

    Raises:
        WeightsError: `weights.missing`, `weights.unsafe`, `weights.damaged`, `weights.shards` or
            `weights.contents`.
    """
    if not path.is_file():
        raise WeightsError(
            "there is no such file", fix="Check the path", code="weights.missing", path=path
        )
    if is_index(path):
        return read_sharded(path, _read_safetensors)
    content = _read_safetensors(path) if _is_safetensors(path) else _read_pth(path)
    if isinstance(content, dict) and isinstance(content.get(WRAPPER), dict):
        content = content[WRAPPER]
    if not isinstance(content, dict) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in content.items()
    ):
        raise WeightsError(
            f"holds {_describe(content)}, expected a table of tensors by name",
            fix=_FIX,
            code="weights.contents",
            path=path,
        )
    return dict(content)


def _is_safetensors(path: Path) -> bool:
    """Say whether the file begins as safetensors does: a 64-bit length and an opening brace."""
    with path.open("rb") as stream:
        return stream.read(9)[8:] == b"{"


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return safetensors.torch.load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise _damaged(path, type(error).__name__) from error


def _read_pth(path: Path) -> Any:
    _check_archive(path)
    try:
        with (
            warnings.catch_warnings(action="ignore"),  # torch's remarks on odd pickles
            torch.serialization.safe_globals(STAND_INS),
            path.open("rb") as stream,  # given a path, torch goes by the ending of its name
        ):
            return torch.load(stream, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        raise _refused(path, error) from error
    except _DAMAGE as error:
        raise _damaged(path, type(error).__name__) from error


def _check_archive(path: Path) -> None:
    """Refuse a zip archive whose checksums do not hold: torch's own reader does not look at them.

    torch stores its parts as they are, so that none can be larger than the file.
    """
    try:
        if not zipfile.is_zipfile(path):
            return
        with zipfile.ZipFile(path) as archive:
            squeezed = [i.filename for i in archive.infolist() if i.compress_type]
            wrong = None if squeezed else archive.testzip()
    except (zipfile.BadZipFile, *_DAMAGE) as error:
        raise _damaged(path, type(error).__name__) from error
    if squeezed or wrong:
        what = f"part {wrong} does not match its checksum" if wrong else "its parts are compressed"
        raise _damaged(path, what)


def _refused(path: Path, error: Exception) -> WeightsError:
    wanted = _FORBIDDEN.search(str(error))
    if wanted is None and not _is_whole(path):
        return _damaged(path, type(error).__name__)
    what = "instructions that plain tensors do not need" if wanted is None else wanted[1]
    return WeightsError(
        f"asks for {what}; nothing in it was run",
        fix="Do not use this file: it is unsafe or damaged. " + _FIX,
        code="weights.unsafe",
        path=path,
    )


def _is_whole(path: Path) -> bool:
    """Say whether the file is a complete zip archive or begins as a pickle does."""
    with path.open("rb") as stream:
        return stream.read(1) == _PICKLE or zipfile.is_zipfile(path)


def _damaged(path: Path, reason: str) -> WeightsError:
    return WeightsError(
        f"is not a readable checkpoint, {path.stat().st_size:,} bytes ({reason})",
        fix="Expected is a complete .pth or .safetensors file. " + _FIX,
        code="weights.damaged",
        path=path,
    )


def _describe(content: object) -> str:
    if not isinstance(content, dict):
        return f"a {type(content).__name__}"
    return f"a table with the keys {', '.join(map(repr, list(content)[:5]))}"


def check_state(
    state: Mapping[str, Tensor], template: Mapping[str, Tensor], *, path: Path | None = None
) -> None:
    """Check that a table has exactly the names, shapes, types and only finite values.

    Args:
        state: what was read.
        template: the state dict of the model it is meant for.
        path: named in the error.

    Raises:
        WeightsError: `weights.keys`, `weights.shape`, `weights.dtype` or `weights.not_finite`.
    """
    missing, extra = sorted(template.keys() - state), sorted(state.keys() - template)
    if missing or extra:
        raise _unfit(
            f"{_some(missing, 'missing')}, {_some(extra, 'unexpected')}; "
            f"expected {len(template)} names, found {len(state)}",
            code="keys",
            path=path,
        )
    for name, wanted in template.items():
        _check_tensor(name, state[name], wanted, path)


def _check_tensor(name: str, found: Tensor, wanted: Tensor, path: Path | None) -> None:
    if found.layout != torch.strided or found.shape != wanted.shape:
        layout = "" if found.layout == torch.strided else f" as {found.layout}"
        raise _unfit(
            f"{name} has shape {tuple(found.shape)}{layout}, expected {tuple(wanted.shape)}",
            code="shape",
            path=path,
        )
    if found.dtype != wanted.dtype:
        raise _unfit(
            f"{name} holds {found.dtype}, expected {wanted.dtype}", code="dtype", path=path
        )
    strange = int((~torch.isfinite(found)).sum())
    if strange:
        raise _unfit(
            f"{name} has {strange} of {found.numel()} values that are not finite",
            code="not_finite",
            path=path,
        )


def _some(names: list[str], what: str) -> str:
    shown = f" ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})" if names else ""
    return f"{len(names)} {what}{shown}"


def _unfit(problem: str, *, code: str, path: Path | None) -> WeightsError:
    return WeightsError(
        problem,
        fix="These are not the weights of this model, or they are damaged. " + _FIX,
        code=f"weights.{code}",
        path=path,
    )


def to_safetensors(state: Mapping[str, Tensor], *, note: Mapping[str, str]) -> bytes:
    """Return a table of tensors as the bytes of a safetensors file; `note` goes into its header."""
    tensors = {name: tensor.contiguous() for name, tensor in state.items()}
    return safetensors.torch.save(tensors, metadata=dict(note))


def save_safetensors(state: Mapping[str, Tensor], path: Path, *, note: Mapping[str, str]) -> None:
    """Write a table of tensors as a safetensors file; `note` goes into its header."""
    tensors = {name: tensor.contiguous() for name, tensor in state.items()}
    safetensors.torch.save_file(tensors, path, metadata=dict(note))
