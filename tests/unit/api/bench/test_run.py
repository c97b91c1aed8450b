"""Which cells there are, what is in them, and that none is computed twice."""

from __future__ import annotations

import json

import pytest
import yaml

from samplar.api.bench.choice import Choice
from samplar.api.bench.estimate import Estimate
from samplar.api.bench.results import PREFIXES, Results
from samplar.errors import InputError, ResourceError, UsageError
from samplar.exemplars.manifest import read_manifest
from samplar.methods.registry import FOLDERS_VARIABLE
from samplar.training.fit import Told

NEEDY = '''"""A method that lacks something."""

from __future__ import annotations

from samplar.errors import UsageError
from samplar.methods.contract import Card

card = Card(
    name="needy", title="x", paper="x", plugs_in="decoder", prompts="none", licence_note="x"
)


def attach(sam, config, classes):
    raise UsageError("nothing to attach to", fix="Install it", code="methods.extra")
'''
VIT = "tiny-vit-sam"
QUIET = Told(stage=lambda name, count: None, step=lambda done, loss=None: None, note=lambda _: None)


def keys(cells):
    return {(c.key.method, c.key.k, c.key.draw) for c in cells.values()}


def test_every_cell_is_there_and_what_would_only_repeat_is_not(ran):
    of_method = {
        method: {(1, 0), (1, 1), (2, 0), ("full", 0)}
        for method in ("decoder-only", "copy", "linear-probe")
    }
    expected = {(m, k, d) for m, places in of_method.items() for k, d in places}
    assert keys(ran.cells()) == expected | {("zero-shot", 0, 0)}
    assert all(cell.failure is None for cell in ran.cells().values())


def test_all_methods_get_the_same_exemplars_and_a_smaller_k_is_the_start_of_a_larger(ran):
    given: dict[object, set] = {}
    order = {}
    for cell in ran.cells().values():
        if cell.key.k == 0:
            continue
        place = (cell.key.k, cell.key.draw)
        given.setdefault(place, set()).add(cell.exemplars_digest)
        order[place] = [(e.case, e.slice) for e in cell.exemplars]
    assert all(len(digests) == 1 for digests in given.values())
    assert order[2, 0][:1] == order[1, 0]
    assert order[1, 0] != order[1, 1]
    assert len(order["full", 0]) == 12
    assert {case for picks in order.values() for case, _ in picks} <= {"case0", "case1"}


def test_a_cell_holds_what_decides_it_and_what_it_took(ran):
    (cell,) = [c for c in ran.cells().values() if (c.key.method, c.key.k) == ("decoder-only", 2)]
    assert cell.settings["fit"]["training"]["iterations"] == 2
    assert cell.settings["fit"]["method_config"]["head_init"] == "sam"
    assert cell.settings["choice"] == {
        "strategy": "random",
        "k": 2,
        "draw": 0,
        "full_slices": None,
        "weights": None,
    }
    assert cell.evaluation is not None
    assert [c.case for c in cell.evaluation.per_case] == ["case2"]
    assert list(cell.evaluation.per_class) == ["ball", "slab"]
    assert cell.evaluation.trust is not None
    assert cell.evaluation.trust.reliability is not None
    assert cell.evaluation.trust.reliability.everywhere.ece is not None
    assert cell.cost is not None
    assert cell.cost.total > cell.cost.training > 0
    assert min(cell.cost.synthesis, cell.cost.prediction, cell.cost.scoring) > 0
    assert cell.cost.peak_memory_bytes > 1 << 20
    assert cell.cost.trainable_parameters > 0
    assert cell.adapter_sha256 is not None
    assert {"samplar", "torch"} <= set(cell.versions)
    assert cell.machine is not None
    assert (cell.machine.workers, cell.machine.device) == (1, "cpu")
    assert (cell.precision, cell.trained_in) == ("fp32", "fp32")
    assert cell.extra == {}


def test_methods_without_training_have_no_training_time(ran):
    for cell in ran.cells().values():
        assert cell.cost is not None
        trains = cell.method == "decoder-only"
        assert (cell.cost.training is not None) == (cell.cost.synthesis is not None) == trains
        assert cell.oracle == (cell.method == "zero-shot")
        assert cell.trivial == (cell.method in {"copy-nearest", "linear-probe"})


