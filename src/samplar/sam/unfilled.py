"""Build a module without filling it: the numbers come from a file, and drawing them costs start-up.

On the meta device torch answers each random draw by loading its compiler, 1.3 s at every start.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

M = TypeVar("M", bound=nn.Module)

_INITIALISERS = "torch.nn.init"


class Unfilled(TorchFunctionMode):
    """While active, `torch.nn.init` leaves its tensor alone, and `torch.randn` only makes room."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Stand in for `func`, as `torch.overrides` describes."""
        given = kwargs or {}
        if getattr(func, "__module__", None) == _INITIALISERS:
            return given["tensor"] if "tensor" in given else args[0]
        return (torch.empty if func is torch.randn else func)(*args, **given)


def built_on(device: torch.device, make: Callable[[], M]) -> M:
    """Build a module for a device.

    Its numbers are drawn on the CPU, so that one seed gives the same ones everywhere; beside a SAM
    that has no numbers (`meta`) it gets none either.
    """
    if device.type != "meta":
        return make().to(device)
    with torch.device("meta"), Unfilled():
        return make()
