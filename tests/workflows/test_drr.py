"""A CT becomes an X-ray: nodules land where the geometry says, and what goes wrong is said."""

import json
import zipfile

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import ndimage

from hilum.core import (
    Geometry,
    GeometryError,
    InputError,
    Mask,
    Nodule,
    OutputError,
    UnitError,
    UnreadableError,
    View,
    Volume,
)
from hilum.drr.display import RAW_STEP, Style
from hilum.drr.exposure import Exposure, Spectrum
from hilum.drr.projection import Beam, Pose, Setup
from hilum.drr.room import Room
from hilum.io import read_mask, read_radiograph, read_volume, write_mask, write_volume
from hilum.io.dicom import write_series
from hilum.io.installed import SAMPLE_PATIENT, sample_ct_path
from hilum.io.lidc import lidc_read
from hilum.io.nodules_file import write_nodules
from hilum.ops import OutlineRule, to_lps_axes
from hilum.workflows.drr import DrrRequest, read_projection, run_drr
from hilum.workflows.drr_nodules import find_subjects, subjects_of_read
from tests.shapes import ellipsoid, rotated

GRID = Geometry.regular((80, 90, 100), (2.5, 2.5, 2.5), (-123.75, -111.25, -700))
PLACES = {"1": (-50.0, 10.0, -600.0), "2": (55.0, -20.0, -560.0)}


