"""CTs to DRR pairs: whose they are, how they vary, and where their nodules fall."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hilum.core import Failures, Geometry, GeometryError, InputError, Volume
from hilum.datasets.looks import Variation, draw_look
from hilum.drr.display import Style
from hilum.drr.projection import Beam
from hilum.io import read_volume, write_volume
from hilum.io.dicom import find_series, write_series
from hilum.io.installed import sample_ct_path
from hilum.io.lidc import lidc_read
from hilum.ops import to_lps_axes
from hilum.workflows.pair_case import CaseOptions, truth_of
from hilum.workflows.pair_sources import Job, find_sources
from hilum.workflows.prepare import PrepareOptions, prepare_drr_pairs
from tests.shapes import ellipsoid

GRID = Geometry.regular((40, 64, 64), (5.0, 5.0, 5.0), (-157.5, -157.5, -97.5))
SQUARE = ((40, 30), (45, 30), (45, 35), (40, 35))
SLICES = (20, 21, 22)


def torso():
    """A body with lungs of air and nothing else."""
    hu = np.where(ellipsoid(GRID, (0, 0, 0), (140, 100, 400)), 40, -1000)
    for side in (-60, 60):
        hu[ellipsoid(GRID, (side, 0, 0), (45, 70, 80))] = -850
    return Volume(hu.astype(np.int16), GRID)


def outlines_xml(series_uid, z_mm):
    """A reader's outline of a square on several slices, as LIDC's XML."""
    edges = "".join(f"<edgeMap><xCoord>{x}</xCoord><yCoord>{y}</yCoord></edgeMap>" for x, y in SQUARE)
    rois = "".join(f"<roi><imageZposition>{z}</imageZposition><inclusion>TRUE</inclusion>{edges}</roi>" for z in z_mm)
    nodule = f"<unblindedReadNodule><noduleID>1</noduleID>{rois}</unblindedReadNodule>"
    header = f"<ResponseHeader><SeriesInstanceUid>{series_uid}</SeriesInstanceUid></ResponseHeader>"
    return f"<LidcReadMessage>{header}<readingSession>{nodule}</readingSession></LidcReadMessage>"


@pytest.fixture(autouse=True)
def small_slices(request, monkeypatch):
    """LIDC's slices have 512 × 512 pixels; the phantom's 64 × 64 are quicker to render."""
    if "sample" not in request.fixturenames and "whole_slices" not in request.fixturenames:
        monkeypatch.setattr("hilum.datasets.scan_match.IMAGE_SIZE", 64)


@pytest.fixture
def whole_slices():
    """Slices are as large as LIDC's."""


@pytest.fixture(scope="module")
def dicom(tmp_path_factory):
    """A DICOM series of LIDC-IDRI-0002, by its Patient ID alone, with its reader's XML beside it."""
    folder = tmp_path_factory.mktemp("cts")
    write_series(torso(), folder / "series", patient="LIDC-IDRI-0002")
    (series,) = find_series(folder / "series")
    (folder / "series" / "read.xml").write_text(
        outlines_xml(series.uid, [GRID.to_lps_mm((k, 0, 0))[2] for k in SLICES])
    )
    return folder


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """The sample CT in a folder that says whose it is."""
    folder = tmp_path_factory.mktemp("sample") / "LIDC-IDRI-0001"
    folder.mkdir()
    (folder / "ct.nii.gz").symlink_to(sample_ct_path())
    return folder.parent


def prepared(source, out, variation, **options):
    prepare_drr_pairs(source, out, PrepareOptions(CaseOptions(variation=variation, **options)))
    return json.loads((out / "dataset.json").read_text())


def pixels(path):
    with Image.open(path) as picture:
        return np.asarray(picture)


