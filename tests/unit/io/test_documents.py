from __future__ import annotations

import os

import pytest

from samplar.errors import InputError
from samplar.io.documents import read_json, read_text, read_yaml, write_yaml_text


def refused(read, path):
    with pytest.raises(InputError) as caught:
        read(path)
    assert caught.value.path == str(path)
    return caught.value


def test_json_and_yaml_give_plain_values(files):
    assert read_json(files.text("a.json", '\ufeff{"liver": [1, 2]}')) == {"liver": [1, 2]}
    assert read_yaml(files.text("a.yaml", "liver: [1, 2]\nnone:\n")) == {
        "liver": [1, 2],
        "none": None,
    }
    assert read_yaml(files.text("empty.yaml", "")) is None


@pytest.mark.parametrize(("read", "name"), [(read_json, "a.json"), (read_yaml, "a.yaml")])
def test_repeated_keys_are_refused_at_any_depth(files, read, name):
    error = refused(read, files.text(name, '{"a": {"liver": 1, "spleen": 2, "liver": 3}}'))
    assert error.code == "document.duplicate_key"
    assert "liver" in error.problem
    assert "spleen" not in error.problem


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (read_json, "{liver: 1}"),
        (read_json, "[" * 200_000),
        (read_yaml, "a: [1"),
        (read_yaml, "a: !!python/object/apply:os.getcwd []"),
        (read_yaml, "a: &x [1]\nb: *x"),
        (read_yaml, "[" * 20_000),
    ],
)
def test_broken_hostile_or_clever_documents_are_refused(files, read, text):
    assert refused(read, files.text("document", text)).code == "document.unreadable"


def test_unreadable_files_are_refused(files, tmp_path):
    assert "regular file" in refused(read_text, tmp_path / "absent").problem
    assert "regular file" in refused(read_text, tmp_path).problem
    os.mkfifo(tmp_path / "pipe")
    assert "regular file" in refused(read_text, tmp_path / "pipe").problem
    large = files.text("large", " " * (2**20 + 1))
    assert "1048577 bytes" in refused(read_text, large).problem
    latin = tmp_path / "latin"
    latin.write_bytes("Größe".encode("latin-1"))
    assert "cannot be read" in refused(read_text, latin).problem


def test_yaml_is_written_in_the_order_given(files):
    values = {"seed": 1, "exemplars": [{"case": "überfall", "slice": 3}]}
    text = write_yaml_text(values)
    assert text.startswith("seed: 1\nexemplars:\n- case: überfall\n")
    assert read_yaml(files.text("a.yaml", text)) == values


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_are_not_finite_are_refused(files, number):
    error = refused(read_json, files.text("a.json", f'{{"spacing": [{number}]}}'))
    assert error.code == "document.unreadable"
    assert f"{number} is not a finite number" in error.problem


def test_other_numbers_are_read_as_they_are(files):
    assert read_json(files.text("a.json", "[-1.5, 0.0, 7, 1e-9]")) == [-1.5, 0.0, 7, 1e-9]


def test_a_document_may_have_one_mebibyte(files):
    assert len(read_text(files.text("large", " " * 2**20))) == 2**20


def test_all_the_keys_that_are_repeated_are_named(files):
    text = '{"a": 1, "b": 1, "a": 2, "b": 3, "c": 1}'
    for read in (read_json, read_yaml):
        assert "a, b" in refused(read, files.text("document", text)).problem


def test_yaml_keeps_letters_and_writes_one_key_a_line():
    assert write_yaml_text({"b": "é", "a": {"x": 1}}) == "b: é\na:\n  x: 1\n"
