"""A process that computes a cell ends with the one that started it, however that one ended."""

from __future__ import annotations

import multiprocessing
import os
from multiprocessing.connection import wait
from threading import Thread

ORPHANED = 1
"""Status of a process that ended because nobody waits for it any more."""


def end_with_parent() -> None:
    """Watch the process that started this one, and end at once when it is gone.

    A parent that is killed cannot tell its processes to end. They would go on for hours, beside
    those of the bench that is started again in the same folder, and write over its cells.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        Thread(target=_outlive_nobody, args=(parent.sentinel,), daemon=True).start()


def _outlive_nobody(sentinel: int) -> None:
    wait([sentinel])
    os._exit(ORPHANED)  # at once: an exception would end this thread alone
