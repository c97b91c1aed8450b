"""The parts of a check on made-up facts: where each finding begins, and what it says."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import pytest

from samplar.io.affine import Affine
from samplar.io.case import Case
from samplar.io.check import check_dataset
from samplar.io.checks import facts as facts_module
from samplar.io.checks.classes import Tally, class_areas, class_findings, undeclared_values
from samplar.io.checks.facts import CaseFacts, ImageFacts, LabelFacts, measure_case
from samplar.io.checks.geometry import geometry_findings, geometry_report, slicing_axis
from samplar.io.checks.images import image_findings, intensity_report
from samplar.io.checks.people import split_findings, subject_findings
from samplar.io.intensity import IntensityRule
from samplar.io.labels import LabelSet
from samplar.io.survey import Survey

ROOT = Path("set")
LABELS = LabelSet(("liver", "tumour"), (1, 4))


def image(**changes) -> ImageFacts:
    values = {
        "shape": (4, 5, 6),
        "affine": Affine(np.diag([1.0, 1, 3, 1])),
        "unit": "mm",
        "is_raster": False,
        "channels": 1,
        "needs_choice": False,
        "dtype": "int16",
        "grey": (0.0, 1.0, 50.0, 99.0, 100.0),
        "rule": IntensityRule(),
        "raised": False,
        "digest": str(changes),
    }
    return ImageFacts(**{**values, **changes})


def plain(**changes) -> ImageFacts:
    pixels = {"affine": Affine.pixels(), "unit": "px", "is_raster": True, "shape": (4, 5, 1)}
    return image(**{**pixels, **changes})


def case(name: str, made: ImageFacts | None = None, **changes) -> CaseFacts:
    values = {"subject": name, "label": Path(f"{name}.nii"), **changes}
    return CaseFacts(Case(name, images=(Path(f"{name}.png"),), **values), made)


def cases(*images: ImageFacts) -> list[CaseFacts]:
    return [case(f"c{number}", made) for number, made in enumerate(images)]


def told(findings) -> dict[str, str]:
    return {finding.code: finding.problem for finding in findings}


def scaled(size: float) -> ImageFacts:
    return image(affine=Affine(np.diag([size, size, size, 1])))


@pytest.mark.parametrize(("size", "far"), [(6.0, 0), (6.1, 1), (0.67, 0), (0.66, 1)])
def test_a_voxel_stands_out_from_three_times_the_median(size, far):
    found = told(geometry_findings(cases(scaled(2), scaled(2), scaled(size))))
    assert len(found) == far
    if far:
        assert found["geometry.spacing_outlier"] == (
            "1 cases have an unusual voxel size (the median is 2 x 2 x 2):"
            f" c2 ({size} x {size} x {size})"
        )


def test_two_cases_have_no_outlier():
    assert geometry_findings(cases(scaled(2), scaled(20))) == []


def test_axes_are_compared_by_their_size_and_not_their_order():
    turned = image(affine=Affine(np.diag([6.0, 1, 1, 1])), shape=(60, 4, 5))
    usual = image(affine=Affine(np.diag([1.0, 1, 6, 1])), shape=(4, 5, 60))
    found = told(geometry_findings(cases(usual, usual, turned)))
    assert set(found) == {"geometry.shapes"}
    assert (
        found["geometry.shapes"] == "2 different shapes, most often 4 x 5 x 60 (2), 60 x 4 x 5 (1)"
    )


def test_the_three_most_frequent_shapes_are_named():
    images = [image(shape=(4, 5, size)) for size in (6, 7, 8, 9, 9)]
    found = told(geometry_findings(cases(*images)))
    assert found["geometry.shapes"] == (
        "4 different shapes, most often 4 x 5 x 9 (2), 4 x 5 x 6 (1), 4 x 5 x 7 (1) and 1 more"
    )


def test_plain_images_and_volumes_without_a_voxel_size_are_counted_apart():
    unknown = image(unit="px")
    found = told(geometry_findings(cases(plain(), plain(), unknown, image())))
    assert found["geometry.spacing_unknown"] == "1 of 2 volumes do not say their voxel size"
    assert found["geometry.no_spacing"] == "2 plain images have no pixel size"
    assert "geometry.no_spacing" not in told(geometry_findings(cases(unknown)))


def test_sizes_of_plain_images_and_unknown_spacings_are_no_outliers():
    wide = [plain(shape=(4, 500, 1)), plain(), plain()]
    coarse = [image(unit="px", affine=Affine(np.diag([9.0, 1, 1, 1])))] + [image(unit="px")] * 2
    for images in (wide, coarse):
        codes = told(geometry_findings(cases(*images)))
        assert not [code for code in codes if code.endswith("outlier")]


def test_grids_are_counted_and_written_short():
    odd = image(affine=Affine(np.diag([-0.12345, 1, 3, 1])))
    report = geometry_report([image(), odd, odd], "coronal")
    assert report.spacings == {"0.123 x 1 x 3 mm": 2, "1 x 1 x 3 mm": 1}
    assert list(report.orientations.items()) == [("LAS", 2), ("RAS", 1)]
    assert (report.shapes, report.units) == ({"4 x 5 x 6": 3}, {"mm": 3})
    assert report.plane == "coronal"


def test_slices_run_along_the_axis_through_the_plane():
    turned = np.eye(4)[:, [2, 0, 1, 3]]  # voxel axes run up, right, front
    volume = image(affine=Affine(turned))
    planes = ("axial", "coronal", "sagittal")
    assert [slicing_axis(volume, plane) for plane in planes] == [0, 2, 1]
    assert [slicing_axis(plain(), plane) for plane in planes] == [2, 2, 2]


def test_grey_values_over_a_data_set():
    greys = [
        (-5.0, 1.0, 10.0, 20.0, 30.0),
        (0.0, 3.0, 20.0, 40.0, 90.0),
        (2.0, 4.0, 30.0, 50.0, 60.0),
    ]
    report = intensity_report([image(grey=grey) for grey in greys])
    assert report is not None
    found = (report.minimum, report.percentile_1, report.median, report.percentile_99)
    assert found == (-5, 3, 20, 40)
    assert report.maximum == 90
    assert report.dtypes == {"int16": 3}
    assert intensity_report([]) is None


def test_images_of_one_grey_value():
    flat, nearly = (
        image(grey=(7.0,) * 5),
        [image(grey=(0.0, *(7.0,) * 4)), image(grey=(*(7.0,) * 4, 9.0))],
    )
    found = told(image_findings(cases(flat, *nearly)))
    assert found == {"images.constant": "1 images have one grey value only: c0"}


@pytest.mark.parametrize(
    ("images", "severity"),
    [
        ([plain(), plain(channels=3)], "note"),
        ([image(), image(channels=3)], "warning"),
        ([plain(channels=2), plain(channels=3)], "warning"),
        ([image(), plain(channels=3)], "warning"),
    ],
)
def test_grey_and_colour_pictures_may_stand_together(images, severity):
    (found,) = image_findings(cases(*images))
    assert (found.code, found.severity) == ("images.channels_differ", severity)


def test_numbers_of_channels_are_counted():
    found = told(
        image_findings(cases(image(channels=5, needs_choice=True), image(), image(dtype="x")))
    )
    assert found["images.channels_differ"].endswith("channels: 1 (2 images), 5 (1 images)")
    assert found["channels.too_many"] == "1 images have 5 channels and SAM takes 3"


def test_kinds_of_image_are_counted():
    window = IntensityRule(kind="window", low=-100, high=300)
    found = told(image_findings(cases(image(), image(rule=window), image(dtype="x"))))
    assert "percentile:0.5:99.5 suits 2, window:-100:300 suits 1" in found["intensity.mixed"]


def test_ct_that_is_raised_is_told_if_most_images_are():
    raised = image(raised=True)
    (found,) = image_findings(cases(raised, image(raised=True, dtype="x"), image()))
    assert (found.severity, found.code) == ("warning", "intensity.raised")
    assert found.problem.startswith("2 of 3 images look like CT")
    assert found.fix == "Set --intensity window:864:1264"
    assert image_findings(cases(raised, image())) == []


def test_copies_of_one_subject_are_told_without_counting_subjects():
    copies = [case(name, image(digest="same"), subject="ann") for name in ("a", "b", "c")]
    (found,) = image_findings(copies)
    assert found.problem == "3 images are the same: a = b = c"
    assert found.file == "a.png"


def test_images_without_a_label_are_counted():
    bare = case("a", image(), label=None)
    found = told(image_findings([bare, case("b", image(dtype="x"))]))
    assert found == {"dataset.image_without_label": "1 of 2 images have no label: a"}


def labelled(name: str, areas, **changes) -> CaseFacts:
    """Return a case with the values 0, 1 and 4, given their pixels in each axial slice."""
    table = np.array(areas)
    made = case(name, image(), **changes)
    counts = dict(zip((0, 1, 4), table.sum(axis=0).tolist(), strict=True))
    made.label = LabelFacts(counts, (np.zeros((4, 3), int), np.zeros((5, 3), int), table))
    return made


def tally(*made: CaseFacts) -> Tally:
    found = Tally.empty(LABELS)
    for one in made:
        found.add(one, "axial")
    return found


def test_classes_are_counted_by_voxels_slices_cases_and_subjects():
    found = tally(
        labelled("a", [[9, 1, 0], [8, 2, 0], [10, 0, 0]], subject="ann"),
        labelled("b", [[5, 5, 0]], subject="ann"),
        labelled("c", [[5, 0, 5]]),
    )
    assert [tuple(entry.model_dump().values()) for entry in found.report()] == [
        ("liver", 1, 8, 3, 2, 1),
        ("tumour", 4, 5, 1, 1, 1),
    ]
    assert (found.labelled_slices, found.foreground_slices) == (5, 4)


def test_listed_slices_beyond_the_last_are_not_counted():
    rows = [[9, 1, 0], [9, 1, 0], [10, 0, 0]]
    found = tally(labelled("a", rows, listed=(0, 3)))
    assert (found.labelled_slices, found.foreground_slices) == (1, 1)
    assert found.outside == {"a": 1}
    assert (
        "1 slices with foreground are not listed: a"
        in told(class_findings(found, [], ROOT))["labelled_slices.unlisted_foreground"]
    )


def test_slices_outside_the_list_without_foreground_are_no_finding():
    found = tally(labelled("a", [[9, 1, 0], [10, 0, 0]], listed=(0,)))
    assert found.outside == {"a": 0}
    assert "labelled_slices.unlisted_foreground" not in told(class_findings(found, [], ROOT))


def test_what_is_not_known_is_not_counted():
    nothing = labelled("a", [[9, 1, 0]])
    for missing in ("image", "label"):
        made = labelled("a", [[9, 1, 0]])
        setattr(made, missing, None)
        assert class_areas(made, LABELS, "axial") is None
        assert tally(made).labelled_slices == 0
    nothing.label = LabelFacts({0: 1}, None)
    assert class_areas(nothing, LABELS, "axial") is None


def test_a_class_in_one_of_several_subjects_is_told_and_in_the_only_one_is_not():
    one, other = labelled("a", [[5, 5, 0]]), labelled("b", [[4, 5, 1]])
    rare = told(class_findings(tally(one, other), [one, other], ROOT))
    assert rare["labels.one_subject"] == "1 classes appear in one subject only: tumour"
    alone = told(class_findings(tally(one), [one], ROOT))
    assert "labels.one_subject" not in alone
    assert alone["labels.absent"] == "1 declared classes appear nowhere: tumour"
    assert alone["exemplars.possible"] == "up to 1 exemplars from 1 subjects"


def test_without_foreground_there_is_no_exemplar():
    empty = labelled("a", [[5, 0, 0], [6, 0, 0]])
    found = class_findings(tally(empty), [empty], ROOT)
    assert told(found)["exemplars.none"] == "none of 2 labelled slices has foreground"
    assert found[-1].severity == "error"


def test_own_numbers_of_a_case_are_counted_under_the_joined_names():
    own = LabelSet(("tumour", "liver"), (1, 4), ignore=0)
    made = labelled("a", [[9, 1, 3]], own_labels=own)
    assert class_areas(made, LABELS, "axial").tolist() == [[3, 1]]
    renumbered = told(class_findings(tally(made), [made], ROOT))
    assert "number their 2 classes differently" in renumbered["labels.joined_by_name"]
    same = labelled("b", [[9, 1, 3]], own_labels=LABELS)
    assert "labels.joined_by_name" not in told(class_findings(tally(same), [same], ROOT))


def test_values_nobody_declared_are_told_by_file():
    made = labelled("a", [[9, 1, 3]])
    (found,) = undeclared_values([made, case("bare")], LabelSet(("liver",), (1,)))
    assert (found.code, found.file) == ("labels.undeclared", "a.nii")
    assert undeclared_values([made], LABELS) == []


def survey(*names: str, root: Path = ROOT, subject: str | None = None) -> Survey:
    made = tuple(Case(name, subject or name, (Path(name),), None) for name in names)
    return Survey(root, "flat", made, (), None, ())


@pytest.mark.parametrize(
    ("found", "code", "says"),
    [
        (survey("a", "b", subject="x"), "subjects.single", "1 subject in 2 cases"),
        (survey("a"), "subjects.by_file", "each of the 1 cases"),
        (survey("a", "b"), "subjects.by_file", "each of the 2 cases"),
    ],
)
def test_one_subject_is_told_from_two_cases_on(found, code, says):
    (finding,) = subject_findings(found)
    assert finding.code == code
    assert says in finding.problem


def test_images_on_both_sides_and_subjects_on_neither(tmp_path):
    path = tmp_path / "splits.json"
    path.write_text('{"set": {"pool": ["a", "b"], "test": ["c", "d"]}}')
    digests = {"a": "1", "b": "2", "c": "1", "d": "3", "e": "3"}
    known = [case(name, image(digest=digest)) for name, digest in digests.items()]
    found = split_findings(survey(*digests, root=tmp_path / "set"), [*known, case("x")], path)
    assert told(found) == {
        "split.shared_image": "1 images are in both pool and test: a = c",
        "split.unused": "1 of 5 subjects are on neither side: e",
    }
    assert [finding.severity for finding in found] == ["error", "note"]
    assert {finding.file for finding in found} == {str(path)}


@pytest.mark.parametrize(
    ("channels", "constant", "choice"),
    [(1, True, False), (3, False, False), (4, True, False), (4, False, True), (5, True, True)],
)
def test_more_than_three_channels_and_no_alpha_need_a_choice(files, channels, constant, choice):
    array = np.random.default_rng(0).integers(0, 90, (channels, 3, 4, 5)).astype(np.int16)
    array[-1] = 7 if constant else array[-1]
    paths = [files.nifti(f"p_{n}.nii.gz", channel) for n, channel in enumerate(array)]
    found = measure_case(Case("p", "p", tuple(paths), None)).image
    assert found is not None
    assert (found.channels, found.needs_choice) == (channels, choice)


@pytest.mark.parametrize("sampled", [1 << 20, 500])
def test_percentiles_are_of_the_voxels_or_of_every_nth(files, monkeypatch, sampled):
    monkeypatch.setattr(facts_module, "_SAMPLED_VOXELS", sampled)
    array = np.random.default_rng(0).permutation(1000).astype(np.int16).reshape(10, 10, 10)
    path = files.nifti("a.nii.gz", array)
    found = measure_case(Case("a", "a", (path,), None)).image
    assert found is not None
    part = array.reshape(-1)[:: 1000 // min(sampled, 1000)]
    assert found.grey == (0, *np.percentile(part, [1, 50, 99]), 999)


@pytest.mark.parametrize(("values", "classes"), [(65, True), (66, False)])
def test_more_than_64_values_besides_0_are_not_counted_slice_by_slice(files, values, classes):
    array = np.zeros((values, 2, 3), dtype=np.uint8)
    array[:, 0, 0] = np.arange(values) * 3
    path = files.nifti("a.nii.gz", array)
    label = measure_case(Case("a", "a", (path,), path)).label
    assert label is not None
    assert len(label.counts) == values
    assert (label.areas is not None) == classes
    if label.areas:
        assert [area.shape for area in label.areas] == [(n, values) for n in array.shape]
        assert (label.areas[0][1:, 1:] == np.eye(values - 1)).all()


def test_the_worst_comes_first_and_nothing_is_counted_without_classes(flat):
    for name in ("a_1", "a_2", "b_1"):
        flat.png(f"labels/{name}.png", np.zeros((4, 6)))
    flat.png("images/b_1.png", np.full((4, 6), 9))
    (flat.root / "index.csv").unlink()
    report = check_dataset(flat.root)
    assert [finding.severity for finding in report.findings] == [
        "error",
        "warning",
        "note",
        "note",
    ]
    assert (report.slices, report.exemplars, report.labels) == (0, 0, ())


def test_facts_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        image().unit = "px"
    with pytest.raises(FrozenInstanceError):
        LabelFacts({0: 1}, None).areas = ()


def test_facts_of_two_images_are_never_taken_for_equal():
    """They hold arrays, which cannot be compared by a yes or no."""
    assert len({image(), image()}) == 2
    assert len({LabelFacts({}, None), LabelFacts({}, None)}) == 2
