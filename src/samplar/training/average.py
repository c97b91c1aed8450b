"""A running mean of the weights, which leaves out the noise of the last steps.

Source: Polyak and Juditsky 1992, SIAM J. Control Optim. 30(4); as an exponential mean with a short
memory at the start: Tarvainen and Valpola 2017 (mean teacher), arXiv 1703.01780.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


class RunningMean:
    """The exponential mean of trained parameters, or nothing at all where `memory` is 0."""

    def __init__(self, weights: Mapping[str, nn.Parameter], memory: float) -> None:
        self.weights = weights if memory else {}
        self.memory = memory
        self.means = {name: p.detach().clone() for name, p in self.weights.items()}

    @torch.no_grad()
    def take(self, step: int) -> None:
        """Take in the weights after this many steps; early on the mean forgets faster."""
        if not self.means:
            return
        kept = min(self.memory, (1 + step) / (10 + step))
        values = [p.detach() for p in self.weights.values()]
        torch._foreach_lerp_(list(self.means.values()), values, 1 - kept)

    def restore(self, means: Mapping[str, Tensor]) -> None:
        """Go on from saved means, on the device of the weights."""
        for name, mean in self.means.items():
            mean.copy_(means[name])

    @torch.no_grad()
    def settle(self) -> None:
        """Let the weights be their mean."""
        for name, mean in self.means.items():
            self.weights[name].copy_(mean)
