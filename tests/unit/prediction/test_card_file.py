from __future__ import annotations

import json

import pytest

from samplar.errors import WeightsError
from samplar.prediction.card_file import SEAL, sealed, unsealed

FIELDS = {"b": 1, "a": ["x", 0.1], "c": {"d": None}}


def test_fields_come_back(tmp_path):
    path = tmp_path / "adapter.json"
    path.write_bytes(sealed(FIELDS))
    assert unsealed(path) == FIELDS
    assert len(json.loads(path.read_text())[SEAL]) == 64


def test_the_order_of_keys_and_spaces_do_not_count(tmp_path):
    path = tmp_path / "adapter.json"
    path.write_text(json.dumps(dict(reversed(json.loads(sealed(FIELDS)).items()))))
    assert unsealed(path) == FIELDS


@pytest.mark.parametrize("text", ["", "[1]", '{"b": 2, "card_sha256": "0"}', '{"card_sha256": 1}'])
def test_anything_else_is_refused(tmp_path, text):
    path = tmp_path / "adapter.json"
    path.write_text(text)
    with pytest.raises(WeightsError) as caught:
        unsealed(path)
    assert (caught.value.code, caught.value.path) == ("adapter.card", str(path))


def test_an_unhashable_seal_is_refused(tmp_path):
    path = tmp_path / "adapter.json"
    path.write_text('{"card_sha256": []}')
    with pytest.raises(WeightsError):
        unsealed(path)
