"""The index of weights in several files, with files that hold no weights."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from samplar.errors import WeightsError
from samplar.io.shards import INDEX, digest_of, is_index, shard_of, shards


def indexed(folder: Path, table: object, *files: str) -> Path:
    for name in files:
        (folder / name).write_text(name)
    index = folder / INDEX
    index.write_text(json.dumps({"weight_map": table}))
    return index


def refused(index: Path) -> str:
    with pytest.raises(WeightsError) as caught:
        shards(index)
    assert (caught.value.code, caught.value.path) == ("weights.shards", str(index))
    return caught.value.problem


@pytest.mark.parametrize(
    ("name", "expected"),
    [(INDEX, True), ("other.safetensors.index.json", True), ("model.safetensors", False)],
)
def test_an_index_is_known_by_its_name(name, expected):
    assert is_index(Path(name)) == expected


def test_every_file_is_there_once_by_name(tmp_path):
    table = {"x": "b.safetensors", "y": "a.safetensors", "z": "b.safetensors"}
    index = indexed(tmp_path, table, "a.safetensors", "b.safetensors")
    assert shard_of(index) == table
    assert shards(index) == [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]


def test_files_that_are_absent_are_counted_with_their_tensors(tmp_path):
    table = {str(n): f"{n // 2}.safetensors" for n in range(10)}
    problem = refused(indexed(tmp_path, table, "4.safetensors"))
    assert problem == (
        "4 of 5 files are not beside it (0.safetensors, 1.safetensors, 2.safetensors), "
        "with 8 of 10 tensors"
    )


@pytest.mark.parametrize("table", [None, [], {}, "a.safetensors"])
def test_an_index_without_a_table_is_none(tmp_path, table):
    assert "is not an index of tensors" in refused(indexed(tmp_path, table))


def test_an_index_that_is_no_object_or_no_json_is_none(tmp_path):
    index = tmp_path / INDEX
    for text in ("[1]", "{"):
        index.write_text(text)
        refused(index)


@pytest.mark.parametrize("file", ["../a.safetensors", ".a.safetensors", "a.bin", 3])
def test_a_file_must_be_one_of_weights_beside_the_index(tmp_path, file):
    problem = refused(indexed(tmp_path, {"x": file}))
    assert problem.startswith(f"puts x in {file!r}, expected")


def test_the_digest_of_an_index_is_that_of_the_list_sha256sum_prints(tmp_path):
    index = indexed(tmp_path, {"x": "a.safetensors"}, "a.safetensors")
    one, two = (
        hashlib.sha256(p.read_bytes()).hexdigest() for p in (tmp_path / "a.safetensors", index)
    )
    lines = f"{one}  a.safetensors\n{two}  {INDEX}\n"
    assert digest_of(index) == hashlib.sha256(lines.encode()).hexdigest()
    assert digest_of(tmp_path / "a.safetensors") == one
