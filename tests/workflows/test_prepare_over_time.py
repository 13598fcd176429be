"""`hilum prepare over-time`: whole or absent, in the wanted shares, nobody's shapes where they don't belong."""

import json
import pickle
import shutil
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from hilum.cli.app import main
from hilum.core import ChangeKind, InputError, OutputError
from hilum.datasets.insertion import Gain, NoduleBank
from hilum.datasets.nodule_bank import reads_by_patient
from hilum.datasets.odd import UPSIDE_DOWN
from hilum.datasets.over_time_config import OverTimeConfig
from hilum.datasets.over_time_survey import survey
from hilum.datasets.prepared import read_prepared
from hilum.datasets.stored_changes import stored_changes
from hilum.io import read_mask, read_radiograph
from hilum.workflows import over_time_case
from hilum.workflows import prepare_over_time as workflow
from hilum.workflows.over_time_sheet import write_sheet
from hilum.workflows.prepare import prepare_drr_pairs
from hilum.workflows.prepare_over_time import OverTimeOptions, prepare_over_time
from tests.pairs import publish

PATIENTS = ("LIDC-IDRI-0003", "LIDC-IDRI-0009", "LIDC-IDRI-0011", "LIDC-IDRI-0021", "LIDC-IDRI-0072")


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("over-time")
    publish(folder / "published", PATIENTS)
    prepare_drr_pairs(folder / "published", folder / "pairs")
    return folder / "pairs"


class _Still:
    """A stand-in for registration: the earlier picture lies where it was taken."""

    converged, notes = True, ()
    misfit = SimpleNamespace(figures=lambda: {"correlation": 1.0})

    def moved(self, picture, **_):
        return picture

    def places_px(self, points_px):
        return points_px


@pytest.fixture(scope="module")
def reads():
    """Read once: it is all of LIDC."""
    return reads_by_patient()


@pytest.fixture(scope="module", autouse=True)
def quick(pairs, reads):
    """Few patients are too few to fit a gain, and registration and the sheet are tested elsewhere."""

    def bank(dataset, *_, **__):
        data = read_prepared(dataset)
        found = [survey(one, reads[one.patient], 2.0) for one in data.cases("union")]
        shapes = [shape for one in found if one.case.patient in data.splits["train"] for shape in one.shapes]
        return NoduleBank(shapes, 0.7, Gain(0.02, -0.02, 0.06, 0.4, 99), np.ones((4, 4)) / 16)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(over_time_case, "register_xray", lambda *_: _Still())
        patch.setattr(workflow, "reads_by_patient", lambda: reads)
        patch.setattr(workflow, "build_bank", bank)
        patch.setattr(workflow, "write_sheet", lambda *_: None)
        yield


@pytest.fixture(scope="module")
def whole(pairs, quick, tmp_path_factory):
    """A finished run."""
    out = tmp_path_factory.mktemp("whole") / "out"
    assert prepare_over_time(pairs, out, options()).failures == ()
    return out


def options(**changes):
    return OverTimeOptions(**{"variants": 2, **changes})