def test_scored_slices_are_encoded_once_for_all_methods_with_the_same_frozen_encoder(ran):
    found = [cell.cost.encoded_before for cell in ran.cells().values()]
    assert sorted(found) == [0, *[6] * 12]
    spared = [cell.cost.spared for cell in ran.cells().values()]
    assert sorted(spared)[0] == 0 < sorted(spared)[1]


def test_training_images_are_encoded_once_for_all_methods_that_share_them(bench):
    methods = ["decoder-only", "autosam-decoder", "cheap-lunch"]
    bench.write(methods=[bench.row(name) for name in methods], k=[1])
    bench.run()
    cells = {cell.method: cell.cost for cell in bench.cells().values()}
    found = {name: cells[name].pool_encoded_before for name in methods}
    assert found == {"decoder-only": 0, "autosam-decoder": 4, "cheap-lunch": 0}
    assert cells["autosam-decoder"].pool_spared > 0 == cells["decoder-only"].pool_spared


def test_a_shared_pool_changes_no_score(bench):
    bench.write(methods=[bench.row("autosam-decoder")], k=[1])
    bench.run()
    path = bench.file_of("autosam-decoder", 1)
    first = bench.cells()[path.stem]
    path.unlink()
    bench.change(methods=[bench.row("decoder-only"), bench.row("autosam-decoder")])
    bench.run()
    second = bench.cells()[path.stem]
    assert second.cost.pool_encoded_before == 4
    assert (second.adapter_sha256, second.evaluation) == (first.adapter_sha256, first.evaluation)


def test_a_pool_is_kept_as_long_as_cells_need_it(bench):
    methods = [bench.row("decoder-only"), bench.row("autosam-decoder")]
    bench.write(methods=methods, k=[1, 2])
    there = []

    def look(cell, made):
        names = {path.name for path in (bench.results.path / PREFIXES).iterdir()}
        there.append(sorted(names - {"slices"}))

    bench.run(on_cell=look)
    assert len(there) == 8
    assert there[0] == ["balls--k1-d0-s0"]
    assert "balls--k1-d0-s0" not in there[4]
    assert there[-1] == []


def test_only_small_pictures_stay_and_only_of_the_first_draw(ran):
    found = {path.name for path in ran.results.path.iterdir() if path.is_dir()}
    assert found == {"cells", "exemplars", "splits", "overlays", "plans", "work"}
    assert list((ran.results.path / "work").iterdir()) == []
    shown = {f"{path.stem}" for path in (ran.results.path / "overlays").iterdir()}
    assert shown == {name for name, cell in ran.cells().items() if cell.key.draw == 0}


def test_every_scoring_of_test_subjects_is_logged(ran):
    rows = ran.scorings()
    assert {row["cell"] for row in rows} == set(ran.cells())
    assert len(rows) == len(ran.cells())
    assert all(row["when"] and row["digest"] for row in rows)
    configurations = {row["configuration"] for row in rows if row["method"] == "decoder-only"}
    assert len(configurations) == 1


def test_a_finished_benchmark_has_nothing_to_do(ran):
    prepared = ran.prepare()
    assert prepared.to_do == []
    assert len(prepared.done) == len(prepared.cells) == 13


def test_a_changed_setting_is_a_new_cell_and_a_new_name_is_not(copied):
    methods = yaml.safe_load(copied.config.read_text())["methods"]
    methods[1]["name"] = "copied"
    methods[0]["settings"]["training"]["lr"] = 0.01
    copied.change(methods=methods)
    assert {cell.key.method for cell in copied.prepare().to_do} == {"decoder-only"}


def test_what_is_missing_is_computed_and_nothing_else(copied):
    gone = copied.file_of("copy", 2)
    gone.unlink()
    before = {path: path.stat().st_mtime_ns for path in copied.results.cells.iterdir()}
    seen = []
    again = copied.run(on_cell=lambda cell, made: seen.append(cell.name))
    assert again.computed == seen == [gone.stem]
    assert {path: path.stat().st_mtime_ns for path in before} == before
    digests = [row["digest"] for row in copied.scorings()]
    assert max(map(digests.count, digests)) == 2  # the log does not forget the first time


