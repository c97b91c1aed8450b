from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from samplar.config.fit import FitConfig
from samplar.exemplars.exemplar import Exemplar, ExemplarSet
from samplar.io.labels import LabelSet
from samplar.methods.adapted import AdaptedSam
from samplar.sam.precision import Precisions
from samplar.sam.seeded import digest_of
from samplar.synthesis.synthesizer import Synthesizer
from samplar.training.draws import pool_size, starting_exemplars
from samplar.training.fit import CloseUps, Told, adapt
from samplar.training.run import open_run
from samplar.training.seed import generator
from samplar.training.tensors import as_samples

SHORT = {"iterations": 3, "batch": 2, "pool": 6, "checkpoint_every": 2}


@pytest.fixture
def exemplars(arrays):
    images, labels = arrays(3, height=28, width=40)
    made = [
        Exemplar.of(case=f"c{n}", subject=f"s{n}", number=n, image=image, labels=label)
        for n, (image, label) in enumerate(zip(images, labels, strict=True))
    ]
    return ExemplarSet.of(made, LabelSet(("left", "right"), (1, 2)))


class Listener:
    """Keep what a run says."""

    def __init__(self):
        self.stages, self.steps, self.notes = [], [], []
        self.told = Told(
            stage=lambda name, count: self.stages.append((name, count)),
            step=lambda done, loss: self.steps.append((done, loss)),
            note=self.notes.append,
        )


@pytest.fixture
def go(adapted, exemplars, tmp_path):
    def run(method="samed-s", name="run", seeing=None, trained="fp32", **settings):
        config = FitConfig(**{"dataset": "d", "size": 32, "seed": 5, "training": SHORT, **settings})
        model, heard = adapted(method, seed=5), Listener()
        folder = open_run(tmp_path / name, resume=True)
        adapt(
            model,
            exemplars,
            config,
            folder,
            precisions=Precisions("fp32", trained),
            digest="d",
            told=heard.told,
            **(seeing or {}),
        )
        return model, folder.path, heard

    return run


def test_trains_on_what_it_synthesised_and_writes_that_down(go, exemplars):
    _, folder, heard = go()
    assert heard.stages == [("synthesis and frozen encoder", 6), ("training", 3)]
    assert [done for done, _ in heard.steps] == [1, 2, 3, 4, 5, 6, 1, 2, 3]
    assert [p.name for p in sorted(folder.iterdir())] == [
        "checkpoints",
        "draws.jsonl",
        "metrics.jsonl",
    ]
    lines = (folder / "draws.jsonl").read_text().splitlines()
    config = FitConfig(dataset="d", size=32, seed=5, training=SHORT)
    samples, chance = as_samples(exemplars, 32), generator(5, "synthesis")
    numbers = starting_exemplars(samples, 2, config, 6, chance)
    synthesizer = Synthesizer(samples, classes=2, config=config.synthesis)
    expected = synthesizer.draw(numbers, chance)
    assert [json.loads(line) for line in lines] == [
        json.loads(d.model_dump_json(exclude_defaults=True)) for d in expected
    ]
    assert np.isfinite([loss for done, loss in heard.steps[6:]]).all()


def test_the_seed_decides_and_nothing_else_does(go, adapted):
    torch.manual_seed(0)
    states = [digest_of(go(name="a")[0].adapter_state())]
    torch.manual_seed(99)
    states.append(digest_of(go(name="b")[0].adapter_state()))
    assert states[0] == states[1] != digest_of(adapted("samed-s", seed=5).adapter_state())


