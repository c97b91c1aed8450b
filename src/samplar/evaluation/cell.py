"""One cell of a benchmark: a method on a data set with k exemplars, one draw and one seed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, JsonValue

from samplar.config.base import Strict, merged
from samplar.config.bench import FULL, Count
from samplar.config.fit import FitConfig
from samplar.config.training import INDIFFERENT
from samplar.evaluation.result import Evaluation

NOT_DECISIVE = ("dataset", "split", "exemplars", "device", "preset", "k", "strategy")
"""Settings of a fit that say where things lie, or what `choice` says; not part of a cell."""


class Key(Strict):
    """Where a cell stands in the table; k is 0 for methods that do not look at exemplars."""

    dataset: str
    method: str
    k: Literal[0] | Count
    draw: int
    seed: int

    @property
    def words(self) -> str:
        """The key in one line."""
        count = "all slices" if self.k == FULL else f"k = {self.k}"
        return f"{self.dataset}, {self.method}, {count}, draw {self.draw}, seed {self.seed}"


class Failure(Strict):
    """Why a cell has no scores."""

    code: str
    problem: str
    fix: str
    path: str | None

    @property
    def line(self) -> str:
        """The failure in one line."""
        where = "" if self.path is None else f"{self.path}: "
        return f"{where}{self.problem}. {self.fix}. [{self.code}]"


class Origin(Strict):
    """Where an exemplar came from."""

    case: str
    subject: str
    slice: int
    digest: str


class Cost(Strict):
    """What a cell took; None is not applicable. Seconds of wall time, on a machine as stated.

    `synthesis` is making the training images and running the frozen part of the encoder on them,
    `total` all from start to end, with reading, choosing the precision and scoring. So many scored
    slices as `encoded_before` had passed the frozen encoder in an earlier cell, which makes
    `prediction` and `total` shorter than they would be alone, by about the `spared` seconds that it
    had taken then. `pool_encoded_before` and `pool_spared` say the same of training images, and of
    `synthesis`.
    """

    synthesis: float | None = None
    training: float | None = None
    prediction: float | None = None
    scoring: float | None = None
    total: float
    peak_memory_bytes: int
    adapter_bytes: int
    trainable_parameters: int
    encoded_before: int = 0
    spared: float = 0.0
    pool_encoded_before: int = 0
    pool_spared: float = 0.0


class Machine(Strict):
    """What the figures of a cell were made on."""

    system: str
    processor: str
    cores: int
    threads: int
    workers: int
    device: str


class Cell(Strict):
    """Everything about one finished or failed cell; see the reference for each field."""

    format: Literal[1] = 1
    key: Key
    digest: str
    settings: dict[str, JsonValue]
    created: str
    method: str
    trivial: bool
    prompted: str
    exemplars: tuple[Origin, ...] = ()
    exemplars_digest: str | None = None
    adapter_sha256: str | None = None
    precision: str | None = None
    trained_in: str | None = None
    versions: dict[str, str] = Field(default_factory=dict)
    machine: Machine | None = None
    cost: Cost | None = None
    evaluation: Evaluation | None = None
    overlay: str | None = None
    failure: Failure | None = None
    extra: dict[str, JsonValue] = Field(default_factory=dict)
    """Further figures by name, such as a calibration error; nothing here is read by the table."""

    @property
    def oracle(self) -> bool:
        """Whether the method read the truth of the images it was scored on."""
        return self.prompted.startswith("oracle")

    def text(self) -> str:
        """Write the cell as JSON, one line for each field."""
        rows = json.loads(self.model_dump_json())
        lines = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in rows.items()]
        return "{" + ",\n ".join(lines) + "}\n"


def decisive(config: FitConfig) -> dict[str, Any]:
    """Return the settings of a fit that decide its result, wherever the data lie."""
    plain = json.loads(config.model_dump_json(exclude=set(NOT_DECISIVE)))
    return {
        **plain,
        "training": {k: v for k, v in plain["training"].items() if k not in INDIFFERENT},
    }


def settings_digest(settings: Mapping[str, Any], method: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the settings of a cell.

    A setting that the program did not have when the cell was computed counts as its default, so
    that new settings leave finished cells as they are. A default that changed does not: cells hold
    every value.

    Args:
        settings: of the cell; `fit` as `decisive` returned it.
        method: the defaults of the method's own settings.
    """
    under = {**decisive(FitConfig.model_validate({"dataset": "."})), "method_config": dict(method)}
    whole = {**settings, "fit": merged(under, settings["fit"])}
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()
