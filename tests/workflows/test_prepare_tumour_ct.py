"""`hilum prepare tumour-ct`: masks of the Decathlon, boxes on DICOM slices, and what their truth is called."""

import json

import numpy as np
import pytest

from hilum.cli.app import main
from hilum.core import InputError, Mask, UnreadableError, UnsupportedError
from hilum.datasets.prepared import read_prepared
from hilum.io import read_mask, read_volume, write_mask, write_volume
from hilum.io.dicom import find_series, write_series
from hilum.io.dicom.files import read_header
from hilum.measure import volume_mm3
from hilum.workflows.patch_set import UNMARKED
from hilum.workflows.prepare_tumour_ct import prepare_tumour_ct
from hilum.workflows.tumour_sources import tumour_source
from tests.ct_patches import GRID, chest
from tests.shapes import ellipsoid

TUMOUR = (-60.0, 10.0, 20.0, 30.0)
FEW = ["--random", "1", "--hard", "0", "--size", "48"]


def index_of(out):
    return json.loads((out / "dataset.json").read_text())


def write_decathlon(folder, patients=("lung_001", "lung_002"), labels=None, **more):
    for name in ("imagesTr", "labelsTr"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    mask = Mask.of(ellipsoid(GRID, TUMOUR[:3], (TUMOUR[3] / 2,) * 3), GRID)
    rows = []
    for patient in patients:
        row = {"image": f"./imagesTr/{patient}.nii.gz", "label": f"./labelsTr/{patient}.nii.gz"}
        write_volume(chest((TUMOUR,)), folder / row["image"])
        write_mask(mask, folder / row["label"])
        rows.append(row)
    index = {"training": rows, "labels": labels or {"0": "background", "1": "cancer"}, "licence": "CC-BY-SA 4.0"}
    (folder / "dataset.json").write_text(json.dumps({**index, "modality": {"0": "CT"}, **more}))
    return folder


def write_boxes(folder, boxes_of=(0,)):
    """Two DICOM series of one patient; those named have boxes on three slices."""
    for number in range(2):
        ct = chest((TUMOUR,) if number in boxes_of else ())
        write_series(ct, folder / f"series{number}", patient="Lung_Dx-A0009")
        (series,) = find_series(folder / f"series{number}")
        for k in (34, 35, 36) if number in boxes_of else ():
            uid = read_header(series.slices[k].pixels.path).text("SOPInstanceUID")
            edges = "<xmin>20</xmin><ymin>26</ymin><xmax>26</xmax><ymax>33</ymax>"
            text = f"<annotation><object><name>A</name><bndbox>{edges}</bndbox></object></annotation>"
            (folder / "Annotation").mkdir(exist_ok=True)
            (folder / "Annotation" / f"{uid}.xml").write_text(text)
    return folder


def test_masks_are_the_truth_and_are_measured(tmp_path, capsys):
    src = write_decathlon(tmp_path / "Task06_Lung")
    assert main(["prepare", "tumour-ct", str(src), str(tmp_path / "out"), *FEW]) == 0
    assert "more than 3" in capsys.readouterr().err
    index = index_of(tmp_path / "out")
    assert (index["truths"], index["licences"]) == (["labels of the source"], ["CC-BY-SA 4.0"])
    assert set(index["splits"]["train"]) | set(index["splits"]["validation"]) == {"lung_001", "lung_002"}
    positive, random = (
        next(case for case in read_prepared(tmp_path / "out").cases("nodule") if case.patch.kind == kind)
        for kind in ("positive", "random")
    )
    assert positive.patch.centre_lps_mm == pytest.approx(TUMOUR[:3], abs=2.5)
    assert positive.patch.diameter_mm == pytest.approx(30, rel=0.05)
    mask = read_mask(positive.truth)
    assert volume_mm3(mask.labels > 0, mask.geometry) == pytest.approx(np.pi / 6 * 30**3, rel=0.12)
    assert read_volume(positive.image).array[mask.labels > 0].mean() > -100
    assert not read_mask(random.truth).labels.any()


def test_boxes_are_called_boxes_and_lie_where_they_were_drawn(tmp_path):
    src = write_boxes(tmp_path / "dx")
    words = ["prepare", "tumour-ct", str(src), str(tmp_path / "out"), *FEW, "--licence", "somebody's"]
    assert main(words) == 0
    index = index_of(tmp_path / "out")
    assert (index["truths"], index["licences"]) == (["box"], ["somebody's"])
    assert index["left_out"] == {UNMARKED: ["series1"]}
    (case,) = (case for case in read_prepared(tmp_path / "out").cases("nodule") if case.patch.kind == "positive")
    assert case.patient == "Lung_Dx-A0009"
    np.testing.assert_allclose(case.patch.centre_lps_mm, GRID.to_lps_mm((35, 29.5, 23)), atol=1e-3)
    assert case.patch.diameter_mm == pytest.approx((7 + 8) * 4 / 2)
    mask = read_mask(case.truth)
    assert volume_mm3(mask.labels > 0, mask.geometry) == pytest.approx(7 * 8 * 3 * 64, rel=0.12)


def test_which_label_is_the_tumour_is_told_or_asked_for(tmp_path):
    organs = {"0": "background", "1": "lung", "2": "tumour"}
    assert tumour_source(write_decathlon(tmp_path / "a", labels=organs)).jobs[0].label == 2
    unclear = write_decathlon(tmp_path / "b", labels={"1": "left", "2": "right"})
    with pytest.raises(InputError, match="it has 1 left, 2 right"):
        tumour_source(unclear)
    assert tumour_source(unclear, 1).jobs[0].label == 1
    with pytest.raises(InputError, match="can't be told"):
        tumour_source(unclear, 3)


def test_an_empty_mask_and_a_missing_file_fail_alone(tmp_path, capsys):
    src = write_decathlon(tmp_path / "lung", ("a", "b", "c"))
    write_mask(Mask.of(np.zeros(GRID.shape_zyx, bool), GRID), src / "labelsTr" / "b.nii.gz")
    (src / "imagesTr" / "c.nii.gz").unlink()
    assert main(["prepare", "tumour-ct", str(src), str(tmp_path / "out"), "--random", "0", "--hard", "0"]) == 3
    said = capsys.readouterr().err
    assert "no voxel of label 1" in said
    assert "c.nii.gz doesn't exist" in said
    assert {case["patient"] for case in index_of(tmp_path / "out")["cases"]} == {"a"}


def test_what_is_no_source_of_tumours_is_one_clear_line(tmp_path):
    with pytest.raises(UnsupportedError, match="MRI"):
        tumour_source(write_decathlon(tmp_path / "mr", modality={"0": "MRI"}))
    (tmp_path / "mr" / "dataset.json").write_text("{}")
    with pytest.raises(UnreadableError, match="no index of the Decathlon"):
        prepare_tumour_ct(tmp_path / "mr", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="neither a Decathlon"):
        tumour_source(tmp_path / "empty")
    with pytest.raises(InputError, match="is a file"):
        tumour_source(tmp_path / "mr" / "dataset.json")
