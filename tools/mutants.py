"""Change the code in one small way at a time, and count how many of the changes the tests notice.

Every file is tested by the test file of its name alone (`io/affine.py` by `tests/unit/io/
test_affine.py`), or where it is a piece of others, by theirs. The changes are drawn with a seed. A
child process is forked for each, so that the libraries are imported once.
"""

from __future__ import annotations

import argparse
import ast
import copy
import io
import os
import random
import resource
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]
AREAS = ("io", "evaluation")
SECONDS = 60  # of processor time
ENOUGH = 90
"""Per cent of the changes that should be noticed."""

TESTED_BY = {
    "evaluation/left_out.py": ("evaluation/test_summary.py",),
    "evaluation/means.py": ("evaluation/test_summary.py",),
    "evaluation/scores.py": ("evaluation/test_summary.py", "evaluation/test_protocols.py"),
    "evaluation/trust.py": ("evaluation/test_trust.py", "report/test_trust.py"),
    "io/bundle.py": ("io/test_assets.py",),
    "io/case.py": ("io/test_declared.py", "io/test_subjects.py", "io/test_partial.py"),
    "io/checks/": ("io/test_check_parts.py", "io/test_check.py"),
    "io/found_labels.py": ("io/test_dataset.py", "io/test_check.py"),
    "io/hub_errors.py": ("io/test_hub.py",),
    "io/hub_repository.py": ("io/test_hub.py",),
    "io/layouts/listing.py": ("io/layouts",),
    "io/nifti.py": ("io/test_nifti.py", "io/test_probabilities.py"),
    "io/npz.py": ("io/test_npz.py", "io/test_probabilities.py"),
    "io/tiff_parts.py": ("io/test_tiff_parts.py", "io/test_pyramid.py"),
    "io/tiles.py": ("io/test_tiles.py", "api/test_tiles.py"),
}
"""The tests of files, or of folders, that have no test file of their name."""

COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
COMPUTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult, ast.Mod: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """One change: the place in a list of all nodes of the file that can be changed."""

    file: str
    number: int
    line: int
    change: str


def changed(node: ast.AST) -> str:
    """Change a node in place and say how; "" if there is nothing to change in it."""
    match node:
        case ast.Compare(ops=[op]) if type(op) in COMPARED:
            node.ops = [COMPARED[type(op)]()]
        case ast.BinOp(op=op) if type(op) in COMPUTED:
            node.op = COMPUTED[type(op)]()
        case ast.BoolOp(op=op):
            node.op = ast.Or() if isinstance(op, ast.And) else ast.And()
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            node.op, node.operand = ast.Not(), ast.UnaryOp(ast.Not(), inner)
        case ast.Constant(value=bool(value)):
            node.value = not value
        case ast.Constant(value=int(value) | float(value)):
            node.value = value + 1
        case ast.If(test=test):
            node.test = ast.UnaryOp(ast.Not(), test)
        case ast.Raise():
            node.exc, node.cause = ast.Call(ast.Name("ZeroDivisionError"), [], []), None
        case _:
            return ""
    return type(node).__name__


def of_annotations(tree: ast.AST) -> set[ast.AST]:
    """Return what stands in annotations: their evaluation is postponed, so it never runs."""
    roots = []
    for node in ast.walk(tree):
        match node:
            case ast.arg(annotation=ast.AST() as root) | ast.AnnAssign(annotation=root):
                roots.append(root)
            case ast.FunctionDef(returns=ast.AST() as root):
                roots.append(root)
    return {node for root in roots for node in ast.walk(root)}


def mutants(file: Path) -> Iterator[Mutant]:
    """Yield every change that can be made to a source file, but for its annotations."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    never_run = of_annotations(tree)
    for number, node in enumerate(ast.walk(tree)):
        how = "" if node in never_run else changed(copy.deepcopy(node))
        if how:
            name = file.relative_to(ROOT / "src" / "samplar").as_posix()
            yield Mutant(name, number, getattr(node, "lineno", 0), how)


def source_of(mutant: Mutant) -> str:
    """Return the source with the change."""
    tree = ast.parse((ROOT / "src" / "samplar" / mutant.file).read_text(encoding="utf-8"))
    changed(list(ast.walk(tree))[mutant.number])
    return ast.unparse(ast.fix_missing_locations(tree))


def tests_of(file: str) -> list[Path]:
    """Return the test files of a source file."""
    path = Path(file)
    others = [names for start, names in TESTED_BY.items() if file.startswith(start)]
    names = others[0] if others else (f"{path.parent}/test_{path.name}",)
    return [ROOT / "tests" / "unit" / name for name in names]


def noticed(mutant: Mutant, copied: Path) -> bool:
    """Run the tests of the file on the change, in a process of its own."""
    place = copied / "samplar" / mutant.file
    before = place.read_text(encoding="utf-8")
    place.write_text(source_of(mutant), encoding="utf-8")
    try:
        return not passes(mutant.file, copied)
    finally:
        place.write_text(before, encoding="utf-8")


def passes(file: str, copied: Path) -> bool:
    """Say whether the tests of a source file pass, in a process of their own."""
    child = os.fork()
    if child == 0:
        _test(tests_of(file), copied)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _test(tests: Sequence[Path], copied: Path) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))  # what never ends is noticed too
    sys.path.insert(0, str(copied))
    sys.dont_write_bytecode = True
    import pytest

    words = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *map(str, tests)]
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        status = pytest.main(words)
    os._exit(int(status))


def main() -> int:
    """Print the changes that nobody noticed, and the share that was."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=400, help="how many changes to draw")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="files whose name contains this")
    given = parser.parse_args()
    import nibabel
    import torch  # noqa: F401  (imported once, here, for all the children)

    _ = nibabel
    files = [f for area in AREAS for f in sorted((ROOT / "src/samplar" / area).rglob("*.py"))]
    every = [m for f in files if given.only in f.as_posix() for m in mutants(f)]
    drawn = random.Random(given.seed).sample(every, min(given.count, len(every)))  # noqa: S311
    alive = []
    with TemporaryDirectory() as folder:
        copied = Path(folder) / "src"
        shutil.copytree(ROOT / "src", copied)
        for file in sorted({mutant.file for mutant in drawn}):
            if not passes(file, copied):
                sys.stdout.write(f"{file}: its tests fail as it is\n")
                return 1
        for mutant in drawn:
            if not noticed(mutant, copied):
                alive.append(mutant)
                sys.stdout.write(f"{mutant.file}:{mutant.line}: {mutant.change} not noticed\n")
                sys.stdout.flush()
    killed = len(drawn) - len(alive)
    share = 100 * killed / max(1, len(drawn))
    sys.stdout.write(f"{killed} of {len(drawn)} changes noticed ({share:.0f} %), of {len(every)}\n")
    return 0 if share >= ENOUGH else 1


if __name__ == "__main__":
    sys.exit(main())
