"""Write an adapter in the layouts of other programs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from samplar import __version__
from samplar.errors import UsageError
from samplar.export.files import files_of
from samplar.export.kinds import Kind
from samplar.export.readme import Facts
from samplar.io.atomic import make_folder, write_bytes
from samplar.io.lock import NAME, sole_writer
from samplar.methods.adapted import AdaptedSam
from samplar.prediction.adapter import AdapterCard, load_adapter, read_card


@dataclass(frozen=True)
class Exported:
    """What was written: the files in the folder, and their bytes in all."""

    folder: Path
    files: tuple[Path, ...]
    size: int


def export(run: Path, out: Path, *, kind: Kind) -> Exported:
    """Write the adapter of a run for other programs to load.

    Args:
        run: a run folder or an adapter folder.
        out: a folder that is empty or does not exist.
        kind: the layout.

    Raises:
        UsageError: `export.exists`; `export.method`, `export.encoder`, `export.peft`,
            `export.samed` or `methods.merge` when the layout cannot hold this adapter.
        WeightsError: `adapter.*` or `weights.*`.
        OutputError: the folder cannot be written to.
    """
    if out.is_dir() and any(entry.name != NAME for entry in out.iterdir()):
        raise UsageError(
            "this folder is not empty",
            fix="Choose another output folder",
            code="export.exists",
            path=out,
        )
    model = load_adapter(run)
    files = files_of(model, _facts(read_card(run), model), kind=kind)
    written: list[Path] = []
    with sole_writer(out):
        for name, contents in files.items():
            path = out / name
            make_folder(path.parent)
            write_bytes(path, contents())
            written.append(path)
    return Exported(out, tuple(written), sum(path.stat().st_size for path in written))


def _facts(card: AdapterCard, model: AdaptedSam) -> Facts:
    return Facts(
        samplar=__version__,
        method=card.method,
        weights=Path(card.weights).name,  # where it lies on this machine is nobody's business
        digest=card.weights_sha256,
        classes=card.class_names,
        size=card.size,
        pixels=model.sam.pixels.rule,
        intensity=str(card.intensity),
        prompts=model.method.prompted(model.config),
        roi=None if card.roi is None else card.roi.share,
    )
