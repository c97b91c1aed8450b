"""Many damaged files, one after the other, and the table of how they ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from fuzzing.documents import document_targets
from fuzzing.images import image_targets
from fuzzing.mutations import recipes
from fuzzing.target import Target
from fuzzing.tensors import tensor_targets
from fuzzing.verdict import GOOD, Verdict, judge

OUTCOMES = ("same", "refused", "unsealed", "silent", "vague", "crash", "hang")
KINDS = ("cut", "flip", "bytes", "graft")


def targets() -> list[Target]:
    """Return every kind of file that is read."""
    return [*image_targets(), *document_targets(), *tensor_targets()]


def fuzz(target: Target, *, cuts: int, flips: int, scrambles: int, grafts: int) -> list[Verdict]:
    """Damage one example in so many ways."""
    listed = recipes(
        target.data, target.graft, cuts=cuts, flips=flips, scrambles=scrambles, grafts=grafts
    )
    return list(replay(target, listed))


def replay(target: Target, listed: Iterable[str]) -> Iterator[Verdict]:
    """Judge one example under the recipes given."""
    with TemporaryDirectory() as folder:
        place = Path(folder)
        (place / target.file).parent.mkdir(exist_ok=True)
        if target.beside is not None:
            target.beside(place)
        for recipe in listed:
            yield judge(target, recipe, place)


def bad(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """Return those that must not be."""
    return [verdict for verdict in verdicts if verdict.outcome not in GOOD]


def table(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """Yield the lines of a Markdown table: one row a kind of file, then one a kind of damage."""
    yield f"| file | damaged | {' | '.join(OUTCOMES)} | slowest (s) |"
    yield f"|---|{'---|' * (len(OUTCOMES) + 2)}"
    for name in dict.fromkeys(verdict.target for verdict in verdicts):
        yield _row(name, [v for v in verdicts if v.target == name])
    for kind in KINDS:
        yield _row(f"*{kind}*", [v for v in verdicts if v.recipe.startswith(f"{kind}:")])
    yield _row("**all**", verdicts)


def _row(name: str, verdicts: Sequence[Verdict]) -> str:
    counts = Counter(verdict.outcome for verdict in verdicts)
    numbers = " | ".join(f"{counts[outcome]:,}" for outcome in OUTCOMES)
    slowest = max((verdict.seconds for verdict in verdicts), default=0.0)
    return f"| {name} | {len(verdicts):,} | {numbers} | {slowest:.2f} |"
