"""Conversion changes the format, and neither values nor place."""

from dataclasses import replace

import numpy as np
import pytest

from hilum.core import Geometry, GeometryError, InputError, Mask, OutputError, Volume
from hilum.io import read_mask, read_radiograph, read_volume, write_mask, write_png, write_volume
from hilum.io.dicom import write_series
from hilum.workflows.convert import convert

GRID = Geometry.regular((6, 20, 22), (2.5, 0.7, 0.7), (-10, 20, -300))
CT = Volume(np.random.default_rng(5).integers(-1024, 3000, GRID.shape_zyx).astype(np.int16), GRID)


@pytest.mark.parametrize("names", [("a.nii.gz", "b.mhd", "c.nrrd", "series", "d.mha", "e.nii")])
def test_a_chain_through_every_format(names, tmp_path):
    write_volume(CT, tmp_path / "start.nii")
    last = tmp_path / "start.nii"
    for name in names:
        convert(last, tmp_path / name)
        last = tmp_path / name
    end = read_volume(last)
    assert end.array.dtype == np.int16
    index = np.rint(end.geometry.to_index(GRID.to_lps_mm(np.argwhere(CT.array > -5000)))).astype(int)
    np.testing.assert_array_equal(end.array[tuple(index.T)].reshape(CT.array.shape), CT.array)
    np.testing.assert_allclose(end.geometry.to_lps_mm((0, 0, 0)), GRID.to_lps_mm((0, 0, 0)), atol=1e-4)


def test_labels_stay_labels(tmp_path):
    write_mask(Mask.of(CT.array > 0, GRID), tmp_path / "m.nii.gz")
    assert isinstance(convert(tmp_path / "m.nii.gz", tmp_path / "m.nrrd").image, Mask)
    np.testing.assert_array_equal(read_mask(tmp_path / "m.nrrd", GRID).labels, CT.array > 0)
    with pytest.raises(OutputError, match="labels are no CT series"):
        convert(tmp_path / "m.nrrd", tmp_path / "series")


def test_sixteen_bits_stay_sixteen(tmp_path):
    pixels = np.random.default_rng(6).integers(0, 65536, (30, 40)).astype(np.uint16)
    write_png(pixels, tmp_path / "a.png")
    convert(tmp_path / "a.png", tmp_path / "b.png")
    np.testing.assert_array_equal(read_radiograph(tmp_path / "b.png").array, pixels)


@pytest.mark.parametrize("name", ["b.nii.gz", "b.mhd"])
def test_what_is_there_is_kept_unless_forced(name, tmp_path):
    write_volume(CT, tmp_path / "a.nii")
    (tmp_path / name).write_text("precious")
    with pytest.raises(OutputError, match="exists already"):
        convert(tmp_path / "a.nii", tmp_path / name)
    assert (tmp_path / name).read_text() == "precious"
    convert(tmp_path / "a.nii", tmp_path / name, force=True)
    np.testing.assert_array_equal(read_volume(tmp_path / name).array, CT.array)


def test_the_voxels_of_another_mhd_are_kept(tmp_path):
    write_volume(CT, tmp_path / "a.nii")
    (tmp_path / "b.raw").write_text("precious")
    with pytest.raises(OutputError, match=r"b\.raw exists already"):
        convert(tmp_path / "a.nii", tmp_path / "b.mhd")


def test_a_folder_is_never_replaced(tmp_path):
    write_volume(CT, tmp_path / "a.nii")
    (tmp_path / "series").mkdir()
    (tmp_path / "series" / "precious").touch()
    with pytest.raises(OutputError, match="holds something already"):
        convert(tmp_path / "a.nii", tmp_path / "series", force=True)


@pytest.mark.parametrize("name", ["b.txt", "b.jpg", "b.img"])
def test_an_unknown_ending(name, tmp_path):
    write_volume(CT, tmp_path / "a.nii")
    with pytest.raises(OutputError, match="names no format"):
        convert(tmp_path / "a.nii", tmp_path / name)


def test_a_picture_is_no_volume(tmp_path):
    write_png(np.eye(30, dtype=np.uint8), tmp_path / "a.png")
    with pytest.raises(InputError):
        convert(tmp_path / "a.png", tmp_path / "b.nii")


def test_an_outline_needs_its_ct(real_data, tmp_path):
    root = real_data("ibsi-ct") / "ibsi_1_ct_radiomics_phantom" / "dicom"
    outline = next((root / "mask").iterdir())
    with pytest.raises(InputError, match=r"without a grid.*--like CT"):
        convert(outline, tmp_path / "m.nii.gz")
    mask = convert(outline, tmp_path / "m.nii.gz", like=root / "image").image
    assert isinstance(mask, Mask)
    assert mask.labels.any()


COARSE = Geometry.regular((6, 10, 11), (2.5, 1.4, 1.4), (-9.65, 20.35, -300))
"""Every second pixel edge is one of `GRID`'s."""


def test_a_mask_is_brought_to_another_grid_by_its_nearest_voxels(tmp_path):
    labels = np.zeros(COARSE.shape_zyx, np.uint8)
    labels[2:4, 3:6, 4:9], labels[1, 1, 1] = 1, 2
    write_mask(Mask(labels, COARSE), tmp_path / "coarse.nii.gz")
    write_volume(CT, tmp_path / "ct.nii")
    done = convert(tmp_path / "coarse.nii.gz", tmp_path / "fine.nii.gz", like=tmp_path / "ct.nii")
    fine = read_mask(tmp_path / "fine.nii.gz", GRID).labels
    np.testing.assert_array_equal(fine, np.repeat(np.repeat(labels, 2, axis=1), 2, axis=2))
    assert len(done.notes) == 1
    assert "resampled to the grid of" in done.notes[0]