def test_the_sample_ct_in_the_published_style_is_its_published_pair(sample, real_data, tmp_path):
    (case,) = prepared(sample, tmp_path / "out", Variation((Style.SOURCE,)))["cases"]
    (picture,) = (real_data("lidc-drr") / "1-200").glob("LIDC-IDRI-0001_*_drr.png")
    mask = picture.with_name(picture.name.replace("_drr.png", "_drr_mask.png"))
    assert np.array_equal(pixels(tmp_path / "out" / case["masks"]["union"]), pixels(mask))
    made, published = pixels(tmp_path / "out" / case["image"]).astype(int), pixels(picture).astype(int)
    assert np.abs(made - published).max() <= 1
    assert case["pixel_mm"] == pytest.approx([0.7044, 0.7031], abs=1e-4)


def test_dicom_with_a_readers_xml_is_rendered_and_outlined(dicom, tmp_path):
    data = prepared(dicom, tmp_path / "out", Variation())
    (case,) = data["cases"]
    assert (case["patient"], data["splits"]["train"]) == ("LIDC-IDRI-0002", ["LIDC-IDRI-0002"])
    assert Path(case["image"]).parent.name == "1-200"
    assert pixels(tmp_path / "out" / case["image"]).dtype == np.uint16
    union = pixels(tmp_path / "out" / case["masks"]["union"]) > 0
    rows, columns = np.nonzero(union)
    # One pixel a voxel: outline columns 40 to 45, and slices 20 to 22 of 40, counted from the head.
    assert (columns.min(), columns.max()) == (40, 45)
    assert (rows.min(), rows.max()) == (39 - 22, 39 - 20)
    (nodule,) = json.loads((tmp_path / "out" / case["nodules"]).read_text())["nodules"]
    assert nodule["centre_lps_mm"] == pytest.approx(GRID.to_lps_mm((21, 32.5, 42.5)).tolist(), abs=0.1)
    assert nodule["volume_mm3"] == pytest.approx(4 * 4 * 3 * 125)  # the line is out
    assert nodule["centre_px"] == pytest.approx([18, 42.5])


def test_views_are_drawn_by_seed_and_recorded(dicom, tmp_path):
    variation = Variation(views=3, turn_deg=8, energy_kev=(50, 80), photons_per_mm2=(1e4, 1e4))
    data = prepared(dicom, tmp_path / "a", variation, seed=4)
    looks = [case["rendering"] for case in data["cases"]]
    assert looks[0]["pose"] == {"rotation_deg": [0, 0, 0], "shift_mm": [0, 0, 0]}
    assert len({str(look["pose"]) for look in looks}) == 3
    assert all(50 <= look["energy_kev"] <= 80 for look in looks)
    assert data["splits"]["train"] == ["LIDC-IDRI-0002"]
    truths = [(tmp_path / "a" / case["nodules"]).parent for case in data["cases"]]
    matrices = [np.array(json.loads((truth / "geometry.json").read_text())["matrix"]) for truth in truths]
    for truth, matrix in zip(truths, matrices, strict=True):
        (nodule,) = json.loads((truth / "nodules.json").read_text())["nodules"]
        column, row, w = matrix @ [*nodule["centre_lps_mm"], 1]
        assert [row / w, column / w] == pytest.approx(nodule["centre_px"], abs=0.5)
    assert (tmp_path / "a" / "dataset.json").read_bytes() == again(dicom, tmp_path / "b", variation, seed=4)
    assert (tmp_path / "a" / "dataset.json").read_bytes() != again(dicom, tmp_path / "c", variation, seed=5)


def again(source, out, variation, seed):
    prepared(source, out, variation, seed=seed)
    return (out / "dataset.json").read_bytes()


