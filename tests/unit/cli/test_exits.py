from __future__ import annotations

import errno

import pytest

from samplar.cli.exits import guard
from samplar.cli.screen import Screen
from samplar.cli.signals import Terminated
from samplar.errors import (
    InputError,
    OutputError,
    ResourceError,
    UsageError,
    WeightsError,
)

SCREEN = Screen(as_json=False, quiet=True)


class OutOfMemoryError(RuntimeError):
    """Named as torch names its own."""


class AcceleratorError(RuntimeError):
    """Named as torch names its own."""


def run(error: BaseException, *, debug: bool = False) -> int:
    def body() -> None:
        raise error

    return guard(body, SCREEN, debug=debug)


@pytest.mark.parametrize(
    ("kind", "status"),
    [(UsageError, 2), (InputError, 3), (OutputError, 4), (WeightsError, 5), (ResourceError, 6)],
)
def test_an_error_of_ours_is_its_line_and_its_status(kind, status, capsys):
    assert run(kind("17 things", fix="Mend them", code="a.b", path="x.png")) == status
    told = capsys.readouterr()
    assert told.err == "samplar: x.png: 17 things. Mend them. [a.b]\n"
    assert told.out == ""


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (MemoryError(), 6, "resources.memory"),
        (OutOfMemoryError("CUDA out of memory"), 6, "resources.memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), 6, "resources.memory"),
        (RuntimeError("MPS backend out of memory (allocated 9 GB)"), 6, "resources.memory"),
        (AcceleratorError("CUDA error: device lost\n\nmore"), 6, "device.lost"),
        (AcceleratorError(), 6, "device.lost"),
        (RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"), 6, "device.lost"),
        (OSError(errno.ENOSPC, "No space left on device", "/x/y"), 6, "resources.disk"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), 6, "resources.disk"),
        (PermissionError(errno.EACCES, "Permission denied", "/x/y"), 3, "input.unusable"),
        (RuntimeError("shapes differ"), 70, "bug"),
        (OSError("no number"), 70, "bug"),
        (KeyError("a\nb"), 70, "bug"),
    ],
)
def test_other_errors_are_one_line_too(error, status, code, capsys):
    assert run(error) == status
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("samplar: ")
    assert line.endswith(f"[{code}]")


def test_a_bug_asks_to_be_reported_and_debug_shows_where(capsys):
    assert run(RuntimeError("shapes differ")) == 70
    told = capsys.readouterr().err
    assert "RuntimeError: shapes differ" in told
    assert "--debug" in told
    assert run(RuntimeError("shapes differ"), debug=True) == 70
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "status", "word"),
    [(KeyboardInterrupt(), 130, "interrupted"), (Terminated("Go on"), 143, "terminated. Go on")],
)
def test_signals(error, status, word, capsys):
    assert run(error) == status
    assert capsys.readouterr().err.startswith(f"samplar: {word}")


def test_a_broken_pipe_is_left_to_typer():
    with pytest.raises(BrokenPipeError):
        run(BrokenPipeError())


@pytest.mark.parametrize(("given", "status"), [(None, 0), (0, 0), (7, 7)])
def test_the_status_of_a_body_that_ends(given, status):
    assert guard(lambda: given, SCREEN, debug=False) == status
