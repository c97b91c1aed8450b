"""An exemplar: one labelled 2D slice, ready to adapt SAM with."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from samplar.io.labels import LabelSet
from samplar.types import SliceImage, SliceLabels, SliceStack


@dataclass(frozen=True, eq=False)
class Exemplar:
    """One labelled slice.

    Args:
        case: id of the case in the data set.
        subject: the patient it is from.
        slice: slice number along the slicing axis, in file order, from 0.
        image: (3, h, w) float32 in [0, 1].
        labels: (h, w) uint8 class indices, 255 where not labelled.
        digest: SHA-256 over image and labels.
        beside: (2 r, 3, h, w) the r slices before it and the r after it, for methods that see a
            slice among its neighbours; they are not labelled, and part of no digest.
    """

    case: str
    subject: str
    slice: int
    image: SliceImage
    labels: SliceLabels
    digest: str
    beside: SliceStack | None = None

    @classmethod
    def of(
        cls,
        *,
        case: str,
        subject: str,
        number: int,
        image: SliceImage,
        labels: SliceLabels,
        beside: SliceStack | None = None,
    ) -> Exemplar:
        """Make an exemplar of slice `number`, with its digest."""
        digest = digest_of(image, labels)
        return cls(case, subject, number, image, labels, digest, beside)

    def among(self, around: int) -> tuple[SliceStack, int]:
        """Return (2 r + 1, 3, h, w) the slice between its neighbours, and its place there.

        Args:
            around: how many neighbours on each side a method looks at; with none the slice is
                alone.
        """
        if not around or self.beside is None:
            return self.image[None], 0
        middle = len(self.beside) // 2
        parts = (self.beside[:middle], self.image[None], self.beside[middle:])
        return np.concatenate(parts), middle


@dataclass(frozen=True, eq=False)
class ExemplarSet:
    """The exemplars of one run with the classes they are labelled in.

    Args:
        exemplars: in the order chosen.
        labels: the classes of the data set.
        digest: SHA-256 over the exemplars' digests in order and the class names.
    """

    exemplars: tuple[Exemplar, ...]
    labels: LabelSet
    digest: str

    @classmethod
    def of(cls, exemplars: Sequence[Exemplar], labels: LabelSet) -> ExemplarSet:
        """Make a set and its digest."""
        parts = [exemplar.digest for exemplar in exemplars] + [repr(name) for name in labels.names]
        digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()
        return cls(tuple(exemplars), labels, digest)

    def __len__(self) -> int:
        return len(self.exemplars)


def digest_of(image: SliceImage, labels: SliceLabels) -> str:
    """Return the SHA-256 of a slice: its shape, its grey values, its labels (hexadecimal).

    Byte order is fixed, so that a digest written on one machine holds on another.
    """
    hashed = hashlib.sha256(repr((image.shape, labels.shape)).encode())
    hashed.update(np.ascontiguousarray(image, dtype="<f4").tobytes())
    hashed.update(np.ascontiguousarray(labels, dtype=np.uint8).tobytes())
    return hashed.hexdigest()
