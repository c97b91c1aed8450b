from __future__ import annotations

import nibabel
import numpy as np
import pytest

from samplar.config.fit import FitConfig
from samplar.errors import InputError
from samplar.exemplars.manifest import write_manifest
from samplar.io.dataset import read_dataset
from samplar.io.intensity import IntensityRule
from samplar.training.prepare import choose_view, pick_exemplars


@pytest.fixture
def dataset(volumes):
    return read_dataset(volumes)


def config(**settings):
    return FitConfig(
        **{"dataset": "discs", "k": 3, "seed": 1, "strategy": "most-classes", **settings}
    )


def no_embedding(candidates, view):
    raise AssertionError("only the diverse strategy needs embeddings")


def pick(dataset, **settings):
    settings = config(**settings)
    return pick_exemplars(dataset, choose_view(dataset, settings), settings, embed=no_embedding)


def test_the_settings_decide_the_view(dataset):
    view = choose_view(dataset, config(plane="sagittal", intensity="window:10:90", channels=(0,)))
    assert view.plane == "sagittal"
    assert view.rule == IntensityRule(kind="window", low=10, high=90)
    assert view.channels == (0,)


def test_auto_looks_at_the_volumes(dataset):
    view = choose_view(dataset, config())
    assert (view.plane, view.rule.kind, view.channels) == ("axial", "percentile", None)


def test_auto_takes_the_plane_the_volumes_were_scanned_in(dataset, volumes):
    for path in [*(volumes / "images").iterdir(), *(volumes / "labels").iterdir()]:
        image = nibabel.load(path)
        content = np.asarray(image.dataobj)
        again = nibabel.Nifti1Image(content, np.diag([-6.0, -1.5, 1.5, 1.0]))
        again.header.set_xyzt_units("mm")
        nibabel.save(again, path)
    assert choose_view(dataset, config()).plane == "sagittal"


def raise_(path) -> None:
    """Make soft tissue of an image, as CT has it that is stored with 1024 added."""
    image = nibabel.load(path)
    content = np.asarray(image.dataobj)
    nibabel.save(nibabel.Nifti1Image(1000 + content.astype(np.int16) % 50, image.affine), path)


def test_a_better_rule_is_told_and_not_taken(dataset, volumes):
    told: list[str] = []
    assert choose_view(dataset, config(), note=told.append).rule.kind == "percentile"
    assert told == []
    first, *others = sorted((volumes / "images").iterdir())
    raise_(first)
    choose_view(dataset, config(), note=told.append)
    assert told == []  # one of several is not enough
    for path in others:
        raise_(path)
    assert choose_view(dataset, config(), note=told.append).rule.kind == "percentile"
    (line,) = told
    assert "look like CT" in line
    assert "--intensity window:864:1264 may do better" in line
    choose_view(dataset, config(intensity="window:0:9"), note=told.append)
    assert len(told) == 1


def test_chosen_exemplars_are_recorded_and_can_be_named_again(dataset, tmp_path):
    exemplars, manifest = pick(dataset)
    assert len(exemplars) == len(manifest.exemplars) == 3
    assert (manifest.strategy, manifest.seed) == ("most-classes", 1)
    assert {e.subject for e in exemplars.exemplars} == {"ann", "bob", "cid"}
    assert all(set(np.unique(e.labels)) == {0, 1, 2} for e in exemplars.exemplars)
    path = tmp_path / "exemplars.yaml"
    write_manifest(path, manifest)
    again, record = pick(dataset, exemplars=path, seed=77, k=1)
    assert again.digest == exemplars.digest
    assert record == manifest


def test_all_takes_every_labelled_slice_also_those_that_show_nothing(dataset, tmp_path):
    exemplars, manifest = pick(dataset, strategy="all", k=1)
    cases = ("ann", "bob", "cid")
    assert list(manifest.picks) == [(case, number) for case in cases for number in range(5)]
    assert not exemplars.exemplars[4].labels.any()
    write_manifest(tmp_path / "all.yaml", manifest)
    again, record = pick(dataset, exemplars=tmp_path / "all.yaml")
    assert (again.digest, record.strategy) == (exemplars.digest, "all")


def test_another_seed_may_choose_others(dataset):
    picks = {tuple(pick(dataset, strategy="random", seed=seed)[1].picks) for seed in range(4)}
    assert len(picks) > 1


def test_named_exemplars_that_changed_are_refused(dataset, volumes, tmp_path):
    _, manifest = pick(dataset)
    path = tmp_path / "exemplars.yaml"
    write_manifest(path, manifest)
    label = volumes / f"labels/{manifest.exemplars[0].case}.nii.gz"
    image = nibabel.load(label)
    content = np.asarray(image.dataobj).copy()
    content[0, 0] = 1
    nibabel.save(nibabel.Nifti1Image(content, image.affine, image.header), label)
    with pytest.raises(InputError) as caught:
        pick(dataset, exemplars=path)
    assert caught.value.code == "exemplars.changed"


def test_diverse_exemplars_follow_the_embeddings(dataset):
    asked = []

    def embed(candidates, view):
        asked.append((len(candidates), view))
        rows = np.tile([1.0, 0.0], (len(candidates), 1))
        far = [n for n, c in enumerate(candidates) if (c.case, c.slice) == ("bob", 2)]
        rows[far] = [0.0, 1.0]
        return rows

    settings = config(strategy="diverse", k=2)
    view = choose_view(dataset, settings)
    _, manifest = pick_exemplars(dataset, view, settings, embed=embed)
    assert asked == [(12, view)]
    assert ("bob", 2) in manifest.picks
