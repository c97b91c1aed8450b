"""What a saved state must be to fit a model."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from samplar.errors import WeightsError


def check_tensors(
    expected: Mapping[str, Tensor], found: Mapping[str, Tensor], *, path: str
) -> None:
    """Refuse a state whose names or shapes differ from the expected ones.

    Raises:
        WeightsError: `adapter.keys` or `adapter.shape`, naming expected and found.
    """
    missing, extra = sorted(set(expected) - set(found)), sorted(set(found) - set(expected))
    if missing or extra:
        raise WeightsError(
            f"{len(missing)} tensors are missing (first: {missing[:2]}) and {len(extra)} are not "
            f"expected (first: {extra[:2]})",
            fix="Use the adapter with the method, classes and base weights it was made with",
            code="adapter.keys",
            path=path,
        )
    wrong = [n for n, t in expected.items() if t.shape != found[n].shape]
    if wrong:
        name = wrong[0]
        raise WeightsError(
            f"{name} has shape {tuple(found[name].shape)}, expected {tuple(expected[name].shape)}",
            fix="Use the adapter with the method, classes and base weights it was made with",
            code="adapter.shape",
            path=path,
        )
