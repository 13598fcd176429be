"""`hilum prepare stacks`: slices of a nodule become a piece with the readers' consensus."""

import json

import numpy as np
import pytest

from hilum.cli.app import main
from hilum.core import InputError
from hilum.datasets.patch_config import PatchDataConfig
from hilum.datasets.patch_load import load_patches
from hilum.io import read_mask, read_volume
from hilum.workflows.prepare_slices import prepare_slices
from hilum.workflows.prepare_stacks import StackRule, prepare_stacks
from tests.ct_slices import crops, write_crops
from tests.slices import write_slices

NODULES = [(2, 0, 5, 4), (2, 1, 1, 4), (3, 0, 4, 1), (6, 0, 4, 3), (7, 0, 4, 2)]
"""Patient, nodule, slices, readers: of 2 the second has one slice, 3 one reader, and of 7 the second slice is lost."""
STEP_MM, PIXEL_MM, RADIUS_PX = 2.5, 0.7, 3.5
"""As `crops` makes them: of four readers' discs of 3, 3.5, 4 and 4.5 pixels at least half have the second largest."""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stacks")
    arrays = crops(NODULES, side=48)
    lost = (arrays["key"] == (7, 0, 1)).all(axis=1)
    arrays = {name: one[~lost] for name, one in arrays.items()}
    prepare_slices(write_crops(folder / "in", arrays), folder / "slices")
    prepare_stacks(folder / "slices", folder / "out")
    return folder


def test_a_stack_is_as_long_and_as_thick_as_what_the_readers_agree_on(made):
    samples, _ = load_patches(made / "out", "train", PatchDataConfig())
    (stack,) = samples
    assert stack.image.shape[0] == int(4 * STEP_MM) + 1
    assert stack.truth.any(axis=(1, 2)).all(), "from the first slice to the last"
    # Pixels whose middles lie within the second largest disc: about its area, at any height.
    areas_mm2 = stack.truth.sum(axis=(1, 2))
    rows, columns = np.mgrid[:48, :48]
    expected = (np.hypot(rows - 15, columns - 14) < RADIUS_PX + 0.5).sum() * PIXEL_MM**2
    assert areas_mm2 == pytest.approx(np.full(len(areas_mm2), expected), rel=0.2)
    assert stack.truth_type == "contours of 4 readers, at least half"
    assert stack.voxel_mm == pytest.approx((1.0, 1.0, 1.0))


def test_the_nodule_lies_where_it_is_bright(made):
    for case in json.loads((made / "out" / "dataset.json").read_text())["cases"]:
        ct = read_volume(made / "out" / case["image"])
        mask = read_mask(made / "out" / case["masks"]["nodule"], ct.geometry).labels > 0
        assert ct.array[mask].mean() > -200
        assert np.median(ct.array[~mask]) < -700


def test_who_is_left_out_is_listed_by_reason(made):
    index = json.loads((made / "out" / "dataset.json").read_text())
    assert {reason: len(names) for reason, names in index["left_out"].items()} == {
        "fewer than 2 readers": 1,
        "fewer than 2 slices": 1,
        "slices are missing": 1,
    }
    assert (index["splits"]["train"], index["splits"]["validation"]) == (["LIDC-IDRI-0002"], ["LIDC-IDRI-0006"])
    assert "not learnt from" in " ".join(index["notes"])
    assert index["licences"] == json.loads((made / "slices" / "dataset.json").read_text())["licences"]


def test_a_second_run_finds_it_done(made, capsys):
    assert main(["prepare", "stacks", str(made / "slices"), str(made / "out")]) == 0
    out = capsys.readouterr().out
    assert "Already there" in out
    assert "3 of nodules that make no stack left out" in out


def test_what_is_no_stack_is_one_clear_line(made, tmp_path):
    with pytest.raises(InputError, match="holds ct-patches, and slices were expected"):
        prepare_stacks(made / "out", tmp_path / "no")
    with pytest.raises(InputError, match=r"no nodule of .* has 2 slices one after another and 5 readers"):
        prepare_stacks(made / "slices", tmp_path / "no", StackRule(least_readers=5))
    sizeless = write_slices(tmp_path / "slices", [("LIDC-IDRI-0002", "1", 3, (30, 30), 5)])
    with pytest.raises(InputError, match="no nodule"):  # nobody says how far apart its slices are
        prepare_stacks(sizeless, tmp_path / "no")
    with pytest.raises(InputError, match="no voxels of 0 mm"):
        StackRule(voxel_mm=0)