def chest(geometry=GRID, extra=()):
    """A trunk with two lungs, and two balls of 12 mm radius in them."""
    x, y, _ = np.moveaxis(geometry.to_lps_mm(np.moveaxis(np.indices(geometry.shape_zyx), 0, -1)), -1, 0)
    hu = np.where((x / 110) ** 2 + (y / 80) ** 2 <= 1, 30, -1000)
    hu[((np.abs(x) - 50) / 38) ** 2 + (y / 55) ** 2 <= 1] = -860
    for place in PLACES.values():
        hu[ellipsoid(geometry, place, (12, 12, 12))] = 40
    return Volume(hu.astype(np.int16), geometry)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A CT, a mask of its two nodules, and a list of them."""
    place = tmp_path_factory.mktemp("drr")
    write_volume(chest(), place / "ct.nii.gz")
    labels = np.zeros(GRID.shape_zyx, np.uint8)
    for name, centre in PLACES.items():
        labels[ellipsoid(GRID, centre, (12, 12, 12))] = int(name)
    write_mask(Mask(labels, GRID), place / "nodules.nii.gz")
    write_mask(Mask((labels > 0).astype(np.uint8), GRID), place / "union.nii.gz")
    listed = [Nodule(name, centre, volume_mm3=4 / 3 * np.pi * 12**3) for name, centre in PLACES.items()]
    listed += [Nodule("outside", (0.0, 0.0, 900.0), volume_mm3=100.0), Nodule("nowhere", volume_mm3=100.0)]
    listed += [Nodule("sizeless", (0.0, 0.0, -600.0))]
    write_nodules(place / "nodules.json", {}, listed)
    return place


def made(out):
    nodules = json.loads((out / "nodules.json").read_text(encoding="utf-8"))
    return nodules, read_projection(out / "geometry.json"), read_radiograph(out / "xray.png").array


ROOMS = [
    Setup(view=view, beam=beam, pixel_mm=1.5, source_detector_mm=1300, source_patient_mm=1100, pose=pose)
    for view, beam, pose in [
        (View.AP, Beam.PARALLEL, Pose()),
        (View.PA, Beam.CONE, Pose((3, -4, 6), (5, 0, -8))),
        (View.LATERAL, Beam.CONE, Pose()),
        (View.OBLIQUE, Beam.CONE, Pose((0, 2, 0))),
    ]
]


@pytest.mark.parametrize("setup", ROOMS, ids=lambda setup: f"{setup.view}-{setup.beam}")
def test_nodules_land_where_geometry_json_says_in_all_views(folder, tmp_path, setup):
    request = DrrRequest(Room(setup, style=Style.RAW), str(folder / "nodules.nii.gz"))
    run_drr(folder / "ct.nii.gz", tmp_path / "out", request)
    nodules, projection, picture = made(tmp_path / "out")
    assert [one["id"] for one in nodules["nodules"]] == ["1", "2"]
    together = np.zeros(picture.shape, dtype=bool)
    for one in nodules["nodules"]:
        said = projection.to_pixel(PLACES[one["id"]])
        assert np.abs(np.array(one["centre_px"]) - said).max() < 0.5
        silhouette = read_radiograph(tmp_path / "out" / one["mask"]).array > 0
        found = np.array(ndimage.center_of_mass(silhouette))
        assert np.abs(found - said).max() < 0.5
        assert one["shadow"]["silhouette_px"] == silhouette.sum()
        assert one["shadow"]["diameter_mm"] == pytest.approx(24, rel=0.05)
        assert one["shadow"]["longest_chord_mm"] == pytest.approx(24, abs=2.6)
        together |= silhouette
    assert_array_equal(read_radiograph(tmp_path / "out" / "mask.png").array > 0, together)
    thickness_mm = read_radiograph(tmp_path / "out" / "thickness.png").array * 0.01
    longest = [one["shadow"]["longest_chord_mm"] for one in nodules["nodules"]]
    assert max(longest) - 0.006 <= thickness_mm.max() <= sum(longest) + 0.006


def test_the_picture_itself_shows_the_nodule_there(folder, tmp_path):
    """The raw picture of the CT with a ball less that without it is the ball, at the pixel and as thick as said."""
    room = Room(ROOMS[1], style=Style.RAW)
    bare = chest()
    bare.array[ellipsoid(GRID, PLACES["2"], (12, 12, 12))] = -860
    write_volume(bare, tmp_path / "bare.nii.gz")
    run_drr(folder / "ct.nii.gz", tmp_path / "with", DrrRequest(room, str(folder / "nodules.nii.gz")))
    run_drr(tmp_path / "bare.nii.gz", tmp_path / "without", DrrRequest(room))
    nodules, projection, picture = made(tmp_path / "with")
    added = (picture.astype(float) - made(tmp_path / "without")[2]) * RAW_STEP
    found = np.array([(added * grid).sum() for grid in np.indices(added.shape)]) / added.sum()
    assert np.abs(found - projection.to_pixel(PLACES["2"])).max() < 0.5
    shadow = nodules["nodules"][1]["shadow"]
    silhouette = read_radiograph(tmp_path / "with" / "masks" / "nodule-2.png").array > 0
    assert shadow["contribution_mean"] == pytest.approx(added[silhouette].mean(), rel=0.05)
    assert shadow["contribution_max"] == pytest.approx(added.max(), rel=0.1)


def test_a_mask_of_parts_is_as_many_nodules(folder):
    parts = find_subjects(str(folder / "union.nii.gz"), chest())
    labels = find_subjects(str(folder / "nodules.nii.gz"), chest())
    assert len(parts) == 2
    assert {one.nodule.centre_lps_mm for one in parts} == {one.nodule.centre_lps_mm for one in labels}


def test_a_list_of_nodules_becomes_balls_and_none_is_lost(folder, tmp_path):
    result = run_drr(folder / "ct.nii.gz", tmp_path / "out", DrrRequest(nodules=str(folder / "nodules.json")))
    entries = {one["id"]: one for one in made(tmp_path / "out")[0]["nodules"]}
    assert result.nodules == (5, 2)
    assert [entries[name]["in_view"] for name in ("1", "2", "outside", "nowhere", "sizeless")] == [True] * 2 + [
        False
    ] * 3
    assert entries["1"]["note"] == "drawn as a ball of 24.0 mm"
    assert entries["1"]["shadow"]["silhouette_mm2"] == pytest.approx(np.pi * 12**2, rel=0.04)
    said = "\n".join(result.warnings)
    for words in ("nodule outside is not in the picture: its centre (0.0, 0.0, 900.0) mm lies outside the CT",):
        assert words in said
    assert "nodule nowhere is not in the picture: its file doesn't say where it is" in said
    assert "nodule sizeless is not in the picture: its file doesn't say how large it is" in said
    assert entries["sizeless"]["centre_px"] is not None
    assert json.loads((tmp_path / "out" / "geometry.json").read_text())["warnings"] == list(result.warnings)


def test_no_two_nodules_share_a_mask_file(folder, tmp_path):
    ids = ["../../x", ".._.._x", "1", "1", "A", "a", "é" * 300, "1-2"]
    centres = [(-50.0 + 12 * number, 0.0, -600.0) for number in range(len(ids))]
    listed = [Nodule(name, centre, volume_mm3=300.0) for name, centre in zip(ids, centres, strict=True)]
    write_nodules(tmp_path / "nodules.json", {}, listed)
    run_drr(folder / "ct.nii.gz", tmp_path / "out", DrrRequest(nodules=str(tmp_path / "nodules.json")))
    nodules, projection, _ = made(tmp_path / "out")
    names = [one["mask"] for one in nodules["nodules"]]
    assert len({name.lower() for name in names}) == len(ids)
    assert names[:4] == [f"masks/nodule-{name}.png" for name in (".._.._x", ".._.._x-2", "1", "1-2")]
    for name, centre in zip(names, centres, strict=True):
        found = ndimage.center_of_mass(read_radiograph(tmp_path / "out" / name).array > 0)
        assert np.abs(np.array(found) - projection.to_pixel(centre)).max() < 1


def test_a_nodule_beside_the_detector_is_told(folder, tmp_path):
    room = Room(Setup(pixel_mm=2.0, shape_yx=(100, 60), pose=Pose(shift_mm=(45, 0, 0))))
    result = run_drr(folder / "ct.nii.gz", tmp_path / "out", DrrRequest(room, str(folder / "nodules.nii.gz")))
    assert result.nodules == (2, 1)
    assert any("its shadow falls beside the detector" in warning for warning in result.warnings)
    assert any("only a part of the CT's shadow" in warning for warning in result.warnings)
    entries = {one["id"]: one for one in made(tmp_path / "out")[0]["nodules"]}
    assert entries["2"]["shadow"] is None
    assert entries["2"]["centre_px"][1] > 60, "where it would be is still said"


def test_the_same_run_is_done_and_options_make_another(folder, tmp_path):
    request = DrrRequest(nodules=str(folder / "nodules.nii.gz"))
    first = run_drr(folder / "ct.nii.gz", tmp_path / "out", request)
    again = run_drr(folder / "ct.nii.gz", tmp_path / "out", request)
    assert (first.was_done, again.was_done) == (False, True)
    assert again.nodules == first.nodules
    with pytest.raises(OutputError, match="--force"):
        run_drr(folder / "ct.nii.gz", tmp_path / "out", DrrRequest(seed=1))
    assert not run_drr(folder / "ct.nii.gz", tmp_path / "out", DrrRequest(seed=1), force=True).was_done


def test_noise_is_the_seeds_and_blur_and_scatter_change_the_picture(folder, tmp_path):
    def picture(name, seed=0, **exposure):
        request = DrrRequest(Room(exposure=Exposure(**exposure), style=Style.RAW), seed=seed)
        run_drr(folder / "ct.nii.gz", tmp_path / name, request)
        return made(tmp_path / name)[2].astype(float)

    ideal = picture("ideal")
    noisy, same, other = (picture(name, seed, photons_per_mm2=1e4) for name, seed in (("a", 3), ("b", 3), ("c", 4)))
    assert_array_equal(noisy, same)
    assert (noisy != other).any()
    inside = np.s_[30:50, 45:55]
    error = ((noisy - ideal) * RAW_STEP)[inside].std()
    expected = np.sqrt(np.exp(ideal * RAW_STEP)[inside].mean() / (1e4 * 2.5**2))
    assert error == pytest.approx(expected, rel=0.15), "σ of −ln is 1/√N"
    veiled = picture("d", scatter_fraction=0.5)
    assert np.ptp(veiled[30:50, 20:80]) < 0.8 * np.ptp(ideal[30:50, 20:80])


def test_a_spectrum_is_the_sum_of_its_signals(folder, tmp_path):
    """The signals add up, not their logarithms: what is hidden behind much is seen by the harder rays (Jensen)."""

    def minus_log(name, energies, weights):
        exposure = Exposure(spectrum=Spectrum(energies, weights))
        run_drr(folder / "ct.nii.gz", tmp_path / name, DrrRequest(Room(exposure=exposure, style=Style.RAW)))
        return made(tmp_path / name)[2].astype(float) * RAW_STEP

    soft, hard = minus_log("soft", (45.0,), (1.0,)), minus_log("hard", (90.0,), (1.0,))
    both = minus_log("both", (45.0, 90.0), (3.0, 1.0))
    assert_allclose(both, -np.log(0.75 * np.exp(-soft) + 0.25 * np.exp(-hard)), atol=2 * RAW_STEP)
    behind_much = soft > 1
    assert behind_much.any()
    assert (both[behind_much] < (0.75 * soft + 0.25 * hard)[behind_much] - 5 * RAW_STEP).all()


def test_own_contrast_falls_with_scatter_and_noise(folder, tmp_path):
    def own(name, **exposure):
        request = DrrRequest(Room(exposure=Exposure(**exposure)), str(folder / "nodules.nii.gz"))
        run_drr(folder / "ct.nii.gz", tmp_path / name, request)
        return made(tmp_path / name)[0]["nodules"][0]["shadow"]

    quiet, grainy = own("a", photons_per_mm2=1e6), own("b", photons_per_mm2=300.0)
    veiled = own("c", photons_per_mm2=300.0, scatter_fraction=0.6)
    assert quiet["own_cnr"] > 1.2 * grainy["own_cnr"] > 1.2**2 * veiled["own_cnr"] > 0
    assert quiet["visibility"] > grainy["visibility"] > veiled["visibility"]


def test_the_table_is_left_out_unless_it_is_kept(tmp_path):
    ct = chest()
    _, y, _ = np.moveaxis(GRID.to_lps_mm(np.moveaxis(np.indices(GRID.shape_zyx), 0, -1)), -1, 0)
    ct.array[(y > 98) & (y < 104)] = 300
    write_volume(ct, tmp_path / "table.nii.gz")
    write_volume(chest(), tmp_path / "bare.nii.gz")
    pictures = []
    for name, keep in (("table", False), ("table", True), ("bare", False)):
        run_drr(
            tmp_path / f"{name}.nii.gz", tmp_path / f"{name}-{keep}", DrrRequest(Room(style=Style.RAW, keep_table=keep))
        )
        pictures.append(made(tmp_path / f"{name}-{keep}")[2].astype(int))
    without, kept, bare = pictures
    assert_array_equal(without, bare)
    assert (kept - bare).min() * RAW_STEP > 0.1


def test_dicom_in_and_out_belong_together(folder, tmp_path):
    import pydicom

    write_series(chest(), tmp_path / "ct", patient="P9")
    run_drr(tmp_path / "ct", tmp_path / "out", DrrRequest(Room(ROOMS[1])))
    found = pydicom.dcmread(tmp_path / "out" / "xray.dcm")
    slices = [pydicom.dcmread(path, stop_before_pixels=True) for path in (tmp_path / "ct").iterdir()]
    assert found.PatientID == "P9"
    assert found.StudyInstanceUID == slices[0].StudyInstanceUID
    assert found.FrameOfReferenceUID == slices[0].FrameOfReferenceUID
    named = {item.ReferencedSOPInstanceUID for item in found.SourceImageSequence}
    assert named == {one.SOPInstanceUID for one in slices}
    assert (float(found.DistanceSourceToDetector), float(found.DistanceSourceToPatient)) == (1300, 1100)
    back = read_radiograph(tmp_path / "out" / "xray.dcm")
    assert back.pixel_mm == (1.5, 1.5)
    assert_array_equal(np.rint(back.array), made(tmp_path / "out")[2])


def test_a_turned_header_is_followed_and_told(tmp_path):
    """The grid is turned by 20° about the long axis: the picture stays the patient's, since points are LPS points."""
    turned = rotated(GRID, (0, 0, 20))
    x, y, z = np.moveaxis(turned.to_lps_mm(np.moveaxis(np.indices(turned.shape_zyx), 0, -1)), -1, 0)
    hu = np.where((x / 110) ** 2 + (y / 80) ** 2 <= 1, 30, -1000)
    hu[((x - 40) ** 2 + y**2 + (z + 600) ** 2) <= 12**2] = 1500
    write_volume(Volume(hu.astype(np.int16), turned), tmp_path / "ct.mha")
    result = run_drr(tmp_path / "ct.mha", tmp_path / "out", DrrRequest(Room(Setup(pixel_mm=1.0), style=Style.RAW)))
    assert any("turned by 20°" in warning for warning in result.warnings)
    _, projection, picture = made(tmp_path / "out")
    signal = picture * RAW_STEP
    smooth = ndimage.gaussian_filter(signal, 3) - ndimage.gaussian_filter(signal, 15)
    found = np.array(np.unravel_index(smooth.argmax(), smooth.shape))
    assert np.abs(found - projection.to_pixel((40, 0, -600))).max() < 3


