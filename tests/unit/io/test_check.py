from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from samplar.io.check import check_dataset


def codes(report, severity):
    return [finding.code for finding in report.findings if finding.severity == severity]


def finding(report, code):
    (one,) = [f for f in report.findings if f.code == code]
    return one


def test_a_sound_data_set_is_described(flat):
    report = check_dataset(flat.root)
    assert report.ok
    assert (report.name, report.layout) == ("liver set", "images and labels folders")
    assert (report.cases, report.labelled, report.subjects) == (3, 3, 2)
    assert (report.slices, report.exemplars) == (3, 3)
    assert [tuple(c.model_dump().values()) for c in report.labels] == [
        ("class 1", 1, 6, 3, 3, 2),
        ("class 3", 3, 2, 1, 1, 1),
    ]
    assert report.geometry.shapes == {"4 x 6 x 1": 3}
    assert report.geometry.units == {"px": 3}
    assert report.intensity.rule == "range:0:255"
    assert report.intensity.dtypes == {"uint8": 3}
    assert report.intensity.maximum < 200
    assert codes(report, "warning") == ["labels.one_subject"]
    assert "class 3" in finding(report, "labels.one_subject").problem
    assert "3 exemplars from 2 subjects" in finding(report, "exemplars.possible").problem


def test_a_class_of_several_values_is_counted_as_one(flat):
    flat.json("label_names.json", {"liver": [3, 1]})
    report = check_dataset(flat.root)
    assert report.ok
    assert [tuple(c.model_dump().values()) for c in report.labels] == [("liver", 3, 8, 3, 3, 2)]
    flat.json("label_names.json", {"background": [0, 3], "liver": 1})
    report = check_dataset(flat.root)
    assert [tuple(c.model_dump().values()) for c in report.labels] == [("liver", 1, 6, 3, 3, 2)]


def test_the_report_is_plain_data(flat):
    document = check_dataset(flat.root).model_dump(mode="json")
    assert {"ok", "findings", "cases", "labels", "subjects"} <= set(document)
    assert set(document["findings"][0]) == {"severity", "file", "code", "problem", "fix"}


def test_volumes_with_sequences_and_ignored_voxels(nnunet):
    report = check_dataset(nnunet.root)
    assert report.ok
    assert report.channels == ("T1", "T2")
    assert [(c.name, c.voxels, c.slices) for c in report.labels] == [
        ("core", 2, 2),
        ("oedema", 4, 2),
    ]
    assert (report.slices, report.exemplars) == (12, 2)
    assert report.geometry.plane == "axial"
    assert report.geometry.spacings == {"1 x 1 x 3 mm": 2}
    assert report.intensity.rule == "percentile:0.5:99.5"
    assert "10 of 12" in finding(report, "labels.empty_slices").problem


def test_only_listed_slices_count_and_drawings_outside_are_reported(nnunet):
    nnunet.text("labelled_slices.yaml", "p1: [1, 2]\np2: [0]\n")
    report = check_dataset(nnunet.root)
    assert (report.slices, report.exemplars) == (3, 1)
    assert finding(report, "labelled_slices.unlisted_foreground").problem == (
        "1 slices with foreground are not listed: p1"
    )


def test_every_bad_file_is_its_own_error_and_none_is_fatal(flat):
    flat.text("images/a_1.png", "not a picture")
    flat.text("labels/a_2.png", "not a picture")
    flat.png("labels/b_1.png", np.full((6, 4), 3))
    flat.png("labels/zz.png", np.ones((4, 6)))
    report = check_dataset(flat.root)
    assert not report.ok
    errors = [f for f in report.findings if f.severity == "error"]
    assert errors == list(report.findings[: len(errors)])
    assert [(f.code, f.file and Path(f.file).name) for f in errors] == [
        ("dataset.label_without_image", "labels"),
        ("io.format", "a_1.png"),
        ("io.format", "a_2.png"),
        ("io.grid", "b_1.png"),
    ]
    assert report.cases == 3


def test_folder_that_is_no_data_set_is_one_error(tmp_path):
    report = check_dataset(tmp_path / "absent")
    assert (report.ok, report.layout, report.name) == (False, None, "absent")
    assert codes(report, "error") == ["dataset.missing"]


def test_undeclared_and_absent_classes(flat):
    flat.json("label_names.json", {"liver": 1, "spleen": 2})
    report = check_dataset(flat.root)
    error = finding(report, "labels.undeclared")
    assert (Path(error.file).name, "3 (2 voxels)" in error.problem) == ("b_1.png", True)
    assert finding(report, "labels.absent").problem == "1 declared classes appear nowhere: spleen"


