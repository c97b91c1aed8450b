"""What a refusal on the command line looks like, and small data sets to spoil."""

from __future__ import annotations

import re
from pathlib import Path

from command import Ran, samplar
from phantom_sets import volume, write_nifti

CLASSES = '{"1": "ball", "2": "slab"}'
SHAPE = (4, 14, 12)


def refused(ran: Ran, *, status: int, code: str, names: str) -> str:
    """Check status, parts and code of a refusal, and return its one line."""
    assert ran.status == status, (ran.status, ran.err)
    assert ran.out == ""
    assert "Traceback" not in ran.err
    (line,) = [line for line in ran.err.splitlines() if line.startswith("samplar: ")]
    assert re.fullmatch(r"samplar: .+\. .+\. \[[a-z_]+\.[a-z0-9_]+\]", line), line
    assert line.endswith(f"[{code}]"), line
    assert names in line, line
    return line


def small_set(root: Path) -> Path:
    """Write two volumes with labels; the first is `case0`."""
    for case in range(2):
        grey, labels = volume(case, SHAPE)
        labels[:2, :4, :4] = 1
        labels[:2, 6:9, :4] = 2
        write_nifti(root / "images" / f"case{case}.nii.gz", grey)
        write_nifti(root / "labels" / f"case{case}.nii.gz", labels)
    (root / "label_names.json").write_text(CLASSES)
    return root


def choose(data: Path, *words: object) -> Ran:
    """Run the verb that reads a whole data set and no weights."""
    out = data.parent / "exemplars.yaml"
    return samplar("exemplars", data, "-k", 2, "--strategy", "random", "-o", out, *words)