def test_a_ct_is_brought_to_another_grid_by_interpolation(tmp_path):
    ramp = np.broadcast_to(np.arange(22, dtype=np.int16) * 10, GRID.shape_zyx).copy()  # 10 HU a pixel of .7 mm
    write_volume(Volume(ramp - 500, GRID), tmp_path / "ct.nii")
    write_volume(Volume(np.zeros(COARSE.shape_zyx, np.int16) - 500, COARSE), tmp_path / "coarse.nii")
    convert(tmp_path / "ct.nii", tmp_path / "out.nii", like=tmp_path / "coarse.nii")
    out = read_volume(tmp_path / "out.nii")
    assert out.geometry.is_same_grid(COARSE)
    np.testing.assert_allclose(out.array[2, 4], np.arange(11) * 20 + 5 - 500, atol=1e-3)


def test_on_its_own_grid_nothing_changes_and_nothing_is_said(tmp_path):
    write_volume(CT, tmp_path / "ct.nii")
    done = convert(tmp_path / "ct.nii", tmp_path / "out.mha", like=tmp_path / "ct.nii")
    assert done.notes == ()
    np.testing.assert_array_equal(read_volume(tmp_path / "out.mha").array, CT.array)


def test_a_mask_elsewhere_is_refused(tmp_path):
    away = Geometry.regular(GRID.shape_zyx, GRID.spacing_zyx_mm, (500, 500, 500))
    write_mask(Mask.of(CT.array > 0, away), tmp_path / "m.nii.gz")
    write_volume(CT, tmp_path / "ct.nii")
    with pytest.raises(GeometryError, match="no label lies on a voxel"):
        convert(tmp_path / "m.nii.gz", tmp_path / "out.nii", like=tmp_path / "ct.nii")
    assert not (tmp_path / "out.nii").exists()


def test_another_frame_of_reference_is_refused(tmp_path):
    for name, frame in (("a", "1.2.3"), ("b", "1.2.4")):
        write_series(Volume(CT.array, replace(GRID, frame_uid=frame)), tmp_path / name)
    with pytest.raises(GeometryError, match="frame of reference"):
        convert(tmp_path / "a", tmp_path / "out.nii", like=tmp_path / "b")


@pytest.mark.parametrize(
    ("source", "target", "options", "words"),
    [
        ("ct.nii", "out.nii", {"series": "9999"}, "--series is for DICOM"),
        ("ct.nii", "out.nii", {"repair": True}, "--repair is for DICOM"),
        ("ct.nii", "out.nii", {"series": "1", "repair": True}, "--series and --repair are for DICOM"),
        ("mask.nii", "out.nii", {"repair": True}, "--repair is for DICOM"),
        ("ct.nii", "out.nii", {"structure": "GTV"}, "a structure can be chosen"),
        ("film.png", "out.png", {"series": "1"}, "will be a radiograph; --series can't"),
        ("film.png", "out.png", {"structure": "GTV"}, "will be a radiograph; --structure can't"),
    ],
)
def test_options_that_do_not_apply_are_refused(tmp_path, source, target, options, words):
    write_volume(CT, tmp_path / "ct.nii")
    write_mask(Mask.of(CT.array > 0, GRID), tmp_path / "mask.nii")
    write_png(np.eye(30, dtype=np.uint8), tmp_path / "film.png")
    with pytest.raises(InputError, match=words):
        convert(tmp_path / source, tmp_path / target, **options)
    assert not (tmp_path / target).exists()


@pytest.mark.parametrize("dtype", [np.int16, np.uint8, np.float32])
def test_labels_are_told_by_their_numbers_not_by_their_type(tmp_path, dtype):
    blobs = np.zeros(GRID.shape_zyx, dtype)
    blobs[2:4, 5:12, 5:12], blobs[3, 15, 15] = 1, 7
    write_volume(Volume(blobs, GRID), tmp_path / "labels.nii")
    assert isinstance(convert(tmp_path / "labels.nii", tmp_path / "out.nii").image, Mask)


def test_an_8_bit_ct_is_no_mask(tmp_path):
    grey = np.random.default_rng(2).integers(0, 256, GRID.shape_zyx).astype(np.uint8)
    write_volume(Volume(grey, GRID), tmp_path / "grey.nii")
    assert isinstance(convert(tmp_path / "grey.nii", tmp_path / "out.nii").image, Volume)
    np.testing.assert_array_equal(read_volume(tmp_path / "out.nii").array, grey)
    write_mask(Mask.of(np.zeros(GRID.shape_zyx, bool), GRID), tmp_path / "empty.nii")
    assert isinstance(convert(tmp_path / "empty.nii", tmp_path / "out2.nii").image, Mask)


def test_a_film_keeps_its_stored_values(real_data, tmp_path):
    from hilum.io.dicom import read_dicom_radiograph

    film = real_data("dicom-odd") / "wg04/data/WG04/JLSL/RG2_JLSL"
    convert(film, tmp_path / "film.png")
    np.testing.assert_array_equal(
        read_radiograph(tmp_path / "film.png").array, read_dicom_radiograph(film, voi=False).array
    )