def test_masks_without_foreground_and_grey_masks_are_errors(flat):
    for name in ("a_1", "a_2", "b_1"):
        flat.png(f"labels/{name}.png", np.zeros((4, 6)))
    assert codes(check_dataset(flat.root), "error") == ["labels.none"]
    flat.json("label_names.json", {"liver": 1})
    assert codes(check_dataset(flat.root), "error") == ["exemplars.none"]
    flat.png("images/a_1.png", np.zeros((10, 10)))
    flat.png("labels/a_1.png", np.arange(100).reshape(10, 10))
    assert "labels.undeclared" in codes(check_dataset(flat.root), "error")


def test_copies_constant_images_and_missing_labels(flat):
    copy = (flat.root / "images/a_1.png").read_bytes()
    (flat.root / "images/b_1.png").write_bytes(copy)
    flat.png("images/a_2.png", np.full((4, 6), 9))
    (flat.root / "labels/a_2.png").unlink()
    report = check_dataset(flat.root)
    assert finding(report, "images.duplicate").problem == (
        "2 images are the same: a_1 = b_1, under 2 subjects"
    )
    assert finding(report, "images.constant").problem.endswith("only: a_2")
    assert finding(report, "dataset.image_without_label").problem.startswith("1 of 3 images")
    assert report.ok


def split(flat, **entry):
    return flat.json("../splits.json", {"liver set": entry})


def test_split_problems_are_findings(flat):
    report = check_dataset(flat.root, split(flat, pool=["ann"], test=["ann"]))
    assert codes(report, "error") == ["split.overlap"]
    report = check_dataset(flat.root, split(flat, pool=["ann"], test=["bob"]))
    assert report.ok
    (flat.root / "images/b_1.png").write_bytes((flat.root / "images/a_1.png").read_bytes())
    report = check_dataset(flat.root, split(flat, pool=["ann"], test=["bob"]))
    assert finding(report, "split.shared_image").problem.endswith("pool and test: a_1 = b_1")
    assert not report.ok


def test_subjects_left_out_of_the_split_are_noted(flat):
    flat.text("index.csv", "file,subject\na_1,ann\na_2,cem\nb_1,bob\n")
    report = check_dataset(flat.root, split(flat, pool=["ann"], test=["bob"]))
    assert "1 of 3 subjects are on neither side: cem" in finding(report, "split.unused").problem


@pytest.mark.parametrize(
    ("table", "code"),
    [
        (None, "subjects.by_file"),
        ("file,subject_unknown\na_1,\n", "subjects.unknown"),
        ("file,subject\na_1,x\na_2,x\nb_1,x\n", "subjects.single"),
    ],
)
def test_what_is_known_about_subjects(flat, table, code):
    (flat.root / "index.csv").unlink()
    if table:
        flat.text("index.csv", table)
    assert finding(check_dataset(flat.root), code)


def test_a_table_that_names_a_subject_for_each_image_is_believed(flat):
    flat.text("index.csv", "file,subject\na_1,a_1\na_2,a_2\nb_1,b_1\n")
    report = check_dataset(flat.root)
    assert report.subjects == 3
    assert not [f for f in report.findings if f.code.startswith("subjects.")]


def test_without_one_readable_image_there_is_still_a_report(flat):
    for name in ("a_1", "a_2", "b_1"):
        flat.text(f"images/{name}.png", "not a picture")
    report = check_dataset(flat.root)
    assert (report.geometry, report.intensity, report.cases) == (None, None, 3)
    assert codes(report, "error").count("io.format") == 3


def test_classes_numbered_by_case(files):
    for case, value in (("ct", 5), ("mr", 9)):
        files.png(f"images/{case}.png", np.arange(12).reshape(3, 4) + value)
        files.png(f"labels/{case}.png", np.eye(3, 4) * value)
    files.json("label_names.json", {"ct": {"5": "liver"}, "mr": {"9": "liver"}})
    report = check_dataset(files.root)
    assert report.ok
    assert [(c.name, c.value, c.voxels, c.subjects) for c in report.labels] == [("liver", 1, 6, 2)]
    assert finding(report, "labels.joined_by_name").severity == "warning"


def volume(files, name, *, spacing=(1, 1, 3), shape=(6, 6, 4), low=0):
    image = np.random.default_rng(len(name)).integers(low, 900, shape).astype(np.int16)
    image.flat[0] = low
    files.nifti(f"images/{name}.nii.gz", image, spacing)
    files.nifti(f"labels/{name}.nii.gz", np.ones(shape, dtype=np.uint8), spacing)


