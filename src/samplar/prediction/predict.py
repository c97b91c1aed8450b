"""From image files to label files on the same grid, case after case."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from samplar.config.training import Precision
from samplar.errors import InputError, SamplarError
from samplar.io.case import Case
from samplar.methods.adapted import AdaptedSam
from samplar.prediction.adapter import AdapterCard
from samplar.prediction.pipeline import overlapped
from samplar.prediction.stages import Stages, Truth, Written


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
    """

    precision: Precision = "auto"
    probabilities: bool = False
    largest: bool = False
    strict: bool = False
    tta: bool | None = None


@dataclass
class Outcome:
    """Which cases are done, in order, and which failed and why."""

    done: list[Path] = field(default_factory=list)
    failed: list[tuple[str, SamplarError]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, case: str, result: Written | SamplarError) -> None:
        """Enter what became of a case."""
        if isinstance(result, SamplarError):
            self.failed.append((case, without_traceback(result)))
            return
        self.done.append(result.path)
        self.notes.extend(result.notes)


def predict_cases(
    model: AdaptedSam,
    card: AdapterCard,
    cases: Sequence[Case],
    out: Path,
    *,
    options: Options,
    truth: Truth | None = None,
    on_case: Callable[[int, str], None],
) -> Outcome:
    """Predict every case and write its labels; one bad case does not stop the others.

    The next case is read and the one before is written while the present one is computed.

    Args:
        model: the adapted SAM.
        card: its card.
        cases: what to predict.
        out: an existing folder.
        options: what else to do.
        truth: for oracle methods.
        on_case: told how many cases are written, and the name of the one that comes next.

    Raises:
        SamplarError: with `options.strict`, the first failure.
    """
    outcome = Outcome()
    stages = Stages(model, card, out, options, truth)
    names = [*(case.id for case in cases), ""]
    on_case(0, names[0])
    finished = overlapped(cases, read=stages.read, compute=stages.compute, write=stages.write)
    with closing(finished):
        for n, future in enumerate(finished):
            try:
                outcome.add(names[n], future.result())
            except InputError as error:
                if options.strict:
                    raise
                outcome.add(names[n], error)
            on_case(n + 1, names[n + 1])
    return outcome


def without_traceback(error: SamplarError) -> SamplarError:
    """Return the error alone: its traceback would keep the volume of a failed case in memory."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)
