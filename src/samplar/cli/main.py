"""The entry point: `samplar VERB ...`."""

from __future__ import annotations

import os
import sys

import typer

from samplar.cli import (
    bench,
    check,
    demo,
    doctor,
    evaluate,
    exemplars,
    export,
    fit,
    methods,
    predict,
    report,
    signals,
    synth,
    tiles,
    weights,
)
from samplar.sam.memory import keep_freed_memory

HELP = """SAM from a few exemplars: label a handful of slices, get the whole data set segmented.

Not a medical device; for research only.
"""

VERBS = (
    demo,
    check,
    exemplars,
    synth,
    fit,
    predict,
    evaluate,
    report,
    bench,
    export,
    methods,
    weights,
    tiles,
    doctor,
)
"""In the order of `samplar --help`."""

app = typer.Typer(
    help=HELP,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich help takes longer to load than all the rest
)
for module in VERBS:
    module.register(app)


def run() -> None:
    """Run the command line and leave with its exit status."""
    signals.install()
    _wait_politely()
    keep_freed_memory()
    for stream in (sys.stdout, sys.stderr):
        # A file name that the locale cannot write must not turn a result into an error.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    app()


def _wait_politely() -> None:
    """Let idle threads sleep instead of spin, unless the user decided; before torch is loaded.

    torch's many short parallel sections spin at each end. Where other work shares the cores that
    costs most of the time: 19 s instead of 1 s for four training steps on two busy cores.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
