"""A SAM with a method on it: what trains, what is saved, and the frozen prefix, derived once."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from samplar.config.base import Strict
from samplar.config.loss import LossConfig
from samplar.errors import WeightsError
from samplar.methods.contract import Batch, Method
from samplar.sam.model import Sam
from samplar.sam.sites import first_trained_step


class AdaptedSam(nn.Module):
    """SAM, one method, its settings and its memory.

    Attaching freezes everything and lets the method thaw and add what it trains. The images that
    come in are (b, 3, s, s) in the model's frame.
    """

    def __init__(self, sam: Sam, method: Method, config: Strict, classes: int) -> None:
        super().__init__()
        self.sam = sam
        self.method = method
        self.config = config
        self.classes = classes
        self.memory: dict[str, Tensor] = {}
        sam.eval().requires_grad_(False)
        method.attach(sam, config, classes)
        self._steps = sam.image_encoder.steps()
        self.prefix_steps = first_trained_step(sam)

    @property
    def loss(self) -> LossConfig:
        """How this method compares its output with labels."""
        return self.method.loss(self.config)

    def trained(self) -> dict[str, nn.Parameter]:
        """Return the trainable parameters by name."""
        return {name: p for name, p in self.sam.named_parameters() if p.requires_grad}

    @torch.no_grad()
    def prefix(self, images: Float[Tensor, "b 3 s s"]) -> Float[Tensor, "b c i j"]:
        """Run the encoder up to the first step that trains: it depends on the image alone."""
        x = images
        for _, step in self._steps[: self.prefix_steps]:
            x = step(x)
        return x

    def embed(self, prefix: Float[Tensor, "b c i j"]) -> Float[Tensor, "b d u v"]:
        """Run the rest of the encoder on what `prefix` returned."""
        x = prefix
        for _, step in self._steps[self.prefix_steps :]:
            x = step(x)
        return x

    def forward(
        self, prefix: Tensor, images: Tensor, labels: Tensor | None = None
    ) -> Float[Tensor, "b k i j"]:
        """Return class logits, background first, on the method's own grid over the frame.

        Args:
            prefix: what `prefix(images)` returned.
            images: (b, 3, s, s).
            labels: (b, s, s), for training and for oracle methods only.
        """
        batch = Batch(images, self.embed(prefix), labels, self.classes)
        return self.method.logits(self.sam, self.config, batch, self.memory)

    @torch.no_grad()
    def remember(self, images: Tensor, labels: Tensor) -> None:
        """Let a training-free method keep what it needs of the exemplars."""
        batch = Batch(images, self.embed(self.prefix(images)), labels, self.classes)
        kept = self.method.remember(self.sam, self.config, batch)
        # As a saved adapter will have it: the memory layout decides the last bit of a product.
        self.memory = {name: tensor.contiguous() for name, tensor in kept.items()}

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


def check_tensors(
    expected: Mapping[str, Tensor], found: Mapping[str, Tensor], *, path: str
) -> None:
    """Refuse a state whose names or shapes differ from the expected ones."""
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