def test_slices_that_are_not_stacked_from_foot_to_head_are_told(tmp_path):
    """Axial slices under a header that calls them coronal or sagittal, and upright ones without a word."""
    for name, turn, words in (
        ("coronal", (90, 0, 0), "stacked from back to front, not from foot to head"),
        ("sagittal", (0, 90, 0), "stacked from right to left, not from foot to head"),
        ("axial", (0, 0, 0), None),
    ):
        write_volume(Volume(chest().array, rotated(GRID, turn)), tmp_path / f"{name}.mha")
        result = run_drr(tmp_path / f"{name}.mha", tmp_path / name, DrrRequest(Room(Setup(pixel_mm=3.0))))
        told = [warning for warning in result.warnings if "stacked" in warning]
        assert len(told) == (words is not None)
        assert all(words in warning for warning in told)


@pytest.mark.parametrize("style", Style)
@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_voxels_that_are_no_numbers_are_refused(tmp_path, style, number):
    hu = chest().array.astype(np.float32)
    hu[:2, :2, 0] = number
    write_volume(Volume(hu, GRID), tmp_path / "ct.nii.gz")
    with pytest.raises(InputError, match="4 of the CT's 720,000 voxels are no numbers"):
        run_drr(tmp_path / "ct.nii.gz", tmp_path / "out", DrrRequest(Room(style=style)))
    assert not (tmp_path / "out").exists()