def test_unusual_geometry_and_kinds_of_image_are_reported(files):
    for name in ("a", "bb", "ccc"):
        volume(files, name)
    volume(files, "dddd", spacing=(1, 1, 30))
    volume(files, "eeeee", shape=(6, 6, 40), low=-1000)
    report = check_dataset(files.root)
    assert "dddd (1 x 1 x 30)" in finding(report, "geometry.spacing_outlier").problem
    assert "eeeee (6 x 6 x 40)" in finding(report, "geometry.shape_outlier").problem
    assert "2 different shapes" in finding(report, "geometry.shapes").problem
    assert "suits 1" in finding(report, "intensity.mixed").problem
    assert report.intensity.minimum == -1000


def test_volumes_of_unknown_spacing_and_mixed_orientation(files):
    volume(files, "a")
    volume(files, "b", spacing=(-1, 1, 3))
    cube = np.zeros((2, 3, 4), dtype=np.uint8)
    cube[0, 0, 0] = 1
    report = check_dataset(files.root)
    assert finding(report, "geometry.orientations").problem.startswith("2 different orientations")
    files.npz("archives/a.npz", imgs=cube, gts=cube)
    report = check_dataset(files.root / "archives")
    assert "1 of 1 volumes" in finding(report, "geometry.spacing_unknown").problem


def test_channels_that_differ_or_must_be_chosen(files):
    files.png("images/a.png", np.zeros((3, 4)))
    files.png("images/b.png", np.arange(36).reshape(3, 4, 3))
    for name in ("a", "b"):
        files.png(f"labels/{name}.png", np.eye(3, 4))
    assert finding(check_dataset(files.root), "images.channels_differ").severity == "note"
    for number in range(4):
        cube = np.arange(24).reshape(2, 3, 4).astype(np.int16) * (number + 1)
        files.nifti(f"four/images/p_000{number}.nii.gz", cube)
    files.nifti("four/labels/p.nii.gz", (cube > 50).astype(np.uint8))
    problem = finding(check_dataset(files.root / "four"), "channels.too_many").problem
    assert problem == "1 images have 4 channels and SAM takes 3"


def test_rounded_labels_are_noted(files):
    files.nifti("images/a.nii.gz", np.arange(24).reshape(2, 3, 4).astype(np.int16))
    files.nifti("labels/a.nii.gz", np.full((2, 3, 4), 0.99998, dtype=np.float32))
    assert "rounded" in finding(check_dataset(files.root), "file.note").problem


def test_sixty_small_volumes_take_less_than_two_seconds_without_torch(files):
    for i in range(60):
        name = "n" * (i + 1)
        volume(files, name, shape=(35, 50, 36))
    code = (
        "import sys; from pathlib import Path; from samplar.io.check import check_dataset;"
        "report = check_dataset(Path(sys.argv[1]));"
        "sys.exit(0 if report.ok and report.cases == 60 and 'torch' not in sys.modules else 1)"
    )
    done = subprocess.run([sys.executable, "-c", code, files.root], check=False)
    assert done.returncode == 0
    start = time.process_time()
    check_dataset(files.root)
    assert time.process_time() - start < 4  # reading included; twice the promise, for busy machines


REAL = os.environ.get("SAMPLAR_DATA")


@pytest.mark.skipif(not REAL, reason="SAMPLAR_DATA does not name the real data sets")
@pytest.mark.parametrize(
    ("name", "cases", "subjects", "slices_per_class"),
    [
        ("acdc_cardiac_mr", 25, 25, None),
        ("busi_breast_us", 30, 30, [21, 9]),
        ("chase_db1_retina", 28, 14, [28]),
        ("curvas_abdomen_ct", 108, 14, [46, 66, 95]),
        ("lgg_flair_slices", 216, 36, [180]),
        ("msd_hippocampus_mr", 60, 60, [861, 1233]),
        ("openkbp_headneck_ct", 18, 18, None),
        ("utsw_glioma_t2_slices", 33, 25, [33, 31, 25]),
    ],
)
def test_real_data_sets_hold_what_their_page_says(name, cases, subjects, slices_per_class):
    root = Path(REAL)
    report = check_dataset(root / name, root / "splits.json")
    assert report.ok
    assert (report.cases, report.subjects) == (cases, subjects)
    if slices_per_class:
        assert [entry.slices for entry in report.labels] == slices_per_class