def test_a_stop_in_the_middle_keeps_what_is_finished(copied):
    class StopError(Exception):
        pass

    def stop(cell, made):
        raise StopError

    for k in (1, 2):
        copied.file_of("linear-probe", k).unlink()
    with pytest.raises(StopError):
        copied.run(on_cell=stop)
    assert [cell.key.k for cell in copied.prepare().to_do] == [2]


def test_a_cell_that_fails_is_recorded_and_tried_again(copied):
    copied.change(k=[1, 99], draws=[0])
    ran = copied.run()
    assert ran.computed == []
    assert len(ran.failed) == 3
    assert all("99 exemplars asked" in line for line in ran.failed.values())
    assert {copied.cells()[name].failure.code for name in ran.failed} == {"exemplars.too_few"}
    assert {cell.key.k for cell in copied.prepare().to_do} == {99}


def test_exemplars_that_changed_since_they_were_chosen_fail(copied):
    copied.file_of("copy", 2).unlink()
    (listing,) = (copied.results.path / "exemplars").glob("*--k2-*")
    digest = read_manifest(listing).exemplars[0].digest
    listing.write_text(listing.read_text().replace(digest, "f" * 64))
    (line,) = copied.run().failed.values()
    assert "[exemplars.changed]" in line


def test_on_the_pool_a_part_is_held_back_and_no_test_subject_is_scored(bench):
    trivial = {"method": "copy-nearest", "preset": "fast", "size": 32}
    bench.write(
        datasets=[{"path": "set"}],
        methods=[trivial],
        score="pool",
        draws=[0, 1],
        draws_at={1: 1},
        k=[1, "full"],
        strategy="diverse",
    )
    prepared = bench.prepare()
    sides = prepared.cells[0].place.sides
    assert all(len(side.scored) == 1 and len(side.pool) == 2 for side in sides.values())
    assert not set(sides[0].scored) & set(sides[1].scored)
    for cell in prepared.cells:  # those of the full set are computed elsewhere
        if cell.k == "full":
            prepared.done[cell.digest] = cell.name
    assert len(bench.run_prepared(prepared).computed) == 2
    for cell in bench.cells().values():
        assert {e.subject for e in cell.exemplars} <= set(sides[0].pool)
        assert set(cell.evaluation.per_subject) == set(sides[0].scored)
    assert bench.scorings() == []


def test_the_full_set_can_be_capped(bench):
    bench.write(k=["full"], full_slices=5, draws=[0, 1])
    cells = {cell.key.draw: cell for cell in bench.prepare().cells}
    choice = Choice(bench.prepare().bench, bench.results, QUIET)
    first, second = (read_manifest(choice.file_for(cells[draw])).picks for draw in (0, 1))
    assert len(first) == len(second) == 5
    assert first != second
    again = Choice(bench.prepare().bench, Results(bench.config.parent / "other"), QUIET)
    assert read_manifest(again.file_for(cells[0])).picks == first


def test_two_benches_do_not_share_a_folder_at_once(bench):
    with bench.results.held(), pytest.raises(ResourceError) as caught:
        bench.run()
    assert caught.value.code == "bench.busy"


def test_a_file_that_is_no_cell_is_named(bench):
    bench.results.area("cells").joinpath("x.json").write_text("{}")
    with pytest.raises(InputError) as caught:
        bench.prepare()
    assert caught.value.code == "bench.cell"
    assert caught.value.path.endswith("x.json")


def test_all_wrong_methods_are_named_at_once_and_nothing_is_written(bench):
    wrong = {"method": "decoder-only", "settings": {"training": {"lrr": 1}}}
    bench.write(methods=[{"method": "samedd"}, wrong])
    with pytest.raises(UsageError) as caught:
        bench.prepare()
    assert "samedd" in caught.value.problem
    assert "lrr" in caught.value.problem
    assert not bench.results.path.exists()