def test_whose_a_ct_is_comes_from_the_path_then_from_dicom(dicom, tmp_path):
    def found(folder):
        return {job.key: job.patient for job in find_sources(folder, Failures()).jobs}

    assert found(dicom) == {"LIDC-IDRI-0002_series": "LIDC-IDRI-0002"}
    small = Volume(np.zeros((3, 4, 5), np.int16), Geometry.regular((3, 4, 5), (1, 1, 1)))
    for name in ("LIDC-IDRI-0003/a.nii.gz", "LIDC-IDRI-0003/b/a.mha", "x/LIDC-IDRI-0004.nrrd", "x/LIDC-IDRI-0005.mha"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        write_volume(small, tmp_path / name)
    assert found(tmp_path) == {
        "LIDC-IDRI-0003_a": "LIDC-IDRI-0003",
        "LIDC-IDRI-0003_b_a": "LIDC-IDRI-0003",
        "LIDC-IDRI-0004_x": "LIDC-IDRI-0004",
    }
    assert find_sources(tmp_path, Failures()).left_out == ("LIDC-IDRI-0005_x",)


def test_the_archives_folders_give_the_published_names(tmp_path):
    small = Volume(np.zeros((3, 4, 5), np.int16), Geometry.regular((3, 4, 5), (1, 1, 1)))
    series = tmp_path / "LIDC-IDRI-0001" / "01-01-2000-NA-NA-30178" / "3000566.000000-NA-03192"
    write_series(small, series, patient="LIDC-IDRI-0001")
    (job,) = find_sources(tmp_path, Failures()).jobs
    assert job.key == "LIDC-IDRI-0001_01-01-2000-NA-NA-30178_3000566.000000-NA-03192"


def test_a_renamed_held_out_patient_does_not_slip_in(tmp_path):
    small = Volume(np.zeros((3, 4, 5), np.int16), Geometry.regular((3, 4, 5), (1, 1, 1)))
    write_series(small, tmp_path / "LIDC-IDRI-0011" / "ct", patient="LIDC-IDRI-0010")
    failures = Failures()
    assert find_sources(tmp_path, failures).jobs == ()
    assert "its DICOM Patient ID is LIDC-IDRI-0010" in next(iter(failures)).error
    uid = lidc_read("LIDC-IDRI-0010").series_uid
    (tmp_path / "read.xml").write_text(outlines_xml(uid, [0.0]))
    with pytest.raises(InputError, match="is LIDC-IDRI-0010's, not LIDC-IDRI-0011's"):
        truth_of(Job("a", "LIDC-IDRI-0011", tmp_path, uid), torso())


def test_two_cts_never_share_a_key(tmp_path):
    small = Volume(np.zeros((3, 4, 5), np.int16), Geometry.regular((3, 4, 5), (1, 1, 1)))
    for name in ("LIDC-IDRI-0003.nii.gz", "LIDC-IDRI-0003.mha", "LIDC-IDRI-0003.nrrd"):
        write_volume(small, tmp_path / name)
    assert len({job.key for job in find_sources(tmp_path, Failures()).jobs}) == 3


def test_a_ct_that_says_nothing_or_is_another_is_a_recorded_failure(tmp_path):
    write_volume(torso(), tmp_path / "in" / "LIDC-IDRI-0002.nii.gz")
    write_volume(torso(), tmp_path / "in" / "someone.nii.gz")
    (tmp_path / "in" / "LIDC-IDRI-0003.nii.gz").write_bytes((tmp_path / "in" / "someone.nii.gz").read_bytes()[:2000])
    with pytest.raises(InputError, match="no pair came out"):
        prepare_drr_pairs(tmp_path / "in", tmp_path / "out")
    found = json.loads((tmp_path / "out" / "failures.json").read_text())
    errors = {failure["input"]: failure["error"] for failure in found}
    assert "is not this CT: it has 261 slices, this CT 40" in errors["LIDC-IDRI-0002"]
    assert "breaks off" in errors["LIDC-IDRI-0003"]
    assert "whose CT" in errors["someone.nii.gz"]


def test_the_truth_is_of_the_very_series(whole_slices):
    ct = to_lps_axes(read_volume(sample_ct_path()))
    job = Job("a", "LIDC-IDRI-0001", sample_ct_path())
    assert truth_of(job, ct).patient == "LIDC-IDRI-0001"
    with pytest.raises(GeometryError, match="it has 133 slices, this CT 132"):
        truth_of(job, ct.crop((1, 0, 0), (132, 512, 512)))
    with pytest.raises(GeometryError, match="this CT has 512 × 500"):
        truth_of(job, ct.crop((0, 0, 0), (133, 512, 500)))
    with pytest.raises(InputError, match=r"1\.2\.3"):
        truth_of(Job("a", "LIDC-IDRI-0001", sample_ct_path(), "1.2.3"), ct)


def failed(folder):
    """What `find_sources` records about a folder, by input."""
    failures = Failures()
    without_ct = find_sources(folder, failures).without_ct
    return {failure.input: failure.error for failure in (*failures, *without_ct)}


@pytest.mark.parametrize("name", ["ct.nii.gz", "ct.nii", "z.mhd", "z.mha", "z.NRRD", "1-001.dcm"])
@pytest.mark.parametrize("content", [b"junk, no volume", b"", b"\x00\x07\xff" * 2000, b"\x1f\x8b\x08\x00junk"])
def test_a_file_that_is_only_called_a_volume_is_a_recorded_failure(tmp_path, name, content):
    path = tmp_path / "LIDC-IDRI-0002" / name
    path.parent.mkdir()
    path.write_bytes(content)
    (tmp_path / "LIDC-IDRI-0002" / "notes.txt").write_bytes(content)  # promises nothing
    assert list(failed(tmp_path)) == [f"LIDC-IDRI-0002/{name}"]


def test_junk_among_sound_cts_is_in_the_data_set_s_failures(dicom, tmp_path):
    (tmp_path / "in" / "LIDC-IDRI-0003").mkdir(parents=True)
    (tmp_path / "in" / "LIDC-IDRI-0003" / "ct.nii.gz").write_bytes(b"junk")
    (tmp_path / "in" / "a").symlink_to(dicom / "series")
    made = prepare_drr_pairs(tmp_path / "in", tmp_path / "out")
    assert made.cases == 1  # the linked folder's
    assert [failure.input for failure in made.failures] == ["LIDC-IDRI-0003/ct.nii.gz"]
    assert "called like a volume" in json.loads((tmp_path / "out" / "failures.json").read_text())[0]["error"]


def test_a_dicom_folder_without_a_ct_is_a_recorded_failure_and_one_with_is_not(dicom, tmp_path):
    import pydicom

    first, second, *_ = sorted((dicom / "series").glob("*.dcm"))
    for folder, paths in (("xray", [first]), ("mixed", [first, second])):
        (tmp_path / folder).mkdir()
        for number, path in enumerate(paths):
            one = pydicom.dcmread(path)
            one.Modality = "DX" if number == 0 else "CT"
            one.save_as(tmp_path / folder / f"{number}.dcm")
    assert list(failed(tmp_path)) == ["xray"]
    assert "no CT (modality: DX)" in failed(tmp_path)["xray"]
    assert [job.path.name for job in find_sources(tmp_path, Failures()).jobs] == ["mixed"]


def test_x_rays_beside_the_cts_are_recorded_and_do_not_stop_the_run(dicom, tmp_path):
    import pydicom

    xray = pydicom.dcmread(min((dicom / "series").glob("*.dcm")))
    xray.Modality = "DX"
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "ct").symlink_to(dicom / "series")
    for name in ("a", "b"):
        (tmp_path / "in" / name).mkdir()
        xray.save_as(tmp_path / "in" / name / "1.dcm")
    made = prepare_drr_pairs(tmp_path / "in", tmp_path / "out", PrepareOptions(max_failures=0))
    assert made.cases == 1
    assert [one["input"] for one in json.loads((tmp_path / "out" / "failures.json").read_text())] == ["a", "b"]


