"""What a SAM was before a method was put on it, so that it can be given back bit for bit."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from samplar.errors import UsageError
from samplar.methods.merge import parts_of
from samplar.sam.model import Sam

_CONTAINERS = (dict, list, set)


class Original:
    """The structure of a SAM, and copies of those of its tensors that a method trains.

    What a method replaces is not copied: the old modules and tensors are kept in place of the new
    ones. Only tensors that train where they are have to be copied, once, on the CPU.
    """

    def __init__(self, sam: Sam) -> None:
        self._modules = [(module, _contents(module)) for module in sam.modules()]
        self._parameters = [(p, p.requires_grad) for p in sam.parameters()]
        self._versions = [
            (name, tensor, tensor._version)
            for name, tensor in sam.state_dict(keep_vars=True).items()
        ]
        self.parts = parts_of(sam)
        self._trained: list[tuple[Tensor, Tensor]] = []

    def keep_trained(self, sam: Sam) -> None:
        """Copy the original tensors that train in place, before the first step changes them.

        Raises:
            UsageError: `methods.writes`, when attaching has changed an original tensor already.
        """
        for name, tensor, version in self._versions:
            if tensor._version != version:
                raise UsageError(
                    f"the method writes into SAM's own {name} while it is attached",
                    fix="In the method's file, put a new parameter in its place instead",
                    code="methods.writes",
                )
        current = {id(p) for p in sam.parameters() if p.requires_grad}
        self._trained = [
            (p, p.detach().to("cpu", copy=True)) for p, _ in self._parameters if id(p) in current
        ]

    @torch.no_grad()
    def restore(self, sam: Sam) -> None:
        """Put everything back as it was, on the device where `sam` is now."""
        device = next(sam.parameters()).device
        for module, contents in self._modules:
            vars(module).clear()
            vars(module).update(contents)
        for tensor, kept in self._trained:
            tensor.copy_(kept)
        for parameter, flag in self._parameters:
            parameter.requires_grad_(flag)
            parameter.grad = None
        sam.to(device)


def _contents(module: nn.Module) -> dict[str, Any]:
    """Return the attributes of a module; its tables of tensors, modules and hooks as copies."""
    return {
        name: value.copy() if isinstance(value, _CONTAINERS) else value
        for name, value in vars(module).items()
    }
