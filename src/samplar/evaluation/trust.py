"""What an adapter keeps of its calibration, and what a prediction says of a case without truth."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, ValidationError

from samplar.config.base import Strict
from samplar.errors import InputError
from samplar.evaluation.calibration import HOTTEST, Reliability
from samplar.io.slicing import Plane

UNKNOWN = "the adapter was made before there was calibration"


class Held(Strict):
    """The reliability on exemplars that the model had not seen: of all pixels, and of the region.

    The region is what `near_foreground` says.
    """

    everywhere: Reliability = Reliability()
    region: Reliability = Reliability()

    def __add__(self, other: Held) -> Held:
        return Held(
            everywhere=self.everywhere + other.everywhere, region=self.region + other.region
        )


class Calibration(Strict):
    """How the probabilities of an adapter are calibrated, or why they are not.

    Args:
        calibrated: whether the temperatures are from exemplars that the model had not seen.
        reason: why not, in words; empty if it is.
        temperature: what logits are divided by before the softmax: near what the model found.
        far: the same everywhere else; None in adapters that have one temperature for all.
        folds: how many refits there were.
        share: how long each was, as a share of the training; None for methods that only remember.
        exemplars: how many exemplars were looked at, each by a model that had not seen it.
        before: their reliability as the probabilities come.
        after: with the temperatures, which were chosen on these very pixels.
    """

    calibrated: bool = False
    reason: str = UNKNOWN
    temperature: float = Field(default=1.0, gt=0, le=HOTTEST)
    far: float | None = Field(default=None, gt=0, le=HOTTEST)
    folds: int = 0
    share: float | None = None
    exemplars: int = 0
    before: Held = Held()
    after: Held = Held()

    def line(self) -> str:
        """Say it in one line."""
        if not self.calibrated:
            return f"not calibrated: {self.reason}"
        before, after = (_error(held.region) for held in (self.before, self.after))
        far = "" if self.far is None else f" near structures and {self.far:.2f} elsewhere"
        return (
            f"calibrated on {self.exemplars} exemplars held out in {self.folds} folds: temperature "
            f"{self.temperature:.2f}{far}, calibration error near structures {before} before and "
            f"{after} after"
        )


class CaseTrust(Strict):
    """What a prediction says of one case without knowing its truth.

    Args:
        case: its id.
        file: name of the label file.
        calibrated: whether the probabilities behind it are.
        expected_dsc: mean over the classes that were found, 0..100; None if none was.
        per_class: the DSC to expect of each class; None where nothing was given the class.
        doubtful: share, 0..1, of voxels of doubtful class among those that are foreground or
            doubtful.
        plane: the plane of its slices.
        slice: the slice in which most voxels are expected to be wrong.
        reasons: what else is striking, in words.
    """

    case: str
    file: str
    calibrated: bool
    expected_dsc: float | None
    per_class: dict[str, float | None]
    doubtful: float
    plane: Plane
    slice: int
    reasons: tuple[str, ...] = ()

    def why(self) -> str:
        """Say in one line what to look at."""
        seen = f"most doubt in slice {self.slice}, {self.doubtful:.0%} of voxels doubtful"
        return "; ".join([*self.reasons, seen])


def read_case_trust(path: Path) -> CaseTrust:
    """Read the record of a case that `samplar predict` wrote.

    Raises:
        InputError: `trust.unreadable`.
    """
    try:
        return CaseTrust.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        first = str(error).splitlines()[0]
        raise InputError(
            f"is not the record of a case ({first})",
            fix="Remove it and predict the case again",
            code="trust.unreadable",
            path=path,
        ) from error


class CasePoint(Strict):
    """A case of known truth: the DSC that was expected of it, and the one it has."""

    case: str
    expected: float
    true: float


class TrustResult(Strict):
    """How the trust of a prediction turned out.

    Args:
        spearman: rank correlation of expected with true mean DSC over cases; None for fewer than
            three, or where all are equal.
        cases: those whose record was there and whose DSC counts.
        missed: cases of which no class was found, so that nothing could be expected.
        calibrated: whether the probabilities were calibrated.
        reliability: over the labelled pixels of all cases; None without `--probabilities`.
    """

    spearman: float | None
    cases: list[CasePoint]
    missed: list[str]
    calibrated: bool
    reliability: Held | None

    def line(self) -> str:
        """Say it in one line."""
        ranks = "too few or equal" if self.spearman is None else f"{self.spearman:.2f}"
        said = f"expected against true DSC of {len(self.cases)} cases: rank correlation {ranks}"
        if self.reliability is None:
            return said
        near, whole = (_error(r) for r in (self.reliability.region, self.reliability.everywhere))
        return f"{said}; calibration error {near} near structures, {whole} over all voxels"


def _error(reliability: Reliability) -> str:
    error = reliability.ece
    return "undefined" if error is None else f"{error:.3f}"
