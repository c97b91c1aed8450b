from __future__ import annotations

import pytest
import torch

from samplar.errors import InputError
from samplar.synthesis.samples import Samples


def parts(n=2, s=8):
    return torch.zeros(n, 3, s, s), torch.zeros(n, s, s, dtype=torch.uint8), torch.ones(n, s, s) > 0


def test_samples_know_their_number_and_side():
    samples = Samples(*parts(3, 16))
    assert (len(samples), samples.side) == (3, 16)


@pytest.mark.parametrize(
    "change",
    [
        lambda i, y, v: (i[:, :1], y, v),
        lambda i, y, v: (i, y[:1], v),
        lambda i, y, v: (i, y, v[:, :4]),
        lambda i, y, v: (i[:, :, :4], y[:, :4], v[:, :4]),
    ],
)
def test_shapes_that_do_not_fit_are_refused(change):
    with pytest.raises(InputError, match="have shapes") as error:
        Samples(*change(*parts()))
    assert error.value.code == "samples.shape"


def test_wrong_types_are_refused():
    images, labels, valid = parts()
    for wrong in ((images.double(), labels, valid), (images, labels.long(), valid)):
        with pytest.raises(InputError) as error:
            Samples(*wrong)
        assert error.value.code == "samples.type"
