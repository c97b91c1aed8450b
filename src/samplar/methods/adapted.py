"""A SAM with a method on it: what trains, what is saved, and the frozen prefix, derived once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from samplar.config.base import Strict
from samplar.config.loss import AnyLoss
from samplar.errors import UsageError
from samplar.methods.contract import Batch, Method, Pass, is_oracle
from samplar.methods.merge import plain_copy
from samplar.methods.original import Original
from samplar.methods.rates import relative_rates
from samplar.methods.slab import apart, centre, together
from samplar.methods.state import check_tensors
from samplar.methods.steps import digest_of_steps, seen_through, tapped_steps
from samplar.sam.model import Sam

MARK = "_samplar_method"
"""Attribute of a SAM that has a method on it: the method's name."""

Keeper = Callable[[Tensor, Callable[[Tensor], Tensor], str], Tensor]
"""Returns what a function makes of images, computed now or kept from before.

The text says which function: models with the same one may have each other's results.
"""


class AdaptedSam(nn.Module):
    """SAM, one method, its settings and its memory.

    Attaching freezes everything and lets the method thaw and add what it trains. It changes `sam`
    itself; `detach` gives it back as it was. The images that come in are (b, 3, s, s) in the
    model's frame, or (b, 3 d, s, s) for a method that sees a slice among its neighbours: d slices
    one after another along the channels, the one in the middle to be segmented. With `recompute`
    set, a training step keeps only what goes into each step of the encoder.

    Raises:
        UsageError: `methods.attached`, when there is a method on this SAM; `methods.writes`;
            `methods.rates`; and what the method itself refuses. The SAM is then as it was.
    """

    def __init__(self, sam: Sam, method: Method, config: Strict, classes: int) -> None:
        super().__init__()
        self.sam = sam
        self.method = method
        self.config = config
        self.classes = classes
        self.slices = 1 + 2 * method.neighbours(config)
        self.memory: dict[str, Tensor] = {}
        self.keeper: Keeper | None = None
        self.recompute = False
        self.rates: dict[str, float] = {}
        self._tapped = tapped_steps(sam, method, config)
        self._original = self._attach()
        self._steps, self.prefix_steps = seen_through(sam, method, config, tapped=self._tapped)

    def _attach(self) -> Original:
        sam, name = self.sam, self.method.card.name
        if MARK in vars(sam):
            raise UsageError(
                f"{name} cannot be put on a SAM that has {vars(sam)[MARK]} on it",
                fix="Detach the first method, or load the base weights again",
                code="methods.attached",
            )
        original = Original(sam)
        with ExitStack() as trouble:
            trouble.callback(original.restore, sam)
            sam.eval().requires_grad_(False)
            self.method.attach(sam, self.config, self.classes)
            self.rates = relative_rates(self.trained(), sam, self.method, self.config)
            original.keep_trained(sam)
            vars(sam)[MARK] = name
            trouble.pop_all()
        return original

    @property
    def loss(self) -> AnyLoss:
        """How this method compares its output with labels."""
        return self.method.loss(self.config)

    @property
    def oracle(self) -> bool:
        """Whether it reads the truth of the very image it segments, with these settings."""
        return is_oracle(self.method.prompted(self.config))

    @property
    def averages(self) -> bool:
        """Whether all slices of an image are segmented in use, and the results averaged."""
        asked = self.method.averages
        return self.slices > 1 and asked is not None and asked(self.config)

    def trained(self) -> dict[str, nn.Parameter]:
        """Return the trainable parameters by name."""
        return {name: p for name, p in self.sam.named_parameters() if p.requires_grad}

    @torch.no_grad()
    def prefix(self, images: Float[Tensor, "b e s s"]) -> Float[Tensor, "b c i j"]:
        """Run the encoder up to the first step that trains: it depends on the image alone."""
        if self.keeper is None or not self.prefix_steps:  # the images themselves are not kept
            return self._frozen(images)
        return self.keeper(images, self._frozen, self._prefix_digest)

    @cached_property
    def _prefix_digest(self) -> str:
        steps = self._steps[: self.prefix_steps]
        return digest_of_steps(steps, self.sam, self.method, self.config, slices=self.slices)

    def _frozen(self, images: Tensor) -> Tensor:
        x = apart(images, self.slices)
        for _, step in self._steps[: self.prefix_steps]:
            x = step(x)
        return together(x, self.slices)

    def embed(self, prefix: Float[Tensor, "b c i j"]) -> Float[Tensor, "b d u v"]:
        """Run the rest of the encoder on what `prefix` returned; of neighbours nothing is kept."""
        return self._embedded(prefix)[0]

    def _embedded(
        self, prefix: Tensor, *, every: bool = False
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return the embedding and what the tapped steps made of the same slices."""
        x = apart(prefix, self.slices)
        again = self.recompute and torch.is_grad_enabled()
        kept = {self.prefix_steps - 1: x}
        for number, (_, step) in enumerate(self._steps[self.prefix_steps :], self.prefix_steps):
            x = checkpoint(step, x, use_reentrant=False) if again else step(x)
            if number in self._tapped:
                kept[number] = x
        shown, *taps = (x, *(kept[number] for number in self._tapped))
        if not every:
            shown, *taps = (centre(part, self.slices) for part in (shown, *taps))
        return shown, tuple(taps)

    def _batch(
        self,
        prefix: Tensor,
        images: Tensor,
        labels: Tensor | None,
        chance: torch.Generator | None = None,
        *,
        every: bool = False,
    ) -> Batch:
        shown = apart(images, self.slices)
        shown = shown if every else centre(shown, self.slices)
        embedding, taps = self._embedded(prefix, every=every)
        return Batch(shown, embedding, labels, self.classes, chance, taps)

    def forward(
        self,
        prefix: Tensor,
        images: Tensor,
        labels: Tensor | None = None,
        *,
        chance: torch.Generator | None = None,
        every: bool = False,
    ) -> Float[Tensor, "n k i j"]:
        """Return class logits, background first, on the method's own grid over the frame.

        Args:
            prefix: what `prefix(images)` returned.
            images: as for `prefix`.
            labels: (b, s, s), for training and for oracle methods only.
            chance: of the random draws of a training step; None outside training.
            every: of all slices that an image holds, one after another, not of the one in the
                middle alone.
        """
        batch = self._batch(prefix, images, labels, chance, every=every)
        return self.method.logits(self.sam, self.config, batch, self.memory)

    def passes(
        self, prefix: Tensor, images: Tensor, labels: Tensor, *, chance: torch.Generator
    ) -> Iterator[Pass]:
        """Yield what the optimiser's steps on a batch are computed from, most often one.

        Between two of them the caller takes a step: the next is computed with the new weights.

        Args:
            prefix: what `prefix(images)` returned.
            images: as for `prefix`.
            labels: (b, s, s), 255 where nothing is known.
            chance: of the random draws of this iteration.
        """
        batch = self._batch(prefix, images, labels, chance)
        if self.method.passes is None:
            yield Pass(self.method.logits(self.sam, self.config, batch, self.memory), labels)
        else:
            yield from self.method.passes(self.sam, self.config, batch, self.memory)

    @torch.no_grad()
    def remember(self, prefix: Tensor, images: Tensor, labels: Tensor) -> None:
        """Let a training-free method keep what it needs of the exemplars, as for `passes`."""
        kept = self.method.remember(self.sam, self.config, self._batch(prefix, images, labels))
        # As a saved adapter will have it: the memory layout decides the last bit of a product.
        self.memory = {name: tensor.contiguous() for name, tensor in kept.items()}

    def merge(self) -> Sam:
        """Return a plain, frozen SAM of its own that computes the same; this model stays as it is.

        Low-rank paths are added to the weights they sit on, trained tensors are as trained, and the
        decoder keeps its `classes + 1` mask tokens. What `memory` holds is not in it.

        Raises:
            UsageError: `methods.merge`, when the method adds parts that no plain SAM has.
        """
        plain = plain_copy(self.sam, self._original.parts, method=self.method.card.name)
        del vars(plain)[MARK]
        return plain

    def detach(self) -> Sam:
        """Take the method off and return the base SAM, bit for bit as it was before.

        Nothing is loaded or copied but the tensors that were trained in place. The SAM is given
        away: this model cannot be used any more.
        """
        sam = self.sam
        del self.sam, self._steps
        self._original.restore(sam)
        return sam

    def adapter_state(self) -> dict[str, Tensor]:
        """Return everything that is not the base weights: trained tensors and memory."""
        state = {name: p.detach().cpu().contiguous() for name, p in self.trained().items()}
        return state | {f"memory.{k}": v.cpu().contiguous() for k, v in self.memory.items()}

    def load_adapter_state(self, state: Mapping[str, Tensor], *, path: str) -> None:
        """Load what `adapter_state` returned; every tensor must be there and fit.

        Raises:
            WeightsError: `adapter.keys` or `adapter.shape`, naming expected and found.
        """
        trained = self.trained()
        given = {k: v for k, v in state.items() if not k.startswith("memory.")}
        check_tensors(trained, given, path=path)
        with torch.no_grad():
            for name, parameter in trained.items():
                parameter.copy_(given[name])
        self.memory = {
            k.removeprefix("memory."): v.to(self.sam.device)
            for k, v in state.items()
            if k.startswith("memory.")
        }
