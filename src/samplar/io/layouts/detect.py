"""Find out how a data set lies on disk, from what the folder holds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from samplar.errors import InputError
from samplar.io.layouts import decathlon, flat, nnunet, npz
from samplar.io.layouts.listing import Listing, files_in
from samplar.io.names import suffix_of
from samplar.io.wording import few

_EXPECTED = "images/ and labels/, or as nnU-Net does with dataset.json, or as .npz files"
_USUAL_NAMES = {"image", "imgs", "img", "label", "masks", "mask", "annotations", "gt", "gts"}


def list_cases(root: Path, description: Mapping[str, Any]) -> Listing:
    """List the cases of a data set.

    Args:
        root: its folder.
        description: the content of its dataset.json, empty if there is none.

    Raises:
        InputError: `dataset.missing`, `dataset.unrecognised`, `dataset.empty`.
    """
    if not root.is_dir():
        problem = "this is a file" if root.exists() else "the folder does not exist"
        fix = "Give the folder of a data set"
        raise InputError(problem, fix=fix, code="dataset.missing", path=root)
    listing = _listing(root, description)
    if not listing.cases and not listing.problems:
        raise _empty(root, listing)
    return listing


def _listing(root: Path, description: Mapping[str, Any]) -> Listing:
    channels = _channel_names(description)
    if decathlon.recognise(root, description):
        return decathlon.list_cases(root, description, channels)
    if nnunet.recognise(root):
        return nnunet.list_cases(root, channels)
    if flat.recognise(root):
        return flat.list_cases(root, channels)
    if npz.recognise(root):
        return npz.list_cases(root)
    raise _unrecognised(root)


def _channel_names(description: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the declared channels by number; nnU-Net's first version called them modality."""
    declared = description.get("channel_names", description.get("modality", {}))
    if not isinstance(declared, Mapping) or not all(str(key).isdecimal() for key in declared):
        return ()
    return tuple(str(declared[key]) for key in sorted(declared, key=int))


def _empty(root: Path, listing: Listing) -> InputError:
    folder = root / ("imagesTr" if listing.layout == "nnU-Net" else "images")
    others = sorted({suffix_of(path) or "no suffix" for path in folder.iterdir()})
    found = f"; it holds files of type {few(others)}" if others else ""
    return InputError(
        f"0 images in {folder.name}/{found}",
        fix="Put NIfTI, PNG, JPEG, TIFF or npz images there",
        code="dataset.empty",
        path=root,
    )


def _unrecognised(root: Path) -> InputError:
    folders = sorted(entry.name for entry in root.iterdir() if entry.is_dir())
    inner = [name for name in folders if _is_data_set(root / name)]
    similar = [name for name in folders if name.lower() in _USUAL_NAMES]
    if inner:
        fix = f"Did you mean {root / inner[0]}?"
    elif similar:
        fix = f"Rename {few(similar)} to images or labels"
    else:
        fix = f"Lay it out as {_EXPECTED}"
    return InputError(
        f"not a data set: {len(files_in(root))} images and the folders {few(folders) or '(none)'}",
        fix=fix,
        code="dataset.unrecognised",
        path=root,
    )


def _is_data_set(folder: Path) -> bool:
    return nnunet.recognise(folder) or flat.recognise(folder)


def is_dataset(root: Path) -> bool:
    """Say whether a path is a data set folder, rather than an image or a folder of images."""
    described = (root / "dataset.json").is_file()
    return root.is_dir() and (described or _is_data_set(root) or npz.recognise(root))
