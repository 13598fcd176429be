"""`hilum prepare slices`: truths, reader counts, the split, who is left out, and how the set is judged."""

import json

import numpy as np
import pytest

from hilum.cli.app import main
from hilum.core import InputError, UnreadableError
from hilum.datasets.prepared import read_prepared, stored_nodules
from hilum.datasets.slice_config import SliceDataConfig
from hilum.datasets.slice_load import load_slices
from hilum.io import read_mask, read_radiograph, write_png
from hilum.workflows.prepare_slices import SliceOptions, prepare_slices
from tests.ct_slices import crops, write_crops

NODULES = [(2, 0, 3, 4), (3, 1, 2, 1), (6, 0, 4, 3), (6, 1, 2, 2), (11, 0, 2, 4), (10, 0, 1, 4), (1, 0, 1, 4)]
"""Patient, nodule, slices, readers: 2 and 3 train, 6 and 11 validate, 10 is held out, 1 the demonstration."""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slices")
    arrays = crops(NODULES)
    arrays["reader_bits"][0] = 0  # on its first slice nobody drew
    arrays["reader_bits"][2] &= 0b0001  # on its last slice one of four
    found = prepare_slices(write_crops(folder / "in", arrays), folder / "out")
    return folder / "out", arrays, found


def index_of(out):
    return json.loads((out / "dataset.json").read_text())


def test_who_may_be_learnt_from_is_split_and_the_rest_left_out_and_counted(made):
    out, _, found = made
    index = index_of(out)
    assert (found.cases, len(found.left_out), found.failures) == (13, 2, ())
    assert index["splits"]["train"] == ["LIDC-IDRI-0002", "LIDC-IDRI-0003"]
    assert index["splits"]["validation"] == ["LIDC-IDRI-0006", "LIDC-IDRI-0011"]
    assert {reason: len(keys) for reason, keys in index["left_out"].items()} == {"held out": 1, "demonstration": 1}
    assert not any("0010" in case["key"] or "0001" in case["key"] for case in index["cases"])
    assert (out / "qa.png").stat().st_size > 5000


def test_truths_follow_the_readers_of_the_whole_nodule(made):
    out, arrays, _ = made
    for case in read_prepared(out).cases("consensus"):
        place = [f"LIDC-IDRI-{p:04}_n{n:02}_s{s:03}" for p, n, s in arrays["key"].tolist()].index(case.key)
        bits = arrays["reader_bits"][place]
        readers = next(r for p, n, _, r in NODULES if case.slice.nodule == f"LIDC-IDRI-{p:04}_n{n:02}")
        assert case.slice.reader_count == readers
        votes = sum((bits >> k & 1).astype(int) for k in range(8))
        np.testing.assert_array_equal(
            read_mask(case.truth).labels > 0, 2 * votes >= max(readers, 1) * (votes > 0) + (votes == 0)
        )
        np.testing.assert_array_equal(read_radiograph(case.image).array, arrays["image"][place])
    empty, alone = (
        next(c for c in read_prepared(out).cases("union") if c.key.endswith(e))
        for e in ("0002_n00_s000", "0002_n00_s002")
    )
    assert not (read_mask(empty.truth).labels > 0).any()
    assert (read_mask(alone.truth).labels > 0).any()
    assert not (read_mask(alone.consensus).labels > 0).any()  # one of four is no half
    (nodule,) = stored_nodules(alone.nodules)
    assert (nodule.pair.reader_count, int(nodule.pair.votes.max())) == (4, 1)


def test_the_nodules_middle_is_that_of_its_box_over_all_slices(made):
    out, arrays, _ = made
    for case in read_prepared(out).cases("consensus"):
        names = [f"LIDC-IDRI-{p:04}_n{n:02}" for p, n, _ in arrays["key"].tolist()]
        own = np.array([name == case.slice.nodule for name in names])
        _, rows, columns = np.nonzero(arrays["reader_bits"][own])
        assert case.slice.point_px == ((rows.min() + rows.max()) / 2, (columns.min() + columns.max()) / 2)


def test_samples_are_on_one_scale_and_validation_counts_three_readers(made):
    out, _, _ = made
    train, failures = load_slices(out, "train", SliceDataConfig())
    assert (len(train), list(failures)) == (5, [])
    assert len(load_slices(out, "train", SliceDataConfig(least_readers=2))[0]) == 3
    validation, _ = load_slices(out, "validation", SliceDataConfig())
    assert {sample.nodule for sample in validation} == {"LIDC-IDRI-0006_n00", "LIDC-IDRI-0011_n00"}
    assert len({sample.reader_count for sample in validation}) == 2
    for sample in train:
        assert sample.image.dtype == np.float32
        assert 0 <= sample.image.min() <= sample.image.max() <= 1
        assert sample.pixel_mm == 0.7
    halved, _ = load_slices(out, "train", SliceDataConfig(pixel_mm=1.4))
    assert halved[1].image.shape == (16, 16)
    assert halved[1].has_lesion


