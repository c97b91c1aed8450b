"""What a report is made of: plain values and pictures, nothing that has to be computed again."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field, JsonValue, model_validator

from samplar.config.base import Strict
from samplar.evaluation.result import Evaluation
from samplar.evaluation.trust import Calibration
from samplar.report.training_log import TrainingRow


class _Pictured(Strict):
    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")


class Picture(_Pictured):
    """A PNG with the line that goes under it."""

    png: bytes
    caption: str


class SlicePicture(_Pictured):
    """One test slice: the image, and the image with the outlines of truth and prediction (PNG)."""

    rank: Literal["best", "median", "worst"]
    case: str
    subject: str
    slice: int
    dsc: float
    image: bytes
    truth: bytes
    prediction: bytes


class MethodResult(Strict):
    """How one method, or one trivial baseline, did on the test cases."""

    name: str
    weights: str | None = None
    exemplars: int | None = None
    baseline: bool = False
    evaluation: Evaluation


class Resources(Strict):
    """What the run cost; None is not measured."""

    device: str | None = None
    fit_seconds: float | None = None
    predict_seconds_per_case: float | None = None
    peak_memory_bytes: int | None = None
    trainable_parameters: int | None = None
    adapter_bytes: int | None = None


class ReportData(Strict):
    """One report. The first of `methods` is the one it is about; none is a run not yet scored.

    Args:
        dataset: the name of the data set.
        created: the day or moment, as it is to be shown.
        methods: all that is compared; they share classes and unit.
        calibration: of the adapter; None where that is not known.
        training: the rows of `metrics.jsonl`.
        slices: best, median and worst test slices.
        exemplars: the exemplars used.
        synthesis: a sheet of synthetic samples.
        settings: the configuration, nested as it was given.
        versions: package or file -> version or digest.
        resources: time and memory.
        notes: further sentences for the reader, such as cases that failed.
    """

    dataset: str
    created: str
    methods: tuple[MethodResult, ...] = ()
    calibration: Calibration | None = None
    training: tuple[TrainingRow, ...] = ()
    slices: tuple[SlicePicture, ...] = ()
    exemplars: tuple[Picture, ...] = ()
    synthesis: Picture | None = None
    settings: dict[str, JsonValue] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=dict)
    resources: Resources = Resources()
    notes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _share_classes(self) -> ReportData:
        kinds = {(tuple(m.evaluation.per_class), m.evaluation.unit) for m in self.methods}
        if len(kinds) > 1:
            raise ValueError("the methods were scored on different classes or in different units")
        return self
