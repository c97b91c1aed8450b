"""The page of benchmark files says what the source says, and the configurations there are read."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from samplar.api.bench.run import read_bench
from samplar.config.base import build
from samplar.config.bench import BenchConfig, BenchMethod, BenchSet, check_bench
from samplar.evaluation.cell import Cell, Cost, Key, Machine
from samplar.io.documents import read_yaml

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "benchmark.md"
GUIDE = ROOT / "docs" / "how-to" / "benchmark-your-own-data.md"
CONFIGS = sorted((ROOT / "benchmarks" / "few_exemplars").glob("*.yaml"))


def rows(title: str) -> list[list[str]]:
    text = PAGE.read_text(encoding="utf-8")
    body = re.split(r"\n#", text[text.index(f"# {title}\n") :], maxsplit=1)[0]
    lines = [line for line in body.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def defaults(model: type[BaseModel]) -> list[tuple[str, str]]:
    found = []
    for name, field in model.model_fields.items():
        value = None if field.is_required() else field.get_default(call_default_factory=True)
        text = "required" if field.is_required() else f"`{json.dumps(value)}`"
        found.append((f"`{name}`", text))
    return found


@pytest.mark.parametrize(
    ("title", "model"),
    [("Configuration", BenchConfig), ("A data set", BenchSet), ("A method", BenchMethod)],
)
def test_the_configuration_is_that_of_the_source(title, model):
    assert sorted((row[0], row[1]) for row in rows(title)) == sorted(defaults(model))


def test_the_fields_of_a_cell_are_those_of_the_source():
    stated = {row[0].strip("`"): row[1] for row in rows("Cell")}
    assert list(stated) == list(Cell.model_fields)
    for name, model in (("key", Key), ("machine", Machine), ("cost", Cost)):
        assert re.findall(r'"(\w+)"', stated[name].partition("}")[0]) == list(model.model_fields)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_configuration_of_ours_is_read(path):
    bench = read_bench(path)
    assert all(data.path.startswith("$SAMPLAR_DATA/") for data in bench.datasets)
    assert f"`{path.name}`" in (path.parent / "README.md").read_text(encoding="utf-8")


def test_the_configurations_of_the_guide_are_read(tmp_path):
    blocks = re.findall(r"^```yaml\n(.*?)^```", GUIDE.read_text(encoding="utf-8"), re.M | re.S)
    assert len(blocks) == 2
    for block in blocks:
        (tmp_path / "bench.yaml").write_text(block)
        check_bench(build(BenchConfig, read_yaml(tmp_path / "bench.yaml")))
