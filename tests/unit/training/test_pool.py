from __future__ import annotations

import pytest
import torch

from samplar.config.synthesis import SynthesisConfig
from samplar.synthesis.draw import Draw
from samplar.synthesis.synthesizer import Synthesizer
from samplar.training.pool import fill_pool, join_samples


@pytest.fixture
def model(adapted):
    return adapted("samed-s", rank=2)


def fill(model, samples, draws, folder, *, memory=0.1, precision="fp32", told=lambda n: None):
    synthesizer = Synthesizer(samples, classes=2, config=SynthesisConfig())
    return fill_pool(
        model,
        synthesizer,
        draws,
        precision=precision,
        memory=memory,
        folder=folder,
        on_image=told,
    )


def test_holds_what_synthesis_renders_and_the_prefix_makes_of_it(model, phantoms, tmp_path):
    samples, told = phantoms(3), []
    synthesizer = Synthesizer(samples, classes=2, config=SynthesisConfig())
    draws = synthesizer.draw([n % 3 for n in range(19)], torch.Generator().manual_seed(0))
    pool = fill(model, samples, draws, tmp_path, told=told.append)
    assert told == list(range(1, 20))
    rows = torch.tensor([18, 0, 7, 8])
    prefix, found = pool.batch(rows)
    expected = synthesizer.render([draws[int(n)] for n in rows])
    assert torch.equal(found.images, expected.images)
    assert torch.equal(found.labels, expected.labels)
    assert torch.equal(found.valid, expected.valid)
    torch.testing.assert_close(prefix, model.prefix(expected.images), rtol=1e-5, atol=1e-5)
    assert not prefix.requires_grad


def test_activations_past_the_limit_go_to_a_file_and_are_the_same(model, phantoms, tmp_path):
    samples = phantoms(3)
    draws = [Draw(exemplar=n) for n in (2, 0, 1)]
    whole = fill(model, samples, draws, tmp_path)
    row = whole.prefixes.shape.numel() * 4 / 2**30
    split = fill(model, samples, draws, tmp_path, memory=1.5 * row)
    assert (whole.prefixes.in_memory, split.prefixes.in_memory) == (3, 1)
    rows = torch.tensor([2, 1, 0])
    assert torch.equal(whole.batch(rows)[0], split.batch(rows)[0])
    split.prefixes.close()


def test_bf16_is_kept_as_bf16(model, phantoms, tmp_path):
    pool = fill(model, phantoms(1), [Draw(exemplar=0)], tmp_path, precision="bf16")
    prefix, _ = pool.batch(torch.tensor([0]))
    assert prefix.dtype == torch.bfloat16
    exact = model.prefix(phantoms(1).images)
    assert 0 < (prefix.float() - exact).abs().max() < 0.05 * exact.abs().max()


def test_names_the_exemplars_behind_rows(model, phantoms, tmp_path):
    draws = [Draw(exemplar=n) for n in (2, 0, 2, 1)]
    pool = fill(model, phantoms(3), draws, tmp_path)
    assert pool.exemplars_of(torch.tensor([0, 2])) == [2]
    assert pool.exemplars_of(torch.tensor([2, 3, 1])) == [0, 1, 2]


def test_an_empty_pool_is_a_mistake_of_the_caller(model, phantoms, tmp_path):
    with pytest.raises(ValueError, match="at least one draw"):
        fill(model, phantoms(1), [], tmp_path)


def test_joins_in_order(phantoms):
    parts = [phantoms(1, seed=1), phantoms(2, seed=2)]
    joined = join_samples(parts)
    assert len(joined) == 3
    assert torch.equal(joined.images[1:], parts[1].images)
    assert torch.equal(joined.labels[:1], parts[0].labels)
