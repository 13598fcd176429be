"""Conversion changes the format, and neither values nor place."""

import numpy as np
import pytest

from hilum.core import Geometry, InputError, Mask, OutputError, Volume
from hilum.io import read_mask, read_radiograph, read_volume, write_mask, write_png, write_volume
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


def test_a_film_keeps_its_stored_values(real_data, tmp_path):
    from hilum.io.dicom import read_dicom_radiograph

    film = real_data("dicom-odd") / "wg04/data/WG04/JLSL/RG2_JLSL"
    convert(film, tmp_path / "film.png")
    np.testing.assert_array_equal(
        read_radiograph(tmp_path / "film.png").array, read_dicom_radiograph(film, voi=False).array
    )
