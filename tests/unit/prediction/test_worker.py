from __future__ import annotations

from multiprocessing import Pipe

import pytest

from samplar.errors import InputError
from samplar.prediction.worker import _portable


class StubbornError(Exception):
    """An error that holds what no pipe can carry."""

    def __init__(self, what):
        super().__init__(what)
        self.held = lambda: what


def sent(error):
    """Return the error as the other end of a pipe gets it."""
    here, there = Pipe()
    here.send(_portable(error))
    return there.recv()


def test_an_error_of_ours_arrives_whole():
    found = sent(InputError("is cut off", fix="Copy it again", code="io.truncated", path="a.nii"))
    assert isinstance(found, InputError)
    assert (found.path, found.code, found.fix) == ("a.nii", "io.truncated", "Copy it again")


@pytest.mark.parametrize("kind", [StubbornError, ValueError])
def test_any_other_error_says_what_and_where_it_was(kind):
    try:
        raise kind("seven of nine")
    except kind as error:
        found = sent(error)
    assert isinstance(found, RuntimeError)
    assert str(found) == f"{kind.__name__}: seven of nine"
    assert "test_any_other_error" in "".join(found.__notes__)