def test_linked_folders_are_followed_once_and_never_round(dicom, tmp_path):
    source = tmp_path / "in"
    (source / "LIDC-IDRI-0002").mkdir(parents=True)
    (source / "LIDC-IDRI-0002" / "ct").symlink_to(dicom / "series")
    (source / "LIDC-IDRI-0002" / "round").symlink_to(source)
    (source / "again").symlink_to(source / "LIDC-IDRI-0002")
    (source / "gone").symlink_to(tmp_path / "nowhere")
    assert [job.key for job in find_sources(source, Failures()).jobs] == ["LIDC-IDRI-0002_ct"]
    assert failed(source) == {"gone": f"{source / 'gone'} is a link that leads nowhere."}


def test_a_rendered_nodule_carries_what_hilum_drr_says_of_it(dicom, tmp_path):
    """The square prism of the outlines is 4 voxels of 5 mm deep."""
    (case,) = prepared(dicom, tmp_path / "out", Variation())["cases"]
    truth = (tmp_path / "out" / case["nodules"]).parent
    content = json.loads((truth / "nodules.json").read_text())
    (nodule,) = content["nodules"]
    chord_mm = pixels(truth / nodule["chord"]) * content["study"]["chord_mm_per_step"]
    assert pixels(truth / nodule["chord"]).dtype == np.uint16
    assert chord_mm.max() == pytest.approx(4 * 5)
    assert chord_mm.sum() * 5 * 5 == pytest.approx(nodule["volume_mm3"])  # seen from the front, a pixel a voxel
    assert str((truth / nodule["chord"]).relative_to(tmp_path / "out")) in case["files"]
    shadow = nodule["shadow"]
    assert (shadow["longest_chord_mm"], shadow["mean_chord_mm"]) == pytest.approx((20, 20))
    assert shadow["silhouette_px"] == nodule["silhouette_px"] == 12
    assert shadow["contribution_mean"] <= shadow["contribution_max"]
    assert nodule["visibility"] == shadow["visibility"]


