"""From image files to label files on the same grid, case after case."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from samplar.config.training import Precision
from samplar.errors import CaseMemoryError, InputError, SamplarError
from samplar.io.case import Case
from samplar.prediction.pipeline import overlapped
from samplar.prediction.stages import Stages, Written


@dataclass(frozen=True)
class Options:
    """What to do besides the labels.

    Args:
        probabilities: also write softmax probabilities, (k + 1, x, y, z) float16.
        largest: keep only the largest connected part of each class.
        strict: stop at the first case that fails.
        precision: fp32, bf16, or auto for the one the adapter was made in.
        tta: test-time augmentation, seeing each slice in a smaller frame too; None: as the method
            does.
        overwrite: make cases again that are finished, and replace what is in their place.
    """

    precision: Precision = "auto"
    probabilities: bool = False
    largest: bool = False
    strict: bool = False
    tta: bool | None = None
    overwrite: bool = False


Result = Written | SamplarError
"""What became of a case."""


@dataclass
class Outcome:
    """Which cases are done, in order, how many had been before, and which failed and why."""

    done: list[Path] = field(default_factory=list)
    kept: int = 0
    failed: list[tuple[str, SamplarError]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def outcome_of(cases: Sequence[Case], results: Mapping[int, Result]) -> Outcome:
    """Put results, by number of their case, in the order of the cases."""
    outcome = Outcome()
    for n, result in sorted(results.items()):
        if isinstance(result, SamplarError):
            outcome.failed.append((cases[n].id, result))
            continue
        outcome.done.append(result.path)
        outcome.kept += result.kept
        outcome.notes.extend(result.notes)
    return outcome


def predict_here(
    stages: Stages, cases: Sequence[Case], *, on_case: Callable[[int, str], None]
) -> dict[int, Result]:
    """Predict every case in this process; return what became of each, by its number.

    Args:
        stages: what the cases share.
        cases: what to predict.
        on_case: told how many cases are written, and the name of the one that comes next.

    Raises:
        SamplarError: as `results_of`.
    """
    results: dict[int, Result] = {}
    names = [*(case.id for case in cases), ""]
    on_case(0, names[0])
    with closing(results_of(stages, cases)) as finished:
        for n, result in enumerate(finished):
            results[n] = result
            on_case(n + 1, names[n + 1])
    return results


def results_of(stages: Stages, cases: Iterable[Case]) -> Generator[Result, None, None]:
    """Yield what became of each case, in order; one bad case does not stop the others.

    The next case is read and the one before is written while the present one is computed.

    Args:
        stages: what the cases share.
        cases: taken one ahead.

    Raises:
        SamplarError: what is not the fault of one case; with `options.strict`, the first failure.
    """
    finished = overlapped(cases, read=stages.read, compute=stages.compute, write=stages.write)
    with closing(finished):
        for future in finished:
            try:
                yield future.result()
            except (InputError, CaseMemoryError) as error:
                if stages.options.strict:
                    raise
                yield _alone(error)


def _alone(error: SamplarError) -> SamplarError:
    """Return the error without its traceback, which would keep the volume of its case in memory."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)