def test_a_method_that_its_weights_do_not_fit_is_named_before_the_first_cell(bench):
    bench.write(methods=[{"method": "decoder-only"}, {"method": "sam-unet"}])
    with pytest.raises(UsageError, match=r"sam-unet needs .*, and tiny is a TinyViT") as caught:
        bench.prepare()
    assert caught.value.code == "methods.plain_vit"
    assert not bench.results.cells.exists()
    bench.write(methods=[{"method": "decoder-only"}, {"method": "sam-unet", "weights": VIT}])
    assert {cell.method for cell in bench.prepare().cells} >= {"decoder-only", "sam-unet"}


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"datasets": [{"path": "$NOT_SET_ANYWHERE/a", "split": "s"}]}, "bench.variable"),
        ({"datasets": [{"path": "set"}], "score": "pool", "folds": 9}, "bench.folds"),
        ({"datasets": [{"path": "set", "split": "splits.json"}] * 2}, "bench.config"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_computed(bench, values, code):
    bench.write(**values)
    with pytest.raises((UsageError, InputError)) as caught:
        bench.prepare()
    assert caught.value.code == code


def test_a_configuration_that_is_no_table_is_refused(bench):
    bench.config.write_text("- a\n")
    with pytest.raises(InputError) as caught:
        bench.prepare()
    assert caught.value.code == "bench.shape"


def test_the_estimate_is_what_cells_of_the_kind_took(ran):
    prepared, cells = ran.prepare(), list(ran.cells().values())
    one = next(c for c in prepared.cells if (c.key.method, c.key.k) == ("decoder-only", 1))
    alike = [c.cost.total for c in cells if c.key.method == "decoder-only" and c.key.k != "full"]
    assert Estimate(cells, "cpu").seconds(one) == pytest.approx(sum(alike) / len(alike))
    assert Estimate([], "cpu").seconds(one) > 6


def test_one_draw_is_whole_before_the_next_begins_and_one_k_on_all_sets(bench):
    first = {"path": "set", "name": "balls", "split": "splits.json"}
    sets = [{**first, "k": [2]}, {**first, "name": "others"}]
    bench.write(k=[1, "full"], draws=[4, 2], draws_at={"full": 1}, full_slices=9, datasets=sets)
    keys = [cell.key for cell in bench.prepare().cells]
    places = list(dict.fromkeys((key.draw, key.dataset, key.k) for key in keys))
    assert places == [
        *((4, "balls", 2), (4, "others", 1), (4, "others", "full")),
        *((2, "balls", 2), (2, "others", 1)),
    ]
    assert len(keys) == len(set(keys)) == 3 * len(places)


def test_the_plan_names_every_cell(ran):
    (path,) = (ran.results.path / "plans").iterdir()
    assert path.name == "bench.json"
    assert set(json.loads(path.read_text())["cells"]) == set(ran.cells())


def test_a_method_that_cannot_be_attached_fails_in_its_cells_alone(bench, monkeypatch):
    folder = bench.config.parent / "methods"
    folder.mkdir()
    (folder / "needy.py").write_text(NEEDY)
    monkeypatch.setenv(FOLDERS_VARIABLE, str(folder))
    shared = {"preset": "fast", "size": 32}
    names = ("needy", "copy-nearest", "linear-probe")
    bench.write(methods=[{"method": name, **shared} for name in names], k=[1])
    ran = bench.run()
    assert len(ran.computed) == 2
    assert list(ran.failed.values()) == ["nothing to attach to. Install it. [methods.extra]"]


def test_what_the_number_of_exemplars_decides_is_in_the_settings_of_a_cell(bench):
    """Where `full` has no limit nobody knows how many there are: the fit decides."""
    row = {"method": "samplar", "preset": "fast", "size": 32}
    for limit, last in ((7, 0.5), (2, 0.4), (None, None)):
        bench.write(methods=[row], k=[1, 2, "full"], full_slices=limit, score="pool", folds=2)
        found = {
            cell.k: cell.config.method_config["unet_share"]
            for cell in bench.prepare().cells
            if cell.method == "samplar"
        }
        assert found == {1: 0.25, 2: 0.4, "full": last}


def test_settings_of_the_benchmark_are_under_those_of_every_row(bench):
    shared = {"training": {"iterations": 7, "batch": 3}}
    own = {"method": "decoder-only", "settings": {"training": {"batch": 2}}}
    bench.write(methods=[own, {"method": "samed-s"}], settings=shared, k=[1])
    found = {
        cell.method: (cell.config.training.iterations, cell.config.training.batch)
        for cell in bench.prepare().cells
    }
    assert (found["decoder-only"], found["samed-s"]) == ((7, 2), (7, 3))
    assert found["copy-nearest"] == (7, 3)