def test_the_sample_s_pair_and_its_drr_measure_the_same(sample, tmp_path):
    from hilum.workflows.drr import DrrRequest, run_drr

    (case,) = prepared(sample, tmp_path / "out", Variation())["cases"]
    (pair,) = json.loads((tmp_path / "out" / case["nodules"]).read_text())["nodules"]
    run_drr(sample_ct_path(), tmp_path / "drr", DrrRequest(nodules="lidc:LIDC-IDRI-0001"))
    (alone,) = json.loads((tmp_path / "drr" / "nodules.json").read_text())["nodules"]
    assert 0 < pair["visibility"] == pair["shadow"]["visibility"] < 1
    for name in ("longest_chord_mm", "mean_chord_mm", "contribution_mean", "cnr", "own_cnr", "diameter_mm"):
        assert pair["shadow"][name] == pytest.approx(alone["shadow"][name], rel=1e-3), name
    truth = (tmp_path / "out" / case["nodules"]).parent
    assert np.array_equal(pixels(truth / pair["chord"]), pixels(tmp_path / "drr" / "thickness.png"))


WIDE = Variation(
    styles=(Style.RADIOGRAPH, Style.RAW),
    photons_per_mm2=(1e5, 1.6e6),
    scatter=(0.1, 0.5),
    blur_mm=(0.05, 0.25),
    beams=(Beam.PARALLEL, Beam.CONE),
)


def test_what_was_drawn_is_recorded_and_its_geometry_maps_nodules(dicom, tmp_path):
    variation = replace(WIDE, views=4)
    cases = prepared(dicom, tmp_path / "out", variation, seed=1)["cases"]
    looks = [draw_look(variation, "LIDC-IDRI-0002_series", view, 1) for view in (1, 2, 3, 4)]
    assert {look.beam for look in looks} == set(WIDE.beams)
    for case, look in zip(cases, looks, strict=True):
        told = case["rendering"]
        names = ("style", "beam", "photons_per_mm2", "scatter", "blur_mm")
        assert [told[name] for name in names] == [getattr(look, name) for name in names]
        truth = (tmp_path / "out" / case["nodules"]).parent
        geometry = json.loads((truth / "geometry.json").read_text())
        assert geometry["beam"] == look.beam
        (nodule,) = json.loads((truth / "nodules.json").read_text())["nodules"]
        column, row, w = np.array(geometry["matrix"]) @ [*nodule["centre_lps_mm"], 1]
        assert [row / w, column / w] == pytest.approx(nodule["centre_px"], abs=0.5)
        assert nodule["shadow"]["magnification"] == pytest.approx(1.16 if look.beam is Beam.CONE else 1, abs=0.05)
