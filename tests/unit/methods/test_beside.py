from __future__ import annotations

import pytest
import torch

from samplar.methods.beside import KEEP, Beside

CLASSES = 3


@pytest.fixture
def beside():
    torch.manual_seed(0)
    return Beside(CLASSES, width=4, levels=3)


def saying(labels):
    """Return logits that are sure of labels (b, h, w)."""
    return 20.0 * torch.nn.functional.one_hot(labels, CLASSES + 1).movedim(-1, 1).float()


def drawn(*shape, seed):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def learns(beside, decoder, unet):
    """Give both networks these Dice values."""
    with torch.no_grad():
        beside.counts[:, 0] = torch.tensor([decoder, unet])
        beside.counts[:, 1] = 1


def test_dice_is_that_of_the_last_batches(beside):
    """Two batches, counted pixel by pixel; the decoder's masks are on a grid half as fine."""
    expected = torch.zeros(2, 2, CLASSES)
    for seed in (0, 1):
        chance = torch.Generator().manual_seed(seed)
        truth = torch.randint(0, CLASSES + 1, (2, 8, 8), generator=chance)
        coarse = torch.randint(0, CLASSES + 1, (2, 4, 4), generator=chance)
        fine = torch.randint(0, CLASSES + 1, (2, 8, 8), generator=chance)
        hidden = truth.clone()
        hidden[:, :2] = 255
        beside.watch(saying(coarse), saying(fine), hidden.to(torch.uint8))
        logits = torch.nn.functional.interpolate(
            saying(coarse), (8, 8), mode="bilinear", align_corners=False
        )
        expected *= KEEP
        for n, found in enumerate((logits.argmax(dim=1), fine)):
            for row in range(2, 8):
                for image in range(2):
                    for a, b in zip(found[image, row], truth[image, row], strict=True):
                        for k in range(1, CLASSES + 1):
                            expected[n, 0, k - 1] += 2 * float(a == k and b == k)
                            expected[n, 1, k - 1] += float(a == k) + float(b == k)
    assert torch.allclose(beside.counts, expected)
    assert torch.allclose(beside.dice(), expected[:, 0] / expected[:, 1])


def test_a_class_that_nobody_has_seen_counts_as_learnt(beside):
    assert not beside.dice().any()
    a, b = drawn(1, 4, 2, 2, seed=0), drawn(1, 4, 2, 2, seed=1)
    mean = (a.softmax(dim=1) + b.softmax(dim=1)) / 2
    assert torch.allclose(beside.together(a, b, share=0.5, learnt=0.5).exp(), mean, atol=1e-5)


@torch.no_grad()
def test_a_unet_has_no_say_on_what_it_has_not_learnt(beside):
    """It says background where the decoder sees class 2, and class 1 where it knows better."""
    learns(beside, decoder=[0.8, 0.6, 0.6], unet=[0.9, 0.2, 0.31])
    ours, theirs = drawn(2, 4, 5, 6, seed=0), drawn(2, 4, 5, 6, seed=1)
    found = beside.together(ours, theirs, share=0.5, learnt=0.5).exp()
    a, b = ours.softmax(dim=1), theirs.softmax(dim=1)
    other = b[:, 0] + b[:, 2]  # what the U-Net gives to background and to the class it lacks
    for k in (0, 2):
        share = other * a[:, k] / (a[:, 0] + a[:, 2])
        assert torch.allclose(found[:, k], (a[:, k] + share) / 2, atol=1e-5)
    for k in (1, 3):
        assert torch.allclose(found[:, k], (a[:, k] + b[:, k]) / 2, atol=1e-5)
    assert torch.allclose(found.sum(dim=1), torch.ones(2, 5, 6), atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("share", [0.25, 0.5, 1.0])
def test_a_unet_that_has_learnt_nothing_changes_nothing(beside, share):
    learns(beside, decoder=[0.8, 0.6, 0.1], unet=[0.0, 0.0, 0.0])
    ours, theirs = drawn(2, 4, 5, 6, seed=0), saying(torch.zeros(2, 5, 6, dtype=torch.long))
    found = beside.together(ours, theirs, share=share, learnt=0.5).exp()
    assert torch.allclose(found, ours.softmax(dim=1), atol=1e-4)


def test_no_gradient_reaches_the_counts(beside):
    images = torch.rand(1, 3, 16, 16)
    found = beside(images)
    beside.watch(found, found, torch.ones(1, 16, 16, dtype=torch.uint8))
    beside.together(found, found, share=0.5, learnt=0.5).sum().backward()
    assert beside.counts.grad is None
    assert beside.counts.any()
