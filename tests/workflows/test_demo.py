"""The demo on the real CT: what it leaves, checked by another library's eyes."""

import json
import math
import re
from html.parser import HTMLParser

import nibabel
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from PIL import Image
from scipy.ndimage import binary_dilation

from hilum.core import OutputError
from hilum.io.installed import sample_ct_path
from hilum.workflows import demo
from hilum.workflows.demo import run_demo


@pytest.fixture(scope="module")
def demo_folder(tmp_path_factory):
    return run_demo(tmp_path_factory.mktemp("demo") / "out").folder


@pytest.fixture(scope="module")
def nodules(demo_folder):
    return json.loads((demo_folder / "nodules.json").read_text(encoding="utf-8"))["nodules"]


def test_everything_promised_is_there(demo_folder):
    names = {str(path.relative_to(demo_folder)) for path in demo_folder.rglob("*") if path.is_file()}
    readers = {f"readers/nodule-1-reader-{number}.nii.gz" for number in (1, 2, 3, 4)}
    xray = {"xray.png", "xray.dcm", "mask.png", "thickness.png", "nodules.json", "geometry.json", "overlay.png"}
    xray |= {"shadow-1.png", "masks/nodule-1.png", *(f"masks/nodule-1-reader-{number}.png" for number in (1, 2, 3, 4))}
    expected = {"report.html", "nodules.json", "mask.nii.gz", "nodule-1.png", "run.json"}
    found = {f"prediction/{name}" for name in ("probability.png", "mask.png", "nodules.json", "overlay.png")}
    prompted = {f"prompted/nodule-1.{ending}" for ending in ("nii.gz", "json", "png")}
    ct = {f"ct/{name}" for name in ("mask.nii.gz", "nodules.json", "candidates.csv", "overlay.png")}
    assert {"phantom/truth.json", "followup/report.html", "followup/report.pdf", "followup/followup.json"} <= names
    assert len([name for name in names if name.startswith("phantom/day-090/")]) == 133
    names = {name for name in names if not name.startswith(("phantom/", "followup/"))}
    assert names == expected | readers | found | prompted | ct | {f"xray/{name}" for name in xray}


def test_the_network_outlines_the_nodule_about_as_the_readers_do(demo_folder, nodules):
    """At one point, on the CT's own grid; readers agree with their consensus by some .9 on a mass of 3 cm."""
    own, agreed = (nibabel.load(demo_folder / name) for name in ("prompted/nodule-1.nii.gz", "mask.nii.gz"))
    np.testing.assert_allclose(own.affine, agreed.affine, atol=1e-4)
    one, other = (np.asanyarray(image.dataobj) > 0 for image in (own, agreed))
    assert 2 * (one & other).sum() / (one.sum() + other.sum()) > 0.8
    written = json.loads((demo_folder / "prompted" / "nodule-1.json").read_text(encoding="utf-8"))["nodules"][0]
    assert written["volume_mm3"] == pytest.approx(one.sum() * 0.703125**2 * 2.5)


def test_the_nodule_is_found_without_being_told_and_it_is_the_surest(demo_folder, nodules):
    """On a CT of which nobody has learnt this lung; what else is called a nodule is no more than three places."""
    own, agreed = (nibabel.load(demo_folder / name) for name in ("ct/mask.nii.gz", "mask.nii.gz"))
    np.testing.assert_allclose(own.affine, agreed.affine, atol=1e-4)
    labels, known = np.asanyarray(own.dataobj), np.asanyarray(agreed.dataobj) > 0
    assert 2 * ((labels == 1) & known).sum() / ((labels == 1).sum() + known.sum()) > 0.75
    found = json.loads((demo_folder / "ct" / "nodules.json").read_text(encoding="utf-8"))["nodules"]
    assert 1 <= len(found) <= 4
    assert [one["score"] for one in found] == sorted((one["score"] for one in found), reverse=True)
    assert found[0]["centre_lps_mm"] == pytest.approx(nodules[0]["centre_lps_mm"], abs=3.0)


