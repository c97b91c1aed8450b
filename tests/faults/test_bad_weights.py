"""Weights and adapters that are damaged, foreign or hostile: status 5, and nothing runs."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest
import torch
from command import QUICK, samplar
from refusals import refused, small_set
from safetensors.torch import load_file, save

from samplar.prediction.card_file import sealed, unsealed

RUN = "touch CANARY"
LEGACY = pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2)


def archive(content: bytes, *, name: str = "archive/data.pkl", again: bytes = b"") -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        file.writestr(name, content)
        file.writestr("archive/version", "3\n")
        file.writestr("archive/byteorder", "little")
        if again:
            file.writestr("archive/second/data.pkl", again)
    return stream.getvalue()


def old_tar(content: bytes) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as file:
        for name in ("storages", "tensors", "pickle"):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            file.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


def global_call(module: str, name: str, word: str) -> bytes:
    return f"c{module}\n{name}\n(S'{word}'\ntR.".encode()


def stack_global(module: str, name: str, word: str) -> bytes:
    texts = (b"\x8c" + bytes([len(w)]) + w.encode() for w in (module, name))
    return (
        b"\x80\x04"
        + b"".join(texts)
        + b"\x93(X"
        + len(word).to_bytes(4, "little")
        + (word.encode() + b"tR.")
    )


SYSTEM = global_call("os", "system", RUN)
CODES = {"weights.unsafe", "weights.damaged", "weights.contents", "weights.architecture"}
PICKLES = {
    "reduce": SYSTEM,
    "reduce, protocol 2": b"\x80\x02" + SYSTEM,
    "stack_global": stack_global("posix", "system", RUN),
    "inst": f"(S'{RUN}'\nios\nsystem\n.".encode(),
    "obj": f"(cos\nsystem\nS'{RUN}'\no.".encode(),
    "newobj": b"\x80\x02csubprocess\nPopen\n(]X\x05\0\0\0touchaX\x06\0\0\0CANARYat\x81.",
    "newobj_ex": b"\x80\x04csubprocess\nPopen\n(X\x06\0\0\0CANARYt}\x92.",
    "build": b"\x80\x02cos\nenviron\n}X\x01\0\0\0aX\x01\0\0\0bsb.",
    "persistent id in words": b"Pos.system\n.",
    "persistent id": b"\x80\x02X\x06\0\0\0CANARYQ.",
    "extension": b"\x80\x02\x82\x01(S'x'\ntR.",
    "eval": global_call("builtins", "eval", "open('CANARY', 'w')".replace("'", '"')),
    "exec, old name": global_call("__builtin__", "exec", 'open("CANARY", "w")'),
    "getattr": b"cbuiltins\ngetattr\n(cos\nsystem\nS'x'\ntR.",
    "dotted name": stack_global("torch", "serialization.os.system", RUN),
    "torch.load inside": global_call("torch", "load", "CANARY"),
    "hub download": global_call("torch.hub", "load_state_dict_from_url", "https://example.org/x"),
    "code object": b"ctypes\nFunctionType\n(ccodecs\nencode\nS'x'\ntR.",
    "numpy": global_call("numpy", "load", "CANARY"),
    "run path": global_call("runpy", "run_path", "CANARY"),
    "attribute of torch": b"\x80\x02ctorch.storage\n_load_from_bytes\n(X\x01\0\0\0xtR.",
    "in an archive": archive(SYSTEM),
    "in an archive, stack_global": archive(stack_global("os", "system", RUN)),
    "two in an archive": archive(b"\x80\x02}.", again=SYSTEM),
    "archive within": archive(archive(SYSTEM)),
    "constants of a script": archive(SYSTEM, name="archive/constants.pkl"),
    "third of the legacy format": LEGACY + pickle.dumps({}, 2) + SYSTEM,
    "system facts of the legacy format": LEGACY + SYSTEM,
    "tar of the oldest format": old_tar(SYSTEM),
    "text before it": b"\x80\x02N." + SYSTEM,
    "a number of 2 GiB": b"\x80\x02\x8b\xff\xff\xff\x7f",
    "bytes of an exabyte": b"\x80\x04\x8e" + (1 << 60).to_bytes(8, "little"),
    "a list in itself": b"\x80\x02]q\0h\0a.",
}


def fit(tmp_path: Path, weights: Path) -> object:
    data = small_set(tmp_path / "set")
    words = [*QUICK, "--weights", weights]
    return samplar("fit", data, "-o", tmp_path / "run", *words)


@pytest.mark.parametrize("name", PICKLES)
def test_a_checkpoint_that_would_run_code(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "evil.pth"
    path.write_bytes(PICKLES[name])
    ran = fit(tmp_path, path)
    code = ran.err.rstrip().rpartition("[")[2].rstrip("]")
    assert code in CODES, ran.err
    refused(ran, status=5, code=code, names="evil.pth")
    assert not (tmp_path / "CANARY").exists()
    assert not (tmp_path / "run").exists()


def zipped(state: object) -> bytes:
    stream = io.BytesIO()
    torch.save(state, stream)
    return stream.getvalue()


def squeezed(data: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(stream, "w", 8) as new:
        for info in old.infolist():
            new.writestr(info.filename, old.read(info))
    return stream.getvalue()


STATE = {"a": torch.ones(4), "b": torch.ones(2, 3)}
HUGE = {"a": torch.ones(1).expand(1 << 40)}
FILES = {
    "empty": b"",
    "text": b"not weights",
    "web page": b"<!DOCTYPE html>",
    "a bomb of zeros": squeezed(zipped({"a": torch.zeros(1 << 16)})),
    "a tensor larger than its file": zipped(HUGE),
    "no tensors": zipped({}),
    "a list": zipped([torch.ones(2)]),
    "a number": zipped(3),
    "tables within": zipped({"a": {"b": torch.ones(2)}}),
    "numbers as names": zipped({1: torch.ones(2)}),
    "sparse": zipped({"a": torch.ones(2, 2).to_sparse()}),
    "of something else": zipped(STATE),
    "safetensors of something else": save(STATE),
    "safetensors, header of 1 TB": (1 << 40).to_bytes(8, "little") + b"{",
    "safetensors, lying offsets": save(STATE).replace(b"[0,16]", b"[0,99]"),
    "safetensors, cut": save(STATE)[:-3],
    "safetensors, more at the end": save(STATE) + b"x",
    "safetensors, unknown type": save(STATE).replace(b'"F32"', b'"F99"'),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", FILES)
def test_weights_that_are_none(tmp_path, name):
    path = tmp_path / "weights.pth"
    path.write_bytes(FILES[name])
    ran = fit(tmp_path, path)
    code = ran.err.rstrip().rpartition("[")[2].rstrip("]")
    assert code in CODES, ran.err
    refused(ran, status=5, code=code, names="weights.pth")
    assert not (tmp_path / "run").exists()


CARDS = [
    ({"size": 0}, 5, "adapter.card", "size"),
    ({"size": 10**9}, 5, "adapter.card", "size"),
    ({"size": "big"}, 5, "adapter.card", "size"),
    ({"plane": "oblique"}, 5, "adapter.card", "plane"),
    ({"precision": "fp8"}, 5, "adapter.card", "precision"),
    ({"sequences": 0}, 5, "adapter.card", "sequences"),
    ({"new": 1}, 5, "adapter.card", "new"),
    ({"class_names": ["one"]}, 5, "adapter.card", "class_values"),
    ({"class_values": [1, 1]}, 5, "adapter.card", "class_values"),
    ({"class_values": [0, 1]}, 5, "adapter.card", "class_values"),
    ({"class_values": [1, 70_000]}, 5, "adapter.card", "class_values"),
    ({"class_names": [], "class_values": []}, 5, "adapter.card", "class_values"),
    ({"intensity": {"kind": "window", "low": 5, "high": 1}}, 5, "adapter.card", "intensity"),
    ({"intensity": {"kind": "exec", "low": 0, "high": 1}}, 5, "adapter.card", "intensity"),
    ({"exemplars": [{"slice": "x", "digest": "0"}]}, 5, "adapter.card", "exemplars.0.slice"),
    ({"method": 3}, 5, "adapter.card", "method"),
    ({"method": "os.system"}, 2, "methods.unknown", "os.system"),
    ({"method": "../evil"}, 2, "methods.unknown", "../evil"),
    ({"method_config": {"no_such": 1}}, 2, "config.invalid", "adapter.json"),
    ({"weights": "no-such"}, 2, "weights.unknown", "no-such"),
    ({"weights_sha256": "0" * 64}, 5, "adapter.base", "adapter"),
    ({"tensors_sha256": "0" * 64}, 5, "adapter.digest", "adapter.safetensors"),
    ({"class_names": ["a", "b", "c"], "class_values": [1, 2, 3]}, 5, "adapter.keys", "tensors"),
]


@pytest.fixture
def adapter(run, tmp_path) -> Path:
    shutil.copytree(run / "adapter", tmp_path / "copy")
    return tmp_path / "copy"


def predict(adapter: Path) -> object:
    data = small_set(adapter.parent / "set")
    return samplar("predict", adapter, data / "images", "-o", adapter.parent / "out")


@pytest.mark.parametrize(("change", "status", "code", "names"), CARDS, ids=range(len(CARDS)))
def test_a_card_that_was_made_up(adapter, change, status, code, names):
    path = adapter / "adapter.json"
    path.write_bytes(sealed({**unsealed(path), **change}))
    refused(predict(adapter), status=status, code=code, names=names)
    assert not (adapter.parent / "out").exists()


TEXTS = ["", "{", "[]", "{}", "3", "\x00", "{" * 100_000, '{"size": NaN}', '{"a": 1, "a": 1}']


@pytest.mark.parametrize("text", [*TEXTS, " " * (1 << 20) + "{}"], ids=range(len(TEXTS) + 1))
def test_a_card_that_is_none(adapter, text):
    (adapter / "adapter.json").write_text(text)
    refused(predict(adapter), status=5, code="adapter.card", names="adapter.json")


@pytest.mark.parametrize("old", ["axial", "percentile", '"seed": 0', "0.1.0", "fp32"])
def test_a_card_changed_by_a_letter(adapter, old):
    path = adapter / "adapter.json"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, old[:-1] + ("1" if old[-1] != "1" else "2")))
    refused(predict(adapter), status=5, code="adapter.card", names="adapter.json")


@pytest.mark.parametrize("change", ["fewer", "more", "shape", "type", "nan"])
def test_tensors_that_do_not_belong(adapter, change):
    tensors = load_file(adapter / "adapter.safetensors")
    name = next(iter(tensors))
    if change == "fewer":
        del tensors[name]
    elif change == "more":
        tensors["evil"] = torch.ones(1)
    elif change == "shape":
        tensors[name] = torch.ones(3, 3, 3)
    elif change == "type":
        tensors[name] = torch.ones(tensors[name].shape, dtype=torch.int64)
    else:
        tensors[name].view(-1)[0] = torch.nan
    data = save(tensors)
    (adapter / "adapter.safetensors").write_bytes(data)
    path = adapter / "adapter.json"
    card = {**unsealed(path), "tensors_sha256": hashlib.sha256(data).hexdigest()}
    path.write_bytes(sealed(card))
    codes = {"fewer": "keys", "more": "keys", "nan": "not_finite", "type": "dtype"}
    code = codes.get(change, change)
    refused(predict(adapter), status=5, code=f"adapter.{code}", names="adapter.safetensors")


def test_an_adapter_from_before_the_seal_is_read(adapter):
    path = adapter / "adapter.json"
    old = unsealed(path)
    old["exemplars"] = [{"case": "a", "subject": "b", "slice": 0, "digest": "0"}]
    path.write_text(json.dumps(old))
    assert predict(adapter).status == 0
