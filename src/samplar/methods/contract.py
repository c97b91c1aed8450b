"""What a method is: one file with a card, a `Config` and at most twelve functions.

    card = Card(...)                              read without running the file: literals, and
                                                       the names of `differences`
    class Config(Strict)                               its settings
    def settle(config, exemplars)                      its settings once it is known how many
                                                       exemplars there are; default: as they are
    def attach(sam, config, classes)                   put trainable modules at named sites
    def remember(sam, config, exemplars)               tensors a training-free method keeps
    def logits(sam, config, batch, memory)             (b, k + 1, h, w); default: SAM's decoder
    def passes(sam, config, batch, memory)             while training: a `Pass` for every step on
                                                       a batch; default: one, of its `logits`
    def loss(config)                                   a `LossConfig`; default: CE + 0.8 Dice
    def prompts(config)                                what it needs at test time; default: card's
    def rates(sam, config)                             learning rates of trained parameters by name,
                                                       relative to the run's; default: all 1
    def around(config)                                 neighbouring slices on each side that its
                                                       encoder sees a slice with; default: 0
    def see(sam, config, images)                       (b, e, i, j), what it is given of images in
                                                       place of SAM's embedding
    def averages(config)                               whether in use it segments all these slices,
                                                       and what is said of one is averaged
    def taps(sam, config)                              names of SAM's steps whose output it needs
                                                       besides the embedding; default: none
    LR = 5e-3                                          its learning rate; default: 1e-3
    FIT = {"training": {"iterations": 600}}            settings of a fit that it needs otherwise
                                                       than the preset has them; default: none
    VIEWS = (0.875,)                                   frames, as shares of the size, in which a
                                                       slice is seen once more at test time
    EMBEDS = False                                     it works on the framed image, and SAM's
                                                       encoder is never run; default: True

Everything else is derived: what trains, the adapter file, its size, the frozen prefix, the row in
`samplar methods`. This file imports no torch, so that listing methods starts at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from samplar.config.base import Strict
from samplar.config.fit import MethodDefaults
from samplar.config.loss import AnyLoss, LossConfig

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from samplar.sam.model import Sam


DEFAULT_LR = 1e-3


@dataclass(frozen=True)
class Card:
    """What a reader wants to know before choosing a method.

    Args:
        name: the word used on the command line.
        title: one line.
        paper: where it was published, or "this library".
        plugs_in: the parts of SAM it touches.
        licence_note: what binds a user of the published code; ours is Apache-2.0.
        prompts: what it needs at test time: "none", or "oracle ..." when it reads the truth.
        trains: False for methods that only remember exemplars.
        trivial: a baseline that no method may lose to.
        differs: what is not as in the paper, and why: pairs of a sentence and its reason.
        encoder: the only kind of image encoder it can be put on, `vit` or `tiny-vit`;
            empty for any.
    """

    name: str
    title: str
    paper: str
    plugs_in: str
    licence_note: str
    prompts: str = "none"
    trains: bool = True
    trivial: bool = False
    differs: tuple[tuple[str, str], ...] = ()
    encoder: str = ""

    @property
    def oracle(self) -> bool:
        """Whether the method reads the truth of the very image it segments."""
        return is_oracle(self.prompts)

    def fits(self, architecture: str) -> bool:
        """Say whether it can be put on an image encoder of this kind."""
        return self.encoder in ("", architecture)


@dataclass(frozen=True)
class Batch:
    """What `logits` is given.

    Args:
        images: (b, 3, s, s) in the model's frame.
        embedding: (b, d, i, j), SAM's image embedding, adapted if the encoder is; what the method's
            `see` returned, if it has one; the images themselves for a method that needs none.
        labels: (b, s, s) class indices; only while training, for remembering, and for oracles.
        classes: number of foreground classes.
        chance: of the random draws of one training step, its own in every step; None at all other
            times, which is how a method that prompts itself from the labels knows that it trains.
        taps: (b, c, u, v) each, what the steps that the method names in `taps` made of the images.
    """

    images: Tensor
    embedding: Tensor
    labels: Tensor | None
    classes: int
    chance: Generator | None = None
    taps: tuple[Tensor, ...] = ()


@dataclass(frozen=True)
class Pass:
    """What one step of the optimiser is computed from.

    Args:
        logits: (n, k, i, j), background first; the rows need not be the images of the batch.
        labels: (n, s, s) class indices of the rows, 255 where nothing is known.
        quality: (n,) the IoU that the model predicts for the mask of each row, if it does.
        weight: how much its loss counts.
        also: further outputs of the same step (deep supervision); their losses are added.
    """

    logits: Tensor
    labels: Tensor
    quality: Tensor | None = None
    weight: float = 1.0
    also: tuple[Pass, ...] = ()


def is_oracle(prompts: str) -> bool:
    """Tell whether prompts of this description are taken from the truth."""
    return prompts.startswith("oracle")


Memory = Mapping[str, "Tensor"]
"""Named tensors of a training-free method; saved with the adapter."""


@dataclass(frozen=True)
class Method:
    """A method as the rest of the package sees it, with the defaults filled in."""

    card: Card
    config: type[Strict]
    attach: Callable[[Sam, Any, int], None]
    remember: Callable[[Sam, Any, Batch], dict[str, Tensor]]
    logits: Callable[[Sam, Any, Batch, Memory], Tensor]
    loss: Callable[[Any], AnyLoss]
    lr: float = DEFAULT_LR
    views: tuple[float, ...] = ()
    prompts: Callable[[Any], str] | None = None
    rates: Callable[[Sam, Any], Mapping[str, float]] | None = None
    fit: Mapping[str, Any] = field(default_factory=dict)
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    embeds: bool = True
    passes: Callable[[Sam, Any, Batch, Memory], Iterator[Pass]] | None = None
    around: Callable[[Any], int] | None = None
    see: Callable[[Sam, Any, Tensor], Tensor] | None = None
    taps: Callable[[Sam, Any], Sequence[str]] | None = None
    averages: Callable[[Any], bool] | None = None
    settle: Callable[[Any, int], Strict] | None = None

    def prompted(self, config: Strict) -> str:
        """Say what the method needs at test time with these settings, as its card does."""
        return self.card.prompts if self.prompts is None else self.prompts(config)

    def settled(self, config: Strict, exemplars: int) -> Strict:
        """Return the settings with what the number of exemplars decides."""
        return config if self.settle is None else self.settle(config, exemplars)

    def neighbours(self, config: Strict) -> int:
        """Return how many slices on each side the encoder sees a slice with."""
        return 0 if self.around is None else self.around(config)

    @property
    def defaults(self) -> MethodDefaults:
        """What the method brings to the settings of a fit."""
        return MethodDefaults(tuple(self.config.model_fields), self.lr, self.fit, self.presets)


def attach_nothing(sam: Sam, config: Strict, classes: int) -> None:
    """Leave SAM as it is."""


def remember_nothing(sam: Sam, config: Strict, exemplars: Batch) -> dict[str, Tensor]:
    """Keep nothing of the exemplars but what training made of them."""
    return {}


def decode_classes(sam: Sam, config: Strict, batch: Batch, memory: Memory) -> Tensor:
    """Run SAM's decoder without a prompt: one mask token per class, background first."""
    return sam.decode(batch.embedding)[0]


def default_loss(config: Strict) -> LossConfig:
    """Return CE + 0.8 Dice."""
    return LossConfig()
