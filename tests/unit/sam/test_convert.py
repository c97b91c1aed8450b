from __future__ import annotations

import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from samplar.errors import WeightsError
from samplar.sam.convert import check_state, read_checkpoint, to_safetensors

STATE = {
    "a.weight": torch.arange(6.0).reshape(2, 3),
    "a.bias": torch.ones(2),
    "bn.num_batches_tracked": torch.tensor(4),
}


def refused(path: Path) -> WeightsError:
    with pytest.raises(WeightsError) as caught:
        read_checkpoint(path)
    assert caught.value.path == str(path)
    return caught.value


def same(found: dict[str, torch.Tensor]) -> bool:
    return found.keys() == STATE.keys() and all(torch.equal(found[k], STATE[k]) for k in STATE)


@pytest.mark.parametrize(
    "content", [STATE, OrderedDict(STATE), {"model": STATE, "epoch": 3, "optimizer": {"lr": 0.1}}]
)
@pytest.mark.parametrize("zipped", [True, False])
def test_plain_and_wrapped_pth(tmp_path, content, zipped):
    path = tmp_path / "weights.pth"
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    assert same(read_checkpoint(path))


def test_safetensors_are_told_by_their_bytes_not_their_name(tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(to_safetensors(STATE, note={"from": "here"}))
    assert same(read_checkpoint(path))
    with safetensors.safe_open(path, framework="pt") as file:
        assert file.metadata() == {"from": "here"}


@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD])
@pytest.mark.parametrize("zipped", [True, False])
def test_an_optimiser_beside_the_weights_is_dropped_unrun(tmp_path, monkeypatch, kind, zipped):
    weight = torch.nn.Parameter(torch.ones(2))
    optimiser = kind([weight], lr=0.1)
    weight.sum().backward()
    optimiser.step()
    path = tmp_path / "weights.pth"
    content = {"model": STATE, "optimizer": optimiser}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    monkeypatch.setattr(kind, "__setstate__", lambda *_: pytest.fail("the optimiser's code ran"))
    known = set(torch.serialization.get_safe_globals())
    assert same(read_checkpoint(path))
    assert set(torch.serialization.get_safe_globals()) == known  # none of ours is left behind


GADGETS = [
    ("os", "system", ("touch CANARY",)),
    ("posix", "system", ("touch CANARY",)),
    ("nt", "system", ("type nul > CANARY",)),
    ("subprocess", "Popen", (["touch", "CANARY"],)),
    ("subprocess", "check_output", (["touch", "CANARY"],)),
    ("builtins", "eval", ("open('CANARY', 'w').close()",)),
    ("builtins", "exec", ("open('CANARY', 'w').close()",)),
    ("builtins", "open", ("CANARY", "w")),
    ("builtins", "__import__", ("antigravity",)),
    ("builtins", "getattr", ("x", "upper")),
    ("importlib", "import_module", ("this",)),
    ("runpy", "run_path", ("script.py",)),
    ("shutil", "copyfile", ("script.py", "CANARY")),
    ("pathlib", "Path", ("CANARY",)),
    ("torch", "load", ("other.pth",)),
    ("torch.hub", "load_state_dict_from_url", ("https://example.org/x.pth",)),
    ("numpy", "save", ("CANARY", 1)),
]


class Call:
    """Pickles as a call of any function, without importing it."""

    def __init__(self, function: object, words: tuple) -> None:
        self.function, self.words = function, words

    def __reduce__(self) -> tuple:
        return self.function, self.words


def by_hand(module: str, name: str, words: tuple, protocol: int) -> bytes:
    """A pickle that calls module.name(*words); names are written raw, nothing is imported."""
    arguments = pickle.dumps(words, protocol)
    if protocol == 4:
        start = arguments[:2]  # no frame: the opcodes follow each other freely
        named = b"".join(b"\x8c" + bytes([len(w)]) + w.encode() for w in (module, name)) + b"\x93"
        return start + named + arguments[11:-1] + b"R."
    prefix = arguments[:2] if protocol == 2 else b""
    return prefix + f"c{module}\n{name}\n".encode() + arguments[len(prefix) : -1] + b"R."


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("gadget", GADGETS, ids=lambda g: f"{g[0]}.{g[1]}")
def test_a_file_that_asks_for_code_is_refused_and_nothing_runs(
    tmp_path, monkeypatch, gadget, protocol
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "script.py").write_text("open('CANARY', 'w').close()")
    path = tmp_path / "evil.pth"
    path.write_bytes(by_hand(*gadget, protocol))
    error = refused(path)
    assert error.code == "weights.unsafe"
    assert error.exit_status == 5
    assert "nothing in it was run" in error.problem
    assert "weights_only" not in error.line()
    assert not (tmp_path / "CANARY").exists()