def test_the_network_says_more_of_the_nodule_than_of_most_of_the_picture(demo_folder):
    probability = np.array(Image.open(demo_folder / "prediction" / "probability.png")) / 65535
    shadow = np.array(Image.open(next(demo_folder.glob("xray/mask.png")))) > 0
    assert probability.max() > 0
    known = json.loads((demo_folder / "xray" / "nodules.json").read_text(encoding="utf-8"))["nodules"]
    assert len(known) == 1
    row, column = np.argwhere(shadow).mean(axis=0) / shadow.shape * probability.shape
    near = probability[round(row) - 10 : round(row) + 11, round(column) - 10 : round(column) + 11]
    assert near.max() > np.quantile(probability, 0.99)


def test_the_mask_lies_on_the_ct_itself(demo_folder):
    mask, ct = nibabel.load(demo_folder / "mask.nii.gz"), nibabel.load(sample_ct_path())
    assert mask.shape == ct.shape
    np.testing.assert_allclose(mask.affine, ct.affine, atol=1e-4)
    assert mask.get_data_dtype() == np.uint8
    nodule, hu = np.asanyarray(mask.dataobj) == 1, np.asanyarray(ct.dataobj)
    shell = binary_dilation(nodule, iterations=6) & ~binary_dilation(nodule, iterations=2)
    assert np.median(hu[nodule]) > -100, "a solid nodule is soft tissue"
    assert np.median(hu[shell]) < -500, "and most of what is around it is lung"


def test_volume_and_place_are_those_that_simpleitk_finds_in_the_mask(demo_folder, nodules):
    shape = sitk.LabelShapeStatisticsImageFilter()
    shape.Execute(sitk.ReadImage(str(demo_folder / "mask.nii.gz")))
    assert shape.GetLabels() == (1,)
    assert nodules[0]["volume_mm3"] == pytest.approx(shape.GetPhysicalSize(1), rel=1e-6)
    assert nodules[0]["centre_lps_mm"] == pytest.approx(shape.GetCentroid(1), abs=1e-3)


def test_consensus_and_range_come_from_the_readers_masks(demo_folder, nodules):
    paths = sorted((demo_folder / "readers").iterdir())
    masks = np.array([np.asanyarray(nibabel.load(path).dataobj) for path in paths])
    consensus = np.asanyarray(nibabel.load(demo_folder / "mask.nii.gz").dataobj)
    np.testing.assert_array_equal(consensus, masks.sum(axis=0) >= 2)
    voxel_mm3 = 0.703125**2 * 2.5
    volumes = [mask.sum(dtype=int) * voxel_mm3 for mask in masks]
    assert [reader["volume_mm3"] for reader in nodules[0]["readers"]] == pytest.approx(volumes)
    assert nodules[0]["uncertainty"]["volume_mm3_low"] == pytest.approx(min(volumes))
    assert nodules[0]["uncertainty"]["volume_mm3_high"] == pytest.approx(max(volumes))
    assert nodules[0]["reader_count"] == len(masks) == 4


def test_the_xrays_mask_and_thickness_are_the_masks_seen_from_the_front(demo_folder):
    image = sitk.DICOMOrient(sitk.ReadImage(str(demo_folder / "mask.nii.gz")), "LPS")
    paths = sitk.GetArrayFromImage(image).sum(axis=1, dtype=float)[::-1] * image.GetSpacing()[1]
    shadow = sitk.GetArrayFromImage(sitk.ReadImage(str(demo_folder / "xray" / "mask.png"))) > 0
    thickness = sitk.GetArrayFromImage(sitk.ReadImage(str(demo_folder / "xray" / "thickness.png"))) * 0.01
    # pixel centres of the picture against the slices' boxes, 2.5 mm high
    slices = ((np.arange(len(shadow)) + 0.5 - len(shadow) / 2) * image.GetSpacing()[0]) / image.GetSpacing()[2]
    within = slices + len(paths) / 2
    nearest = np.clip(np.floor(within).astype(int), 0, len(paths) - 1)
    clear = np.abs(within - np.rint(within)) > 1e-6  # rows that run along the edge of two slices belong to either
    np.testing.assert_array_equal(shadow[clear], paths[nearest][clear] > 0)
    np.testing.assert_allclose(thickness[clear], paths[nearest][clear], atol=0.006)


