"""Fixtures for every test, and the run-time check of the array annotations."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from jaxtyping import install_import_hook

if TYPE_CHECKING:
    from samplar.methods.adapted import AdaptedSam
    from samplar.sam.model import Sam
    from samplar.synthesis.samples import Samples
    from samplar.training.loop import TrainingRun
    from samplar.training.pool import Pool

# Before any of these is imported: their shapes in annotations become checks.
install_import_hook(
    ("samplar.sam", "samplar.methods", "samplar.training", "samplar.evaluation"),
    "beartype.beartype",
)


@pytest.fixture(scope="session", autouse=True)
def _one_core() -> None:
    import torch

    torch.set_num_threads(1)


@pytest.fixture
def tiny_sam() -> Sam:
    """Return the `tiny` SAM with its made-up weights, new for every test."""
    from samplar.sam.weights import load_sam

    return load_sam("tiny")


def phantom_arrays(
    *, count: int, height: int, width: int, classes: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draw grey slices (n, 3, h, w) and labels (n, h, w): bright discs on noise, one per class."""
    chance = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    images = chance.uniform(0.0, 0.1, (count, height, width))
    labels = np.zeros((count, height, width), dtype=np.uint8)
    for n in range(count):
        for index in range(1, classes + 1):
            row = height * chance.uniform(0.4, 0.6)
            column = width * (index - 0.5 + chance.uniform(-0.1, 0.1)) / classes
            across = (columns - column) / width * classes
            inside = np.hypot((rows - row) / height, across) < 0.35
            images[n][inside] += 0.2 + 0.7 * index / classes
            labels[n][inside] = index
    return np.repeat(images[:, None], 3, axis=1).clip(0, 1).astype(np.float32), labels


@pytest.fixture(scope="session")
def arrays() -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """Return a maker of seeded slices (n, 3, h, w) and labels (n, h, w) of any size."""

    def make(
        count: int = 2, *, height: int = 32, width: int = 32, classes: int = 2, seed: int = 0
    ) -> tuple[np.ndarray, np.ndarray]:
        return phantom_arrays(count=count, height=height, width=width, classes=classes, seed=seed)

    return make


@pytest.fixture(scope="session")
def phantoms(arrays: Callable[..., tuple[np.ndarray, np.ndarray]]) -> Callable[..., Samples]:
    """Return a maker of the same phantoms as square training samples, nothing of them padding."""
    import torch

    from samplar.synthesis.samples import Samples

    def make(count: int = 2, *, size: int = 32, classes: int = 2, seed: int = 0) -> Samples:
        made = arrays(count, height=size, width=size, classes=classes, seed=seed)
        images, labels = (torch.from_numpy(a) for a in made)
        return Samples(images, labels, torch.ones_like(labels, dtype=torch.bool))

    return make


@pytest.fixture(scope="session")
def adapted() -> Callable[..., AdaptedSam]:
    """Return a maker of a method on the `tiny` weights, seeded as `samplar fit` does it."""
    import torch

    from samplar.config.base import build
    from samplar.methods.adapted import AdaptedSam
    from samplar.methods.registry import load_method
    from samplar.sam.weights import load_sam

    def make(name: str, *, classes: int = 2, seed: int = 0, **config: Any) -> AdaptedSam:
        method = load_method(name)
        sam = load_sam("tiny")
        torch.manual_seed(seed)
        return AdaptedSam(sam, method, build(method.config, config), classes)

    return make