def test_the_hand_made_pickles_would_have_run(tmp_path, monkeypatch):
    """The canary is alive: the same bytes do act when they are really unpickled."""
    monkeypatch.chdir(tmp_path)
    for protocol in (0, 2, 4):
        data = by_hand("builtins", "open", (f"CANARY{protocol}", "w"), protocol)
        pickle.loads(data).close()  # noqa: S301
        assert (tmp_path / f"CANARY{protocol}").exists()


@pytest.mark.parametrize("zipped", [True, False])
def test_code_hidden_inside_a_real_checkpoint(tmp_path, monkeypatch, zipped):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "evil.pth"
    content = {"model": {**STATE, "z": Call(eval, ("open('CANARY', 'w').close()",))}}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    error = refused(path)
    assert error.code == "weights.unsafe"
    assert "eval" in error.problem
    assert not (tmp_path / "CANARY").exists()


@pytest.mark.parametrize(
    "content", [b"", b"<html><body>404</body></html>", b"PK\x03\x04 cut short", bytes(64)]
)
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    error = refused(path)
    assert error.code == "weights.damaged"
    assert f"not a readable checkpoint, {len(content)} bytes" in error.problem


def test_a_folder_or_nothing_at_all(tmp_path):
    assert refused(tmp_path).code == "weights.missing"
    assert refused(tmp_path / "none.pth").code == "weights.missing"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([torch.ones(2)], "a list"),
        (torch.ones(2), "a Tensor"),
        ({"a": torch.ones(2), "epoch": 3}, "the keys 'a', 'epoch'"),
        ({1: torch.ones(2)}, "the keys 1"),
    ],
)
def test_a_checkpoint_of_something_else(tmp_path, content, words):
    path = tmp_path / "weights.pth"
    torch.save(content, path)
    error = refused(path)
    assert error.code == "weights.contents"
    assert words in error.problem


@pytest.mark.parametrize("kind", ["zip", "pickle", "safetensors"])
def test_cut_and_flipped_files_are_refused_or_whole(tmp_path, kind):
    path = tmp_path / "weights"
    if kind == "safetensors":
        path.write_bytes(to_safetensors(STATE, note={}))
    else:
        torch.save(STATE, path, _use_new_zipfile_serialization=kind == "zip")
    whole, dice, refusals = path.read_bytes(), np.random.default_rng(0), 0
    for trial in range(150):
        damaged = bytearray(whole)
        if trial % 3 == 0:
            damaged = damaged[: dice.integers(len(whole))]
        else:
            damaged[dice.integers(len(whole))] ^= 1 << int(dice.integers(8))
        path.write_bytes(damaged)
        try:
            read_checkpoint(path)
        except WeightsError:
            refusals += 1
    assert refusals >= 50  # every cut, at least


def unfit(state: dict[str, torch.Tensor]) -> WeightsError:
    with pytest.raises(WeightsError) as caught:
        check_state(state, STATE, path=Path("w.pth"))
    return caught.value


def test_the_right_state_passes():
    check_state({name: tensor.clone() for name, tensor in STATE.items()}, STATE)


def test_names_that_are_missing_or_unexpected():
    error = unfit({"a.weight": STATE["a.weight"], "head.x": torch.ones(1)})
    assert error.code == "weights.keys"
    assert "2 missing (a.bias, bn.num_batches_tracked), 1 unexpected (head.x)" in error.problem
    assert "expected 3 names, found 2" in error.problem


def test_many_names_are_cut_short():
    error = unfit({**STATE, **{f"x{i}": torch.ones(1) for i in range(9)}})
    assert "0 missing, 9 unexpected (x0, x1, x2, ...)" in error.problem


def test_another_shape():
    error = unfit({**STATE, "a.weight": torch.ones(3, 2)})
    assert error.code == "weights.shape"
    assert "a.weight has shape (3, 2), expected (2, 3)" in error.problem


def test_a_sparse_tensor_is_not_taken():
    error = unfit({**STATE, "a.weight": torch.eye(3)[:2].to_sparse()})
    assert error.code == "weights.shape"
    assert "torch.sparse_coo" in error.problem


def test_another_type():
    error = unfit({**STATE, "a.bias": torch.ones(2, dtype=torch.float16)})
    assert error.code == "weights.dtype"
    assert "a.bias holds torch.float16, expected torch.float32" in error.problem


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_values_that_are_not_finite(value):
    error = unfit({**STATE, "a.bias": torch.tensor([1.0, value])})
    assert error.code == "weights.not_finite"
    assert "a.bias has 1 of 2 values that are not finite" in error.problem


def test_a_pickled_file_named_safetensors_is_told_by_its_content(tmp_path):
    path = tmp_path / "model.safetensors"
    torch.save(STATE, path)
    assert read_checkpoint(path).keys() == STATE.keys()
