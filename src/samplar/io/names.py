"""File names: the suffix and stem of a medical image, `.nii.gz` counted as one suffix."""

from __future__ import annotations

from pathlib import Path


def suffix_of(path: str | Path) -> str:
    """Return the suffix in lower case, `.nii.gz` as a whole."""
    name = Path(path).name.lower()
    return ".nii.gz" if name.endswith(".nii.gz") and name != ".nii.gz" else Path(name).suffix


def stem_of(path: str | Path) -> str:
    """Return the file name without its suffix, so `case 7` for `a/case 7.nii.gz`."""
    name = Path(path).name
    return name[: len(name) - len(suffix_of(path))]
