"""Flags and settings that cannot be: status 2 before anything is read, made or loaded."""

from __future__ import annotations

import pytest
from command import QUICK, samplar
from refusals import refused, small_set

SETS = [
    *(f"training.lr={value}" for value in ("nan", ".nan", ".inf", "-1", "0", "fast", "[]", "{}")),
    *(f"training.iterations={value}" for value in ("-1", "1e9", "1.5", "10000000000", "null", "x")),
    *(f"training.batch={value}" for value in ("0", "-2", "1e5", "many")),
    *(f"training.pool={value}" for value in ("-1", "1e12", "none")),
    *(f"training.memory={value}" for value in ("-1", ".nan", ".inf")),
    *(f"training.warmup={value}" for value in ("-1", "x")),
    *(f"training.precision={value}" for value in ("fp8", "16", "[fp32]")),
    *(f"size={value}" for value in ("31", "33", "4096", "-32", "x", "64.5")),
    *(f"seed={value}" for value in ("-1", "2147483648", "x", "1.5")),
    *(f"k={value}" for value in ("0", "-3", "100000", "x")),
    *(f"plane={value}" for value in ("oblique", "3")),
    "strategy=best",
    "preset=paperr",
    "method=os.system",
    "method=../../evil",
    "method=samplar.methods.samed",
    "method_config={rank: -1}",
    "method_config={no_such: 1}",
    "method_config=[1]",
    "synthesis.strength=extreme",
    "synthesis.no_such=1",
    "no_such=1",
    "training.no_such.deeper=1",
    "training=5",
    "dataset=",
    "__class__=x",
    "training.__init__=x",
    "model_config.extra=allow",
]

NOT_PLAIN = [
    "seed=!!python/object/apply:os.system ['touch CANARY']",
    "seed=!!int ''",
    "seed=&a [*a]",
    "seed=*a",
    "seed=007",
    "seed=0x10",
    "seed=1_000",
    "seed=10:30",
    "training={lr: 1, lr: 2}",
    f"seed={'9' * 5000}",
    "seed=[" + "[" * 60,
    "seed=" + "[" * 60 + "]" * 60,
    "seed={",
    "seed='",
    "seed=\t- x",
    "seed=@x",
    "=1",
    "seed",
    "",
]

WORDS = [
    (("--weights", "hub:someone/sam"), "weights.unknown"),
    (("--weights", "/no/such/file.pth"), "weights.unknown"),
    (("--weights", "."), "weights.unknown"),
    (("--weights", ""), "weights.unknown"),
    (("--method", ""), "methods.unknown"),
    (("--channels", "-1"), "config.channels"),
    (("--channels", "0,,1"), "config.channels"),
    (("--channels", "٣"), "config.channels"),
    (("--device", "cuda:99"), "device.absent"),
    (("--device", "cpu; rm -rf /"), "device.absent"),
    (("--intensity", "window:nan:1"), "intensity.invalid"),
    (("--intensity", "window:5:1"), "intensity.invalid"),
    (("--intensity", "range:0:inf"), "intensity.invalid"),
    (("--intensity", "percentile:-1:101"), "intensity.invalid"),
    (("--intensity", "eval:1:2"), "intensity.invalid"),
    (("-k", "0"), "config.invalid"),
    (("--size", "7"), "config.invalid"),
    (("--seed", "-1"), "config.invalid"),
]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return small_set(tmp_path_factory.mktemp("settings") / "set")


def fit(data, out, *words):
    return samplar("fit", data, "-o", out, *QUICK, *words)


@pytest.mark.parametrize("text", SETS)
def test_a_setting_that_cannot_be(data, tmp_path, text):
    ran = fit(data, tmp_path / "run", "--set", text)
    code = ran.err.rstrip().rpartition("[")[2].rstrip("]")
    assert code in {"config.invalid", "methods.unknown", "config.preset"}, ran.err
    name, _, value = text.partition("=")
    names = value if name == "method" else name.partition(".")[0]
    refused(ran, status=2, code=code, names=names)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("text", NOT_PLAIN, ids=range(len(NOT_PLAIN)))
def test_a_setting_that_is_not_plain_yaml(data, tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    ran = fit(data, tmp_path / "run", "--set", text)
    refused(ran, status=2, code="config.set", names="--set")
    assert not (tmp_path / "CANARY").exists()


@pytest.mark.parametrize(("words", "code"), WORDS)
def test_a_flag_that_cannot_be(data, tmp_path, words, code):
    refused(fit(data, tmp_path / "run", *words), status=2, code=code, names="")
    assert not (tmp_path / "run").exists()
