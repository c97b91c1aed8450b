"""What an adapter gives away, by itself and about the data set it was made from."""

from __future__ import annotations

from pathlib import Path

from samplar.io.name_list import names_in
from samplar.prediction.privacy import PrivacyReport, look_through


def examine_privacy(adapter: Path, dataset: Path | None = None) -> PrivacyReport:
    """Look through an adapter folder, also for every name of a data set if one is given.

    Raises:
        WeightsError: `adapter.*`, if it is no whole adapter with the declared fields and no other.
        InputError: `dataset.*`, if the data set cannot be listed.
    """
    return look_through(adapter, names_in(dataset) if dataset is not None else ())
