"""The run folder: what a fit was asked to do, what it did, and where it keeps its files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from samplar.config.fit import FitConfig
from samplar.config.training import INDIFFERENT
from samplar.errors import InputError, UsageError
from samplar.io.atomic import ensure_writable, write_bytes
from samplar.sam.precision import Precisions
from samplar.synthesis.draw import Draw
from samplar.training.checkpoint import other_run

CONFIG = "config.yaml"
MANIFEST = "manifest.json"
DRAWS = "draws.jsonl"


@dataclass(frozen=True)
class RunFolder:
    """One folder per fit: config.yaml, manifest.json, metrics.jsonl, draws.jsonl, adapter/, ..."""

    path: Path

    @property
    def adapter(self) -> Path:
        """The adapter folder."""
        return self.path / "adapter"

    @property
    def journal(self) -> Path:
        """One line per iteration."""
        return self.path / "metrics.jsonl"

    @property
    def exemplars(self) -> Path:
        """Which slices it learns from."""
        return self.path / "exemplars.yaml"

    def chosen(self) -> Path | None:
        """Return the list of exemplars of a run that has begun, None before.

        They are not chosen again: the data set may have grown, and the last bit of an embedding
        differs between devices.
        """
        begun = (self.path / MANIFEST).exists() and self.exemplars.exists()
        return self.exemplars if begun else None

    def write_config(self, config: FitConfig) -> None:
        """Write the settings, complete with every default."""
        plain = json.loads(config.model_dump_json())
        text = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)
        write_bytes(self.path / CONFIG, text.encode())

    def settled_precisions(self) -> Precisions | None:
        """Return the precisions that this run began in, None if it has not begun.

        A run that goes on keeps them: a probe would be timed again, and might come out otherwise.
        Earlier versions had one for all.
        """
        if not (self.path / MANIFEST).exists():
            return None
        found = self.read_manifest()
        frozen = found.get("precision")
        return None if frozen is None else Precisions(frozen, found.get("trained_in", frozen))

    def settled_window(self) -> bool | None:
        """Return whether this run looks twice, None where that is not decided yet.

        A run that goes on keeps it: what it was trained on depends on it.
        """
        if not (self.path / MANIFEST).exists():
            return None
        found = self.read_manifest().get("window")
        return found if isinstance(found, bool) else None

    def settle_window(self, used: bool) -> None:
        """Note whether this run looks twice."""
        self.write_manifest({**self.read_manifest(), "window": used})

    def check(self, digest: str) -> None:
        """See that this folder belongs to no other run, before anything is written into it.

        Raises:
            InputError: `resume.other_run` when it belongs to other settings or exemplars.
        """
        if (self.path / MANIFEST).exists() and self.read_manifest().get("run") != digest:
            raise other_run(self.path)

    def claim(self, digest: str, precisions: Precisions) -> None:
        """Note which run this folder belongs to.

        The settings are there before: a run that has a name can be resumed by them.
        """
        if not (self.path / MANIFEST).exists():
            self.write_manifest({"run": digest, **in_manifest(precisions)})

    def write_manifest(self, content: Mapping[str, Any]) -> None:
        """Write what was used and what came out: versions, digests, times, memory."""
        write_bytes(self.path / MANIFEST, (json.dumps(content, indent=1) + "\n").encode())

    def read_manifest(self) -> dict[str, Any]:
        """Return the manifest.

        Raises:
            InputError: `run.manifest`.
        """
        path = self.path / MANIFEST
        try:
            found = json.loads(path.read_bytes())
        except ValueError as error:
            raise _damaged(path, str(error)) from error
        if not isinstance(found, dict):
            raise _damaged(path, "not a table")
        return found

    def write_draws(self, draws: Sequence[Draw]) -> None:
        """Write the record of every synthetic image, one per line."""
        lines = "".join(draw.model_dump_json(exclude_defaults=True) + "\n" for draw in draws)
        write_bytes(self.path / DRAWS, lines.encode())


def open_run(path: Path, *, resume: bool) -> RunFolder:
    """Make the run folder, or take up an unfinished one.

    Raises:
        UsageError: `run.exists` when the folder holds a run and `resume` was not asked for.
        OutputError: `output.not_writable`.
    """
    ensure_writable(path)
    if not resume and any((path / name).exists() for name in (CONFIG, MANIFEST)):
        raise UsageError(
            "this folder already holds a run",
            fix="Add --resume to go on with it, or choose another output folder",
            code="run.exists",
            path=path,
        )
    return RunFolder(path)


def _damaged(path: Path, why: str) -> InputError:
    return InputError(
        f"is not a manifest of a run ({why})",
        fix="Restore the file, or begin again in another output folder",
        code="run.manifest",
        path=path,
    )


def in_manifest(precisions: Precisions) -> dict[str, str]:
    """Return how a manifest says what was computed in which precision."""
    return {"precision": precisions.frozen, "trained_in": precisions.trained}


def run_digest(config: FitConfig, *, exemplars: str, weights: str, precisions: Precisions) -> str:
    """Return the SHA-256 of all that decides the trained tensors.

    Where the data lie, the device, how often checkpoints are written and what is done to calibrate
    are left out.
    """
    decisive = json.loads(config.model_dump_json())
    for name in ("dataset", "split", "exemplars", "device", "preset", "trust"):
        del decisive[name]
    for name in INDIFFERENT:
        del decisive["training"][name]
    parts = {**decisive, "digest": exemplars, "sha256": weights, "precision": precisions.frozen}
    if precisions.trained != precisions.frozen:  # else as runs of earlier versions have it
        parts["trained_in"] = precisions.trained
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
