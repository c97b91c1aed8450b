from __future__ import annotations

import pytest
import torch

from samplar.config.fit import FitConfig
from samplar.config.synthesis import SynthesisConfig
from samplar.errors import OutputError
from samplar.sam.seeded import digest_of
from samplar.synthesis.draw import Draw
from samplar.synthesis.synthesizer import Synthesizer
from samplar.training.fit import refit_config, with_refits
from samplar.training.folds import (
    FOLDER,
    Refits,
    copied_state,
    forget_refits,
    refit,
    whole_slices,
    without,
)
from samplar.training.loop import train
from samplar.training.pool import fill_pool

DRAWS = [
    Draw(exemplar=0),
    Draw(exemplar=1),
    Draw(exemplar=2),
    Draw(exemplar=0, background="cross_clean", donor=1),
    Draw(exemplar=2, background="cross_clean", donor=0),
    Draw(exemplar=1, background="own"),
]


@pytest.fixture
def model(adapted):
    return adapted("decoder-only")


@pytest.fixture
def pool(model, phantoms, tmp_path):
    synthesizer = Synthesizer(phantoms(3), classes=2, config=SynthesisConfig())
    return fill_pool(
        model,
        synthesizer,
        DRAWS,
        precision="fp32",
        memory=0.1,
        folder=tmp_path,
        on_image=lambda done: None,
    )


def test_an_image_that_is_partly_of_a_held_out_exemplar_is_left_out_too(pool):
    part = without(pool, [1])
    assert part.draws == [DRAWS[0], DRAWS[2], DRAWS[4]]
    assert without(pool, [0]).draws == [DRAWS[1], DRAWS[2], DRAWS[5]]
    assert without(pool, [0, 1, 2]) is None
    prefix, samples = part.batch(torch.tensor([2, 0]))
    expected, rows = pool.batch(torch.tensor([4, 0]))
    assert torch.equal(prefix, expected)
    assert torch.equal(samples.images, rows.images)
    assert part.exemplars_of(torch.tensor([1, 2])) == [2]


def test_a_folder_that_cannot_be_made_is_told_in_one_line(model, pool, running, tmp_path):
    run = running(folder=tmp_path, iterations=2)
    (tmp_path / FOLDER).write_text("in the way")
    further = Refits([[1]], copied_state(model), run, run.config, lambda *_: None, lambda n: None)
    with pytest.raises(OutputError, match="folds"):
        refit(model, pool, further)


@pytest.fixture
def refitted(model, pool, running, tmp_path):
    """Train, refit without the exemplars 1 and then 0 and 2; return what was seen on the way."""
    run = running(folder=tmp_path, iterations=4)
    fresh, shown, steps = copied_state(model), [], []
    train(model, pool, run)
    learnt = digest_of(model.adapter_state())

    def show(seen, fold):
        shown.append((list(fold), digest_of(seen.adapter_state())))

    short = run.config.model_copy(update={"iterations": 2})
    refit(model, pool, Refits([[1], [0, 2]], fresh, run, short, show, steps.append))
    return model, pool, fresh, learnt, shown, steps


def test_the_model_comes_out_as_it_was_trained(refitted, tmp_path):
    model, _, fresh, learnt, shown, steps = refitted
    assert digest_of(model.adapter_state()) == learnt
    assert [fold for fold, _ in shown] == [[1], [0, 2]]
    assert len({learnt, digest_of(fresh), *(digest for _, digest in shown)}) == 4
    assert steps == [1, 2, 3, 4]


def test_a_finished_refit_is_kept_until_it_is_forgotten(refitted, running, tmp_path):
    model, pool, fresh, _, shown, steps = refitted
    run = running(folder=tmp_path, iterations=4)
    short = run.config.model_copy(update={"iterations": 2})
    again, counted = [], []

    def show(seen, fold):
        again.append((list(fold), digest_of(seen.adapter_state())))

    further = Refits([[1], [0, 2]], fresh, run, short, show, counted.append)
    refit(model, pool, further)
    assert (again, counted) == (shown, [])
    forget_refits(run.folder)
    assert not (tmp_path / FOLDER).exists()
    refit(model, pool, further)
    assert (again[2:], counted) == (shown, steps)


def test_what_decides_nothing_makes_no_other_refit(refitted, running, tmp_path):
    model, pool, fresh, *_ = refitted
    run, counted, folds = running(folder=tmp_path, iterations=4), [], [[1], [0, 2]]

    def again(**settings):
        counted.clear()
        short = run.config.model_copy(update={"iterations": 2, **settings})
        refit(model, pool, Refits(folds, fresh, run, short, lambda *_: None, counted.append))
        return len(counted)

    assert again(memory=0.2, checkpoint_every=1) == 0
    assert again(iterations=3) == 6
    assert again(iterations=2) == 0


def test_close_ups_can_be_left_out(model, phantoms, tmp_path):
    draws = [draw.model_copy(update={"roi": n in {0, 3}}) for n, draw in enumerate(DRAWS)]
    synthesizer = Synthesizer(phantoms(3), classes=2, config=SynthesisConfig())
    pool = fill_pool(
        model,
        synthesizer,
        draws,
        precision="fp32",
        memory=0.1,
        folder=tmp_path,
        on_image=lambda done: None,
    )
    part = whole_slices(pool)
    assert part.draws == [draws[1], draws[2], draws[4], draws[5]]
    assert torch.equal(part.batch(torch.tensor([2]))[0], pool.batch(torch.tensor([4]))[0])


def test_a_refit_is_a_training_from_the_start_on_its_part_alone(refitted, adapted, running):
    _, pool, fresh, _, shown, _ = refitted
    again = adapted("decoder-only", seed=7)
    again.load_adapter_state(fresh, path="")
    train(again, without(pool, [1]), running(iterations=2))
    assert digest_of(again.adapter_state()) == shown[0][1]


def test_a_fold_that_is_everywhere_is_passed_over(model, pool, running, tmp_path):
    shown = []
    run, fresh = running(folder=tmp_path), copied_state(model)
    refit(model, pool, Refits([[0, 1, 2]], fresh, run, run.config, shown.append, shown.append))
    assert shown == []


@pytest.mark.parametrize(
    ("iterations", "share", "expected"), [(1000, 0.3, 300), (100, 0.3, 50), (20, 0.3, 20)]
)
def test_a_refit_is_a_share_of_the_training_but_not_too_short(iterations, share, expected):
    training = {"iterations": iterations, "batch": 8}
    config = FitConfig(dataset="d", training=training, trust={"share": share})
    short = refit_config(config)
    assert (short.iterations, short.batch) == (expected, 4)
    assert with_refits(config, 2).iterations == iterations + expected
    assert with_refits(config, 0) == config.training