def test_a_short_ct_is_told(tmp_path):
    write_volume(Volume(chest().array[:40], GRID.crop((0, 0, 0), (40, 90, 100))), tmp_path / "ct.nii.gz")
    result = run_drr(tmp_path / "ct.nii.gz", tmp_path / "out", DrrRequest())
    assert any("covers 98 mm from foot to head" in warning for warning in result.warnings)


def test_what_gives_no_picture_is_an_error_and_leaves_nothing(folder, tmp_path):
    eight_bit = np.clip((chest().array.astype(int) + 1000) // 8, 0, 255).astype(np.int16)
    write_volume(Volume(eight_bit, GRID), tmp_path / "grey.nii.gz")
    for keep in (False, True):
        with pytest.raises(UnitError, match="these values run from 0 to 130"):
            run_drr(tmp_path / "grey.nii.gz", tmp_path / "out", DrrRequest(Room(keep_table=keep)))
    write_volume(Volume(np.full(GRID.shape_zyx, -1000, np.int16), GRID), tmp_path / "air.nii.gz")
    with pytest.raises(InputError, match="there is no patient"):
        run_drr(tmp_path / "air.nii.gz", tmp_path / "out", DrrRequest())
    with pytest.raises(InputError, match="shows air only"):
        run_drr(tmp_path / "air.nii.gz", tmp_path / "out", DrrRequest(Room(keep_table=True)))
    miss = Setup(shape_yx=(50, 50), pose=Pose(shift_mm=(900, 0, 0)))
    with pytest.raises(GeometryError, match="the rays miss the volume"):
        run_drr(folder / "ct.nii.gz", tmp_path / "out", DrrRequest(Room(miss)))
    beside = Setup(pixel_mm=1.0, shape_yx=(200, 8), pose=Pose(shift_mm=(121, 0, 0)))
    with pytest.raises(InputError, match="shows air only"):
        run_drr(folder / "ct.nii.gz", tmp_path / "out", DrrRequest(Room(beside)))
    assert not (tmp_path / "out").exists()


def test_nodules_that_dont_belong_are_refused(folder, tmp_path):
    other = Geometry.regular(GRID.shape_zyx, (2.5, 2.5, 2.0))
    write_mask(Mask(np.ones(GRID.shape_zyx, np.uint8), other), tmp_path / "other.nii.gz")
    write_mask(Mask(np.zeros(GRID.shape_zyx, np.uint8), GRID), tmp_path / "empty.nii.gz")
    (tmp_path / "wrong.json").write_text('{"schema": "hilum.geometry/1"}')
    (tmp_path / "cut.json").write_text('{"schema": "hilum.nodules/1", "nodules": [{"centre_lps_mm": [1, 2]}]}')
    for source, error, words in [
        (str(tmp_path / "other.nii.gz"), GeometryError, "grid"),
        (str(tmp_path / "empty.nii.gz"), InputError, "is empty"),
        (str(tmp_path / "wrong.json"), UnreadableError, "no nodules.json"),
        (str(tmp_path / "cut.json"), UnreadableError, "damaged"),
        (str(tmp_path / "none.json"), InputError, "don't exist"),
        (f"lidc:{SAMPLE_PATIENT}", GeometryError, "count pixels of 512 × 512"),
        ("lidc:LIDC-IDRI-9999", InputError, "LIDC-IDRI-9999"),
    ]:
        with pytest.raises(error, match=words):
            run_drr(folder / "ct.nii.gz", tmp_path / "out", DrrRequest(nodules=source))
    assert not (tmp_path / "out").exists()


def test_organs_need_names(folder, tmp_path):
    labels = np.zeros(GRID.shape_zyx, np.uint8)
    labels[:, 5:10] = 3
    write_mask(Mask(labels, GRID), tmp_path / "organs.nii.gz")
    request = DrrRequest(nodules=str(folder / "nodules.nii.gz"), organs=tmp_path / "organs.nii.gz")
    (tmp_path / "structures.csv").write_text("structure,id\nrib_left_1,3\n")
    run_drr(folder / "ct.nii.gz", tmp_path / "out", request)
    overlap = made(tmp_path / "out")[0]["nodules"][0]["shadow"]["overlap"]
    assert overlap == {"ribs": 1.0}
    (tmp_path / "structures.csv").write_text("structure,id\nrib_left_1,third\n")
    with pytest.raises(UnreadableError, match=r"structures\.csv"):
        run_drr(folder / "ct.nii.gz", tmp_path / "two", request)


@pytest.mark.parametrize(
    "other", [{"setup": Setup(view=View.PA)}, {"exposure": Exposure(blur_mm=1)}, {"setup": Setup(pose=Pose((1, 0, 0)))}]
)
def test_the_sources_style_has_its_own_recipe(other):
    with pytest.raises(InputError, match="its own recipe"):
        Room(style=Style.SOURCE, **other)


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """LIDC-IDRI-0001 in the published style and in the physical one."""
    place = tmp_path_factory.mktemp("sample")
    for style in (Style.SOURCE, Style.RADIOGRAPH):
        run_drr(sample_ct_path(), place / style, DrrRequest(Room(style=style), f"lidc:{SAMPLE_PATIENT}"))
    return place


def test_the_sample_in_the_published_style_lies_on_its_own_geometry(sample):
    nodules, projection, picture = made(sample / "source")
    assert picture.dtype == np.uint8
    assert picture.shape == projection.shape_yx == (472, 512)
    assert nodules["nodules"][0]["shadow"]["own_cnr"] is None
    physical = made(sample / "radiograph")[0]["nodules"][0]
    assert_allclose(nodules["nodules"][0]["centre_px"], physical["centre_px"], atol=0.6)
    assert nodules["nodules"][0]["shadow"]["longest_chord_mm"] == pytest.approx(
        physical["shadow"]["longest_chord_mm"], abs=0.01
    )


def test_the_samples_published_mask_comes_out(real_data, tmp_path):
    (published,) = (real_data("lidc-drr") / "1-200").glob(f"{SAMPLE_PATIENT}_*_drr_mask.png")
    truth = read_mask(published).labels > 0
    room = Room(style=Style.SOURCE)
    for rule, expected in ((OutlineRule.OUTLINE, 0.99), (OutlineRule.INSIDE, 0.9)):
        request = DrrRequest(room, f"lidc:{SAMPLE_PATIENT}", consensus=0.0, rule=rule)
        run_drr(sample_ct_path(), tmp_path / rule, request)
        mask = read_radiograph(tmp_path / rule / "mask.png").array > 0
        overlap = 2 * (mask & truth).sum() / (mask.sum() + truth.sum())
        assert expected <= overlap <= expected + 0.08
    study = made(tmp_path / OutlineRule.OUTLINE)[0]["study"]
    assert (study["rule"], study["silhouette"][:9]) == ("outline", "as in the")


def test_the_samples_nodule_is_told_with_its_readers_and_overlaps(sample):
    entry = made(sample / "radiograph")[0]["nodules"][0]
    assert len(entry["reader_masks"]) == entry["reader_count"] == 4
    areas = [(read_radiograph(sample / "radiograph" / name).array > 0).sum() for name in entry["reader_masks"]]
    assert min(areas) <= entry["shadow"]["silhouette_px"] <= max(areas)
    assert entry["shadow"]["overlap"]["ribs"] > 0.5
    assert entry["shadow"]["overlap"]["spine"] == 0
    assert 0 < entry["shadow"]["visibility"] < 1
    assert entry["shadow"]["own_cnr"] > 0.5


def test_readers_xml_gives_the_same_nodules_as_the_database(real_data, tmp_path):
    uid = lidc_read(SAMPLE_PATIENT).series_uid.encode()
    with zipfile.ZipFile(real_data("lidc-xml") / "xml.zip") as archive:
        names = (name for name in archive.namelist() if name.endswith(".xml"))
        content = next(text for name in names if uid in (text := archive.read(name)) and b"<LidcReadMessage" in text)
    (tmp_path / "reader.xml").write_bytes(content)
    ct = read_volume(sample_ct_path())
    found, known = (find_subjects(source, ct) for source in (str(tmp_path / "reader.xml"), f"lidc:{SAMPLE_PATIENT}"))
    assert len(found) == len(known) == 1
    assert_array_equal(found[0].mask.labels, known[0].mask.labels)
    assert found[0].nodule.reader_count == len(found[0].readers) == 4


def test_readers_xml_of_another_patient_is_refused(real_data, tmp_path):
    uid = lidc_read("LIDC-IDRI-0002").series_uid.encode()
    with zipfile.ZipFile(real_data("lidc-xml") / "xml.zip") as archive:
        names = (name for name in archive.namelist() if name.endswith(".xml"))
        content = next(text for name in names if uid in (text := archive.read(name)) and b"<LidcReadMessage" in text)
    (tmp_path / "reader.xml").write_bytes(content)
    with pytest.raises(GeometryError, match=r"LIDC-IDRI-0002.* is not this CT"):
        run_drr(sample_ct_path(), tmp_path / "out", DrrRequest(nodules=str(tmp_path / "reader.xml")))


def test_a_dicom_series_is_known_by_its_uid(tmp_path):
    """The sample's own voxels in a series of another UID."""
    whole = to_lps_axes(read_volume(sample_ct_path()))
    write_series(whole.crop((0, 0, 0), (3, 512, 512)), tmp_path / "ct", patient="P9")
    with pytest.raises(GeometryError, match=r"its series is 1\.3\.6.*, this CT's is"):
        run_drr(tmp_path / "ct", tmp_path / "out", DrrRequest(nodules=f"lidc:{SAMPLE_PATIENT}"))
    assert not (tmp_path / "out").exists()


def test_outlines_above_the_ct_are_told():
    """The sample without its upper half, where the nodule is."""
    half = to_lps_axes(read_volume(sample_ct_path())).crop((0, 0, 0), (60, 512, 512))
    (lost,) = subjects_of_read(lidc_read(SAMPLE_PATIENT), half)
    assert lost.mask is None
    assert lost.note.startswith("it lies outside the CT")
    assert lost.nodule.reader_count == 4


@pytest.mark.parametrize("patient", ["LIDC-IDRI-0002", "LIDC-IDRI-0132"])
def test_another_patients_outlines_are_refused(tmp_path, patient):
    with pytest.raises(GeometryError, match=f"{patient}.* is not this CT: it has .* slices, this CT 133; it runs"):
        run_drr(sample_ct_path(), tmp_path / "out", DrrRequest(nodules=f"lidc:{patient}"))
    assert not (tmp_path / "out").exists()


def test_the_samples_lungs_are_dark_and_its_picture_16_bit(sample):
    _, projection, picture = made(sample / "radiograph")
    assert picture.dtype == np.uint16
    organs = {"right lung": (-60, 30, -130), "spine": (8, 130, -130), "liver": (-60, 30, -260)}
    grey = {
        name: picture[tuple(np.rint(projection.to_pixel(place)).astype(int))] / 65535 for name, place in organs.items()
    }
    assert grey["right lung"] < 0.4 < grey["liver"] < 0.95
    assert grey["spine"] > grey["liver"]