def test_the_set_is_judged_by_slice_and_by_nodule(made, tmp_path):
    out, _, _ = made
    for case in read_prepared(out).cases("union"):
        (nodule,) = stored_nodules(case.nodules) or (None,)
        mask = np.zeros((32, 32), bool) if nodule is None else nodule.pair.of_reader(0)
        write_png(mask, tmp_path / "masks" / f"{case.key}.png")
    arguments = ["evaluate", str(tmp_path / "masks"), "--data", str(out), "--split", "validation", "--bootstraps", "0"]
    assert main([*arguments, str(tmp_path / "judged")]) == 0
    found = json.loads((tmp_path / "judged" / "evaluation.json").read_text())
    assert (found["truth"], found["n_cases"], found["n_patients"]) == ("consensus", 6, 2)
    groups = {one["name"]: one["figures"] for one in found["by_stack"]}
    assert set(groups) == {"all", "n = 4", "n = 3"}
    assert groups["all"]["slice_dice"] == found["figures"]["dice_mean"]
    assert groups["all"]["nodule_dice"]["n"] == 2
    assert groups["n = 3"]["nodule_dice"]["value"] == pytest.approx(groups["n = 3"]["slice_dice"]["value"])
    assert groups["all"]["nodule_volume_error_percent"]["value"] < 0  # the first reader's disc is the smallest
    assert main([*arguments, str(tmp_path / "all"), "--least-readers", "1"]) == 0
    assert json.loads((tmp_path / "all" / "evaluation.json").read_text())["n_cases"] == 8


def test_a_second_run_finds_it_done_and_a_lost_file_is_made_again(made):
    out, _, _ = made
    src = out.parent / "in" / "slices.npz"
    before = (out / "dataset.json").read_bytes()
    assert prepare_slices(src, out).was_done
    assert (out / "dataset.json").read_bytes() == before
    again = prepare_slices(src, out.parent / "two", SliceOptions(workers=2))
    assert not again.was_done
    assert (out.parent / "two" / "dataset.json").read_bytes() == before


def test_a_patient_of_two_pixel_sizes_has_none(tmp_path):
    arrays = crops([(2, 0, 1, 1), (3, 0, 1, 1)])
    sizes = [("LIDC-IDRI-0003", 0.8, 2.5), ("LIDC-IDRI-0002", 0.70001, 1.25)]
    found = prepare_slices(write_crops(tmp_path / "in", arrays, sizes), tmp_path / "out")
    index = index_of(tmp_path / "out")
    assert found.cases == 1
    assert index["left_out"] == {"nobody knows which pixel size": ["LIDC-IDRI-0003_n00_s000"]}
    assert index["cases"][0]["pixel_mm"] == [0.7, 0.7]
    assert index["cases"][0]["slice"]["step_mm"] is None  # the series differ in that


def test_a_nodule_without_a_reader_fails_alone(tmp_path, capsys):
    arrays = crops([(2, 0, 1, 1), (3, 0, 1, 1)])
    arrays["reader_bits"][1] = 0
    src = write_crops(tmp_path / "in", arrays)
    assert main(["prepare", "slices", str(src), str(tmp_path / "out")]) == 3
    assert "no reader has a pixel" in capsys.readouterr().err
    assert [one["input"] for one in index_of(tmp_path / "out")["failures"]] == ["LIDC-IDRI-0003_n00"]


def test_what_is_no_file_of_crops_is_one_clear_line(tmp_path):
    arrays = crops([(2, 0, 2, 1)])
    src = write_crops(tmp_path / "in", arrays)
    for change, says in (
        ({"image": arrays["image"].astype(np.int16)}, "8 bit"),
        ({"reader_bits": arrays["reader_bits"][:, :-1]}, "as large as image"),
        ({"key": arrays["key"][:, :2]}, "whole numbers"),
        ({"key": arrays["key"] * 0 + 2}, "there twice"),
        ({"key": np.array([[0, 0, 0], [2, 0, 0]])}, "Patients are 1 to"),
    ):
        np.savez(src, **(arrays | change))
        with pytest.raises(UnreadableError, match=says) as caught:
            prepare_slices(src, tmp_path / "out")
        assert str(caught.value)
    np.savez(src, image=arrays["image"])
    with pytest.raises(UnreadableError, match="lacks reader_bits, key"):
        prepare_slices(src, tmp_path / "out")
    src.write_bytes(b"PK no zip")
    with pytest.raises(UnreadableError, match="is no"):
        prepare_slices(src, tmp_path / "out")
    with pytest.raises(InputError, match="can't be read"):
        prepare_slices(tmp_path / "none.npz", tmp_path / "out")


def test_without_pixel_sizes_nothing_is_made(tmp_path):
    src = write_crops(tmp_path / "in", crops([(2, 0, 1, 1)]))
    (tmp_path / "in" / "scan_spacing.csv").unlink()
    with pytest.raises(InputError, match="how large the crops' pixels are"):
        prepare_slices(src, tmp_path / "out")
    (tmp_path / "sizes.csv").write_text("patient,mm\nLIDC-IDRI-0002,0.7\n")
    with pytest.raises(UnreadableError, match="no table of pixel sizes"):
        prepare_slices(src, tmp_path / "out", SliceOptions(spacing=tmp_path / "sizes.csv"))


def test_held_out_patients_alone_make_no_set(tmp_path):
    src = write_crops(tmp_path / "in", crops([(5, 0, 1, 3)]))
    with pytest.raises(InputError, match="held out: 1"):
        prepare_slices(src, tmp_path / "out")


def test_negatives_and_boxes_belong_together(tmp_path, capsys):
    src = write_crops(tmp_path / "in", crops([(2, 0, 1, 1)]))
    assert main(["prepare", "slices", str(src), str(tmp_path / "out"), "--negatives", str(tmp_path)]) != 0
    assert "belong together" in capsys.readouterr().err