@pytest.fixture(scope="session")
def pooled(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Pool]:
    """Return a maker of a pool that holds the samples themselves, in order."""
    from samplar.config.synthesis import SynthesisConfig
    from samplar.synthesis.draw import Draw
    from samplar.synthesis.synthesizer import Synthesizer
    from samplar.training.pool import fill_pool

    def make(model: AdaptedSam, samples: Samples, *, precision: str = "fp32") -> Pool:
        return fill_pool(
            model,
            Synthesizer(samples, classes=model.classes, config=SynthesisConfig.off()),
            [Draw(exemplar=n) for n in range(len(samples))],
            precision=precision,
            memory=0.1,
            folder=tmp_path_factory.mktemp("pool"),
            on_image=lambda done: None,
        )

    return make


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., TrainingRun]:
    """Return a maker of a training run whose settings a test can set one by one."""
    from samplar.config.training import TrainingConfig
    from samplar.training.loop import TrainingRun

    def make(
        *,
        folder: Path | None = None,
        seed: int = 0,
        digest: str = "this run",
        on_step: Callable[[int, float], None] = lambda step, loss: None,
        on_note: Callable[[str], None] = lambda note: None,
        **config: Any,
    ) -> TrainingRun:
        settings = {"iterations": 5, "batch": 2, "lr": 1e-3, "warmup": 0, **config}
        return TrainingRun(
            config=TrainingConfig(**settings),
            precision="fp32",
            seed=seed,
            folder=folder or tmp_path_factory.mktemp("run"),
            digest=digest,
            on_step=on_step,
            on_note=on_note,
        )

    return make


@pytest.fixture(scope="session")
def taught(
    pooled: Callable[..., Pool], running: Callable[..., TrainingRun]
) -> Callable[..., AdaptedSam]:
    """Return a function that trains a model on samples, or lets it remember them."""
    from samplar.training.loop import train

    def teach(model: AdaptedSam, samples: Samples, **config: Any) -> AdaptedSam:
        if model.method.card.trains:
            train(model, pooled(model, samples), running(**config))
        else:
            model.remember(model.prefix(samples.images), samples.images, samples.labels)
        return model

    return teach


def write_discs(root: Path, *, side: int = 32) -> Path:
    """Write a data set of three subjects: volumes of `side` x `side - 4` x 5 with two organs."""
    import nibabel

    for seed, case in enumerate(("ann", "bob", "cid")):
        images, labels = phantom_arrays(count=5, height=side - 4, width=side, classes=2, seed=seed)
        labels[4] = 0  # the last slice shows nothing
        for name, array in (("images", 200 * images[:, 0]), ("labels", labels)):
            path = root / name / f"{case}.nii.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            # rows to the back, columns to the left: as `Slicing` displays an axial slice
            volume = np.transpose(array, (2, 1, 0)).astype(np.int16)
            image = nibabel.Nifti1Image(volume, np.diag([-1.5, -1.5, 4.0, 1.0]))
            image.header.set_xyzt_units("mm")
            nibabel.save(image, path)
    (root / "label_names.json").write_text('{"1": "left", "2": "right"}')
    return root


@pytest.fixture
def volumes(tmp_path: Path) -> Path:
    """Return a data set of three subjects, new for every test."""
    return write_discs(tmp_path / "discs")


@pytest.fixture
def wider(tmp_path: Path) -> Path:
    """Return a data set like `volumes`, with slices wider than the smallest frame."""
    return write_discs(tmp_path / "wider", side=40)


@pytest.fixture(scope="session")
def discs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a data set of three subjects that no test changes."""
    return write_discs(tmp_path_factory.mktemp("shared") / "discs")


@pytest.fixture(autouse=True)
def _refusals_have_their_parts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Look at every refusal that is made in any test, shown or not."""
    from samplar.errors import SamplarError

    made: list[SamplarError] = []
    original = SamplarError.__init__

    def watched(self: SamplarError, *words: Any, **parts: Any) -> None:
        original(self, *words, **parts)
        maker = sys._getframe(1).f_globals["__name__"]
        if maker.startswith("samplar"):  # not those that a test makes up
            made.append(self)

    monkeypatch.setattr(SamplarError, "__init__", watched)
    yield
    for error in made:
        assert len(error.problem.split()) > 1, error
        assert len(error.fix.split()) > 1, error
        assert re.fullmatch(r"[a-z_]+\.[a-z0-9_]+", error.code), error
        assert "\n" not in error.line(), error