def tree(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def copied(whole):
    """A stand-in for making a case: what the finished run made of the same job."""
    records = {one["key"]: one for one in read_prepared(whole).records}

    def case(job, out):
        shutil.copytree(whole / "cases" / job.key, out / "cases" / job.key, dirs_exist_ok=True)
        return [records[job.key]]

    return case


def test_every_case_is_as_its_index_and_its_changes_say(whole):
    data = read_prepared(whole)
    assert (data.kind, data.truth_name()) == ("xray-over-time", "union")
    for case in data.cases("union"):
        changes = stored_changes(case.changes)
        assert np.array_equal(read_mask(case.truth).labels > 0, changes.labels > 0)
        assert np.array_equal(read_mask(case.prior).labels > 0, changes.prior_labels > 0)
        assert read_radiograph(case.prior_image).array.shape == changes.labels.shape
        for lesion in changes.lesions:
            assert changes.now(lesion).any() == lesion.kind.is_present
            assert np.isnan(lesion.size_mm) != lesion.kind.is_present
            assert np.isnan(lesion.prior_size_mm) != lesion.kind.was_known
            assert lesion.can_change or (lesion.kind is ChangeKind.UNCHANGED and not lesion.is_synthetic)
            if lesion.kind is ChangeKind.GROWN:
                assert lesion.size_mm / lesion.prior_size_mm > 1.15  # 1.25, but for whole pixels
            if lesion.kind is ChangeKind.UNCHANGED:
                assert lesion.size_mm == lesion.prior_size_mm


def test_without_insertion_the_current_picture_is_the_published_one(pairs, whole):
    before = {one.patient: one for one in read_prepared(pairs).cases("union")}
    for case in read_prepared(whole).cases("union"):
        lesions = stored_changes(case.changes).lesions
        published = read_radiograph(before[case.patient].image).array
        if not any(one.is_synthetic and one.kind is not ChangeKind.GONE for one in lesions):
            assert np.array_equal(read_radiograph(case.image).array, published)
        assert not any(one.kind is ChangeKind.GONE and not one.is_synthetic for one in lesions)


def test_the_index_counts_what_is_there(whole):
    data = read_prepared(whole)
    said = json.loads(data.index.read_text())["options"]
    for split, variants in (("train", 2), ("validation", 1)):
        lesions = [
            one
            for case in data.cases("union")
            if case.patient in data.splits[split]
            for one in stored_changes(case.changes).lesions
        ]
        kinds = [one.kind.value for one in lesions]
        assert said["reached"][split] == {kind.value: kinds.count(kind.value) for kind in ChangeKind}
        able = [one.can_change for one in lesions if not one.is_synthetic]
        assert said["real"][split] == {"lesions": len(able) // variants, "changeable": sum(able) // variants}


def test_shapes_come_from_other_patients_of_the_same_split(pairs):
    data = read_prepared(pairs)
    jobs = workflow._drawn(data, options(), workflow.Failures(0), workflow.silently).jobs
    seen = set()
    for job in jobs:
        split = next(name for name, patients in data.splits.items() if job.case.patient in patients)
        for one in job.plan.inserted:
            assert {shape.patient for shape, _ in one.alternatives} <= set(data.splits[split]) - {job.case.patient}
            seen.add(split)
    assert seen == {"train", "validation"}


def test_what_a_process_is_handed_makes_the_same_case(pairs, whole, tmp_path):
    job = workflow._drawn(read_prepared(pairs), options(), workflow.Failures(0), workflow.silently).jobs[-1]
    handed = pickle.loads(pickle.dumps(job))  # noqa: S301
    over_time_case.over_time_case(handed, tmp_path)
    assert tree(tmp_path / "cases" / job.key) == tree(whole / "cases" / job.key)


def test_a_run_that_was_stopped_ends_as_one_that_was_not(pairs, whole, tmp_path, monkeypatch):
    made, real = [], workflow.over_time_case

    def until_third(job, out):
        if len(made) == 3:
            raise KeyboardInterrupt
        made.append(job.key)
        return real(job, out)

    monkeypatch.setattr(workflow, "over_time_case", until_third)
    with pytest.raises(KeyboardInterrupt):
        prepare_over_time(pairs, tmp_path / "out", options())
    assert not (tmp_path / "out" / "dataset.json").exists()
    first = list(made)
    (tmp_path / "out" / "cases" / first[0] / "prior.png").unlink()
    monkeypatch.setattr(workflow, "over_time_case", lambda job, out: made.append(job.key) or real(job, out))
    prepare_over_time(pairs, tmp_path / "out", options())
    assert [key for key, count in Counter(made).items() if count > 1] == first[:1]
    assert len(set(made)) > len(first) == 3
    assert tree(tmp_path / "out") == tree(whole)
    assert prepare_over_time(pairs, tmp_path / "out", options()).was_done
    with pytest.raises(OutputError):
        prepare_over_time(pairs, tmp_path / "out", options(seed=1))


def test_a_picture_that_can_be_read_again_changes_what_was_drawn(pairs, whole, tmp_path, monkeypatch):
    made, real = [], workflow.over_time_case
    lost = next(one.key for one in read_prepared(pairs).cases("union") if one.patient == "LIDC-IDRI-0003")

    def lossy(case, *more):
        if case.key == lost:
            raise InputError("it can't be read.")
        return survey(case, *more)

    def until_second(job, out):
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(job.hash)
        return real(job, out)

    with monkeypatch.context() as patch:
        patch.setattr(workflow, "survey", lossy)
        patch.setattr(workflow, "over_time_case", until_second)
        with pytest.raises(KeyboardInterrupt):
            prepare_over_time(pairs, tmp_path / "out", options())
    jobs = workflow._drawn(read_prepared(pairs), options(), workflow.Failures(0), workflow.silently).jobs
    assert not {job.hash for job in jobs} >= set(made)
    monkeypatch.setattr(workflow, "over_time_case", copied(whole))
    prepare_over_time(pairs, tmp_path / "out", options())
    assert tree(tmp_path / "out") == tree(whole)


def test_a_picture_fails_once_however_many_variants_it_has(pairs, whole, tmp_path, monkeypatch):
    def failing(job, out):
        if job.case.patient == "LIDC-IDRI-0003":
            raise InputError(f"{job.key} can't be registered.")
        return copied(whole)(job, out)

    monkeypatch.setattr(workflow, "over_time_case", failing)
    (failure,) = prepare_over_time(pairs, tmp_path / "out", options(max_failures=1)).failures
    assert failure.input in {one.key for one in read_prepared(pairs).cases("union")}
    assert failure.error == f"{failure.input} can't be registered."


def test_other_remarks_than_misplaced_leave_lesions_as_they_are(pairs, reads):
    case = next(one for one in read_prepared(pairs).cases("union") if one.patient == "LIDC-IDRI-0003")
    for odd, known in (((), True), (("the CT ends within the lung",), True), ((UPSIDE_DOWN,), False)):
        found = survey(replace(case, odd=odd), reads[case.patient], 2.0)
        assert any(lesion.fit.contrast > 0 for lesion in found.lesions) == known
        assert bool(found.shapes) == known


def test_other_data_sets_and_held_out_patients_are_refused(pairs, tmp_path):
    content = json.loads((pairs / "dataset.json").read_text())
    for number, (change, words) in enumerate(
        [
            ({"source": {"kind": "CTs"}}, "published pairs were expected"),
            ({"cases": [{**content["cases"][0], "patient": "LIDC-IDRI-0010"}]}, "held-out patients"),
        ]
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "dataset.json").write_text(json.dumps(content | change))
        with pytest.raises(InputError, match=words):
            prepare_over_time(folder, tmp_path / "out", options())


def test_the_command_says_what_it_does_and_refuses_nonsense(pairs, tmp_path, capsys):
    assert main(["prepare", "over-time", "--help"]) == 0
    assert "hilum prepare over-time pairs over-time" in capsys.readouterr().out
    command = ["prepare", "over-time", str(pairs), str(tmp_path / "out")]
    assert main([*command, "--set", "lesions.shares.new=0.5"]) != 0
    assert "1 together" in capsys.readouterr().err
    assert main([*command, "--set", "pose.turn=3"]) != 0
    assert "rotate_deg" in capsys.readouterr().err
    assert main([*command, "--variants", "1"]) == 0
    assert "Done" in capsys.readouterr().out


def test_the_sheet_shows_lesions_of_each_kind(whole, tmp_path):
    cases = read_prepared(whole).records
    write_sheet(cases, whole, tmp_path / "qa.png", each=1)
    with Image.open(tmp_path / "qa.png") as sheet:
        width, height = sheet.size
    assert (width, height) == (pytest.approx(1386, abs=2), pytest.approx((0.3 + 5 * 2.35) * 110, abs=20))


def test_settings_change_one_thing():
    config = workflow.over_time_config(["pose.rotate_deg=0"])
    assert config.pose.rotate_deg == 0
    assert config.lesions == OverTimeConfig().lesions