def test_without_synthesis_every_exemplar_is_in_the_pool_once(go, exemplars):
    off = {"synthesis": {"strength": "off"}}
    _, folder, heard = go(**off)
    assert heard.stages[0][1] == 3
    lines = (folder / "draws.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [{"exemplar": n} for n in range(3)]
    assert pool_size(FitConfig(dataset="d", **off), 9) == 9
    assert pool_size(FitConfig(dataset="d", training={"pool": 70}), 9) == 70


def test_a_method_without_training_remembers_and_writes_nothing(go, exemplars):
    model, folder, heard = go("copy-nearest")
    assert heard.stages == heard.steps == list(folder.iterdir()) == []
    assert torch.equal(model.memory["labels"], as_samples(exemplars, 32).labels)


@pytest.mark.parametrize("stop", [False, True])
def test_the_cache_file_is_given_back(go, tmp_path, stop, monkeypatch):
    tight = {**SHORT, "memory": 1e-9}
    if stop:
        monkeypatch.setattr("samplar.training.fit.train", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            go(training=tight)
    else:
        go(training=tight)
    assert (tmp_path / "run/draws.jsonl").exists()
    assert list((tmp_path / "run").glob("*.tmp")) == []


SEEN = [
    ("synthesis and frozen encoder", 6),
    ("calibration", 6),
    ("training", 3),
]


@pytest.mark.parametrize("worth", [True, False])
def test_held_out_exemplars_say_first_if_close_ups_are_learnt_from(go, worth):
    shown, asked = [], []

    def decide():
        asked.append(len(shown))
        return worth

    seeing = {"show": lambda _, fold: shown.append(fold), "closer": CloseUps(0.5, decide)}
    model, folder, heard = go(seeing=seeing)
    assert heard.stages == SEEN
    assert asked == [len(shown)] == [2]
    lines = (folder / "draws.jsonl").read_text().splitlines()
    close = ["roi" in json.loads(line) for line in lines]
    assert close == [False] * 3 + [True] * 3
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert len(rows) == 3
    whole = go(name="whole", training={**SHORT, "pool": 3})[0]
    same = digest_of(model.adapter_state()) == digest_of(whole.adapter_state())
    assert same == (not worth)  # without the close-ups it is as if there had been none
    left = {p.name for p in folder.iterdir()}
    assert left == {"checkpoints", "draws.jsonl", "folds", "metrics.jsonl"}


@pytest.mark.parametrize("worth", [True, False])
def test_where_nothing_is_held_out_close_ups_are_learnt_from_if_the_run_says_so(go, worth):
    model, _, heard = go(seeing={"closer": CloseUps(0.5, lambda: worth)})
    assert heard.stages == [SEEN[0], SEEN[2]]
    whole = go(name="whole", training={**SHORT, "pool": 3})[0]
    same = digest_of(model.adapter_state()) == digest_of(whole.adapter_state())
    assert same == (not worth)


def test_a_choice_is_made_again_when_a_stopped_run_goes_on(go, monkeypatch):
    seeing = {"show": lambda *_: None, "closer": CloseUps(0.5, lambda: False)}
    straight = go(name="straight", seeing=seeing)[0]
    monkeypatch.setattr("samplar.training.fit.train", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        go(seeing=seeing)
    monkeypatch.undo()
    model, _, heard = go(seeing=seeing)
    refits = [done for done, loss in heard.steps if loss is None]
    assert refits == [1, 2, 3, 4, 5, 6]  # of the pool; the refits were there
    assert digest_of(model.adapter_state()) == digest_of(straight.adapter_state())


def test_what_is_frozen_and_what_trains_compute_each_in_its_own_precision(go, monkeypatch):
    kinds = []

    def watched(model, pool, run):
        kinds.append((pool.batch(torch.tensor([0]))[0].dtype, run.precision))

    monkeypatch.setattr("samplar.training.fit.train", watched)
    go(trained="bf16")
    go(name="whole")
    assert kinds == [(torch.float32, "bf16"), (torch.float32, "fp32")]


def test_exemplars_to_remember_pass_the_encoder_in_batches_that_suit_the_device(go, monkeypatch):
    real, counts = AdaptedSam.prefix, []

    def prefix(model, images):
        counts.append(len(images))
        return real(model, images)

    monkeypatch.setattr(AdaptedSam, "prefix", prefix)
    model, _, _ = go(method="copy-nearest")
    assert counts == [1, 1, 1]
    assert len(model.memory["embedding"]) == 3
