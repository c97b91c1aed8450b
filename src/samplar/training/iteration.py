"""One iteration of training: the passes over a batch, a step of the optimiser after each."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn

from samplar.errors import ResourceError
from samplar.methods.adapted import AdaptedSam
from samplar.synthesis.samples import Samples
from samplar.training.passes import pass_losses
from samplar.training.room import no_room, tried
from samplar.training.seed import generator
from samplar.training.undone import undone


@dataclass
class Iteration:
    """What one iteration works with.

    Args:
        model: changed in place.
        optimizer: with the rate of this iteration.
        batch: what the frozen prefix made of the images, and their samples.
        exemplars: numbers of those that the batch was made from, for messages.
        number: of the iteration, counted from 1.
        seed: of the run.
        precision: fp32 or bf16.
        clip: largest norm of the gradient.
        losses: of the passes that were followed by a step.
    """

    model: AdaptedSam
    optimizer: torch.optim.AdamW
    batch: tuple[Tensor, Samples]
    exemplars: list[int]
    number: int
    seed: int
    precision: str
    clip: float
    losses: list[float] = field(default_factory=list)

    def run(self) -> None:
        """Take a step after every pass over the batch.

        Raises:
            ResourceError: `training.not_finite`, or `training.memory` with the batch that fits.
        """
        count = len(self.batch[1])
        passes = self._passes(count)
        while True:
            computed = tried(partial(self._next, passes))
            if computed is None:
                passes.close()  # it holds what was computed of the whole batch
                device = self.model.sam.device
                with undone(self.model):
                    error = no_room(self._all, batch=count, step=self.number, device=device)
                raise error
            if not computed:
                return
            loss, norm = computed
            self._guard("loss", loss)
            self._guard("gradient's norm", norm)
            self.optimizer.step()
            self.losses.append(loss.item())

    def _passes(self, count: int) -> Generator[Tensor]:
        prefix, samples = self.batch
        # of the iteration alone: resuming repeats it
        chance = generator(self.seed, f"step {self.number - 1}")
        part = prefix[:count], samples.first(count)
        return pass_losses(self.model, *part, precision=self.precision, chance=chance)

    def _all(self, count: int) -> bool:
        """Compute every pass over the first `count` of the batch; take no step."""
        passes = self._passes(count)
        while self._next(passes):
            pass
        return True

    def _next(self, passes: Iterator[Tensor]) -> tuple[Tensor, ...]:
        """Return the next pass's loss and its gradient's norm before clipping, or nothing."""
        loss = next(passes, None)
        if loss is None:
            return ()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        trained = [p for group in self.optimizer.param_groups for p in group["params"]]
        return loss.detach(), nn.utils.clip_grad_norm_(trained, self.clip)

    def _guard(self, what: str, value: Tensor) -> None:
        if bool(torch.isfinite(value)):
            return
        raise ResourceError(
            f"the {what} is {value.item()} at iteration {self.number}, in a batch made from the "
            f"exemplars {self.exemplars}",
            fix="Look at these exemplars with `samplar synth --preview`, or lower training.lr; "
            "the last checkpoint is kept",
            code="training.not_finite",
        )
