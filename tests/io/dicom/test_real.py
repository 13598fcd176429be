"""Real DICOM: read as SimpleITK, nibabel and pydicom read it, or refused in one line."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from numpy.testing import assert_allclose, assert_array_equal

from hilum.core import AmbiguousError, Failures, Geometry, HilumError, SpacingError, Volume
from hilum.io.dicom import (
    describe_dicom,
    find_series,
    is_dicom,
    read_dicom_radiograph,
    read_rtstruct,
    read_seg,
    read_series,
    write_series,
)
from hilum.io.dicom.files import read_header
from hilum.io.dicom.instances import slices_of
from hilum.io.dicom.pixels import frames, frames_by_pydicom, pixel_source
from hilum.io.installed import sample_ct_path
from tests.conftest import DATA

ODD = "dicom-odd"
DAMAGED = {"badVR.dcm", "rtplan_truncated.dcm"}
IBSI = Path("ibsi_1_ct_radiomics_phantom")
ODD_FILES = sorted(str(p.relative_to(DATA / ODD)) for p in (DATA / ODD).rglob("*") if p.is_file()) or ["absent"]


def itk_series(folder: Path) -> sitk.Image:
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    return reader.Execute()


def nifti(path: Path) -> tuple[np.ndarray, Geometry]:
    image = nibabel.load(path)
    array = np.asarray(image.dataobj).T
    return array, Geometry(array.shape, np.diag([-1.0, -1, 1, 1]) @ image.affine)


def growth_over_int16(folder: Path) -> float:
    """Growth of the highest resident memory of a fresh interpreter that reads a series, over its int16 size."""
    code = (
        "import sys, pathlib\n"
        "def status():\n"
        "    lines = pathlib.Path('/proc/self/status').read_text().splitlines()\n"
        "    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith('VmHWM'))\n"
        "idle = status()\n"
        "from hilum.io.dicom import read_series\n"
        "array = read_series(pathlib.Path(sys.argv[1])).array\n"
        "print((status() - idle) / (array.size * 2))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True)
    return float(done.stdout)


def attempt(call: Callable[[], object]) -> object:
    """What a call gives; None for a refusal, which is one line that a person can read."""
    try:
        return call()
    except HilumError as error:
        refusal = error
    assert refusal.message
    assert "\n" not in str(refusal)
    return None


@pytest.mark.parametrize("name", ODD_FILES)
def test_every_odd_file_is_described_and_read_or_refused_in_one_line(real_data, name, capfd):
    path = real_data(ODD) / name
    described = attempt(lambda: describe_dicom(path))
    assert (described is not None) == (is_dicom(path) and path.name not in DAMAGED)
    for found in described or ():
        assert found.kind
        assert found.summary
        assert "\n" not in found.summary + "".join(found.odd)
    for read in (read_series, read_dicom_radiograph, read_seg):
        attempt(lambda read=read: read(path))
    assert capfd.readouterr() == ("", "")


def test_the_whole_odd_folder_is_described(real_data):
    found = describe_dicom(real_data(ODD), failures := Failures())
    assert {Path(failure.input).name for failure in failures} == DAMAGED
    kinds = {one.kind for one in found}
    assert {"CT series", "radiograph", "mask", "RT structure set", "structured report", "DICOM directory"} <= kinds
    with pytest.raises(HilumError):
        read_series(real_data(ODD))


@pytest.mark.parametrize("name", ["CT1", "CT2", "RG2"])
def test_every_lossless_coding_of_one_image_decodes_alike(real_data, name):
    codings = ("J2KR", "JLSL", "JPLL", "RLE")
    folder = real_data(ODD) / "wg04/data/WG04"
    files = [folder / coding / f"{name}_{coding}" for coding in codings]
    decoded = [next(frames(pixel_source(read_header(file)), [0])) for file in files if file.exists()]
    oracle = [pydicom.dcmread(file).pixel_array for file in files if file.exists()]
    assert decoded
    for one, other in zip(decoded, oracle, strict=True):
        assert_array_equal(one, decoded[0])
        assert_array_equal(one, other)


@pytest.mark.parametrize(
    "name",
    [
        "cip/Testing/Data/Input/simple_dicom/slice001.dcm",
        "cip/Testing/Data/Input/ct-64Dicom/IMG0001.dcm",
        "dcmqi/data/segmentations/23x38x3/multiframe/mf.dcm",
        "highdicom/data/test_files/dx_image.dcm",
    ],
)
def test_the_fast_path_and_pydicom_agree(real_data, name):
    source = pixel_source(read_header(real_data(ODD) / name))
    indices = list(range(source.frames))
    fast, plain = list(frames(source, indices)), list(frames_by_pydicom(source, indices))
    assert fast[0].dtype == plain[0].dtype
    assert_array_equal(fast, plain)


@pytest.mark.parametrize(
    "name",
    [
        "anon_apct.dcm",
        "wg04/data/WG04/J2KR/CT1_J2KR",
        "wg04/data/WG04/J2KI/CT2_J2KI",
        "wg04/data/WG04/JLSL/CT1_JLSL",
        "wg04/data/WG04/JLSN/CT2_JLSN",
        "wg04/data/WG04/JPLL/CT1_JPLL",
        "wg04/data/WG04/RLE/CT2_RLE",
        "dcmqi/data/segmentations/ct-3slice/02.dcm",
        "pydicom/src/pydicom/data/test_files/dicomdirtests/98892001/CT5N/2062",
    ],
)
def test_hu_of_every_coding_are_itks(real_data, name):
    volume, image = read_series(real_data(ODD) / name), sitk.ReadImage(real_data(ODD) / name)
    assert_array_equal(volume.array, sitk.GetArrayFromImage(image))
    assert volume.array.dtype == np.int16
    assert_allclose(volume.geometry.to_lps_mm((0, 5, 3)), image.TransformIndexToPhysicalPoint((3, 5, 0)), atol=1e-6)


def test_missing_slices_of_a_real_series(real_data):
    folder = real_data(ODD) / "cip/Testing/Data/Input/ct-64Dicom"
    with pytest.raises(SpacingError, match="37 missing"):
        read_series(folder)
    assert read_series(folder, repair=True).array.shape == (79, 64, 64)
    with pytest.raises(AmbiguousError, match="CTs of two patients"):
        read_series(real_data(ODD) / "cip")


def test_lung_pet_ct_dx_is_what_itk_reads(real_data):
    folder = real_data("lung-pet-ct-dx")
    volume, image = read_series(folder), itk_series(folder / "A0001-series2")
    assert_array_equal(volume.array, sitk.GetArrayFromImage(image))
    assert volume.array.dtype == np.int16
    assert_allclose(
        volume.geometry.to_lps_mm((63, 500, 3)), image.TransformIndexToPhysicalPoint((3, 500, 63)), atol=1e-6
    )
    (found,) = describe_dicom(folder)
    assert [note.split(":")[0] for note in found.odd] == [
        "thick slices (5 mm)",
        "its voxels are 5.9 times as long as they are wide",
    ]
    assert found.facts["patient"] == "Lung_Dx-A0001"
    assert find_series(folder)[0].z_range_mm == (-439, -124)


def test_ibsi_ct_is_the_same_through_dicom_and_nifti(real_data):
    root = real_data("ibsi-ct") / IBSI
    volume = read_series(root / "dicom/image")
    array, geometry = nifti(root / "nifti/image/phantom.nii.gz")
    assert_array_equal(volume.array, array)
    assert_allclose(volume.geometry.affine_lps, geometry.affine_lps, atol=0.01)


def test_ibsi_contour_has_the_published_volume(real_data):
    root = real_data("ibsi-ct") / IBSI
    geometry = read_series(root / "dicom/image").geometry
    masks = read_rtstruct(root / "dicom/mask/DCM_RS_00060.dcm", geometry)
    (mask,) = masks.values()
    assert list(masks) == ["GTV-1"]
    assert mask.labels.sum() * geometry.voxel_mm3 / 1000 == pytest.approx(358.7, rel=0.01)
    published, _ = nifti(root / "nifti/mask/mask.nii.gz")
    assert_array_equal(mask.labels > 0, published > 0)


def test_lidc_0001_comes_back_through_dicom_bit_for_bit(tmp_path):
    array, geometry = nifti(sample_ct_path())
    volume = Volume(array.astype(np.int16), geometry)
    write_series(volume, tmp_path / "out", patient="LIDC-IDRI-0001")
    back = read_series(tmp_path / "out")
    # the sample's rows run to the front (LAS); DICOM slices are written as scanners do, to the back
    assert_array_equal(back.array, volume.array[:, ::-1])
    assert growth_over_int16(tmp_path / "out") <= 2.5
    here = np.array([(0, 0, 0), (132, 511, 511), (60, 100, 300)])
    assert_allclose(
        back.geometry.to_lps_mm(here), geometry.to_lps_mm(here * (1, -1, 1) + (0, 511, 0)), rtol=0, atol=1e-9
    )


def test_segmentations_lie_on_the_images_that_they_were_drawn_on(real_data):
    folder = real_data(ODD) / "dcmqi/data/segmentations"
    (mask,) = read_seg(folder / "liver.dcm")
    (plane,) = slices_of(read_header(folder / "ct-3slice/02.dcm"))
    index = mask.require_geometry().to_index(plane.position_lps_mm)
    assert_allclose(index, np.rint(index), atol=1e-3)
    assert_allclose(index[1:], 0, atol=1e-3)
    seg = pydicom.dcmread(folder / "liver.dcm")
    assert mask.select("Liver").sum() == seg.pixel_array.sum()
    assert mask.require_geometry().frame_uid == seg.FrameOfReferenceUID


def test_a_sparse_label_map_is_what_dcmqi_makes_of_it(real_data):
    folder = real_data(ODD) / "dcmqi/data/segmentations"
    (mask,) = read_seg(folder / "sparse-labelmap-noppv.dcm")
    truth = sitk.ReadImage(folder / "sparse_labelmap_noppv_seg.nrrd")
    assert_array_equal(mask.labels, sitk.GetArrayFromImage(truth))
    assert_allclose(mask.require_geometry().to_lps_mm((2, 30, 20)), truth.TransformIndexToPhysicalPoint((20, 30, 2)))
    image = read_series(folder / "24x38x3/multiframe/mf.dcm")
    image.geometry.require_same_grid(mask.require_geometry())


def test_overlapping_segments_go_to_masks_of_their_own(real_data):
    path = real_data(ODD) / "highdicom/data/test_files/seg_image_ct_binary_overlap.dcm"
    masks = read_seg(path)
    assert len(masks) > 1
    assert sum(int((mask.labels > 0).sum()) for mask in masks) == pydicom.dcmread(path).pixel_array.sum()
    grid = masks[0].require_geometry()
    assert all(mask.require_geometry().is_same_grid(grid) for mask in masks)


def test_fractional_segments_are_cut_at_one_half(real_data):
    path = real_data(ODD) / "highdicom/data/test_files/seg_image_ct_true_fractional.dcm"
    seg = pydicom.dcmread(path)
    expected = (seg.pixel_array / seg.MaximumFractionalValue >= 0.5).sum()
    assert sum(int((mask.labels > 0).sum()) for mask in read_seg(path)) == expected