def test_the_xray_looks_like_one(demo_folder):
    film = sitk.GetArrayFromImage(sitk.ReadImage(str(demo_folder / "xray" / "xray.png"))).astype(float) / 65535
    height, width = film.shape
    assert film[:, :5].mean() < 0.15, "air is black"
    lungs = [film[height // 4 : height // 2, int(at * width)].mean() for at in (0.3, 0.65)]
    spine = film[height // 4 : height // 2, int(0.48 * width)].mean()
    liver = film[int(0.65 * height), int(0.3 * width)]
    assert max(lungs) < 0.5 < liver < spine, "lungs are dark, the liver below the right one is bright, the spine more"
    assert film[int(0.5 * height), int(0.6 * width)] > film[int(0.45 * height), int(0.3 * width)], "heart on the left"


class _References(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        assert tag not in {"script", "link", "iframe"}
        self.found += [value for name, value in attributes if name in {"src", "href", "srcset", "action"}]


def test_the_report_needs_nothing_from_anywhere(demo_folder, nodules):
    page = (demo_folder / "report.html").read_text(encoding="utf-8")
    references = _References()
    references.feed(page)
    pictures = [one for one in references.found if one.startswith("data:image/png;base64,")]
    assert len(pictures) >= 8
    assert [one for one in references.found if one not in pictures] == ["followup/report.html"]
    assert not re.search(r"url\(|@import|https?://", re.sub(r"base64,[^\"]*", "", page))
    assert "Not a medical device" in page
    assert f"{nodules[0]['long_axis_mm']:.1f}" in page
    assert f"{nodules[0]['volume_mm3']:.0f}" in page


def test_the_follow_up_holds_the_truth_and_everything_of_it_says_synthetic(demo_folder):
    """The readers' nodule grew by what doubles in 200 days, pushing aside what is around it, and a ball is new."""
    truth = json.loads((demo_folder / "phantom" / "truth.json").read_text(encoding="utf-8"))
    found = json.loads((demo_folder / "followup" / "followup.json").read_text(encoding="utf-8"))
    own, new = truth["nodules"]
    assert own["growth_percent"] == pytest.approx(100 * (2 ** (90 / 200) - 1))
    later = {one["id"]: one["centre_lps_mm"] for one in found["studies"][1]["nodules"]}
    seen = {one["seen"].get("2"): one["name"] for one in found["nodules"]}
    names = [seen[min(later, key=lambda one: math.dist(later[one], known["centre_lps_mm"]))] for known in (own, new)]
    grown = next(one for one in found["pairs"] if one["nodule"] == names[0])
    assert grown["interval_days"] == 90
    change = grown["volume_change_percent"]
    assert change["low"] < own["growth_percent"] < change["high"]
    assert 0.8 < change["value"] / own["growth_percent"] < 1.2
    assert grown["probability_of_growth"] > 0.95
    assert [one["nodule"] for one in found["new"]] == [names[1]]
    page = (demo_folder / "report.html").read_text(encoding="utf-8")
    for words in ("SYNTHETIC", f"{own['growth_percent']:+.1f} %", "fleischner-2017", "doubling time, true"):
        assert words in page
    assert "SYNTHETIC" in (demo_folder / "followup" / "report.html").read_text(encoding="utf-8")
    assert "SYNTHETIC" in pydicom.dcmread(demo_folder / "phantom" / "day-090" / "IM0001.dcm").SeriesDescription


def test_the_same_run_is_done_and_another_is_refused(demo_folder, tmp_path):
    before = (demo_folder / "report.html").stat().st_mtime_ns
    assert run_demo(demo_folder).was_done
    assert (demo_folder / "report.html").stat().st_mtime_ns == before
    (tmp_path / "thesis.txt").write_text("years of work")
    for force in (False, True):
        with pytest.raises(OutputError, match="files that hilum didn't make"):
            run_demo(tmp_path, force=force)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_another_result_of_hilum_is_replaced_only_by_force(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "CHAPTERS", (demo.nodules_measured,))
    (tmp_path / "run.json").write_text('{"hash": "of another run"}')
    with pytest.raises(OutputError, match="--force"):
        run_demo(tmp_path)
    assert not run_demo(tmp_path, force=True).was_done
    assert (tmp_path / "report.html").is_file()
