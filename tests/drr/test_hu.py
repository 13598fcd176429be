"""What can be the HU of a CT, and what can't: one rule for everything that reads them."""

import numpy as np
import pytest

from hilum.core import Geometry, Quantity, UnitError, Volume
from hilum.drr.attenuation import attenuation, attenuation_per_mm, attenuation_slabs
from hilum.drr.hu import require_hu
from hilum.drr.patient import body_mask
from hilum.drr.source_style import source_style_drr
from hilum.io import read_volume
from hilum.io.installed import sample_ct_path
from tests.shapes import ellipsoid

GRID = Geometry.regular((40, 64, 64), (3, 3, 3), (0, 0, 0))
BALL = ellipsoid(GRID, GRID.to_lps_mm((20, 32, 32)), (50, 50, 50))
READERS = [attenuation, lambda ct: next(attenuation_slabs(ct, 8)), body_mask, source_style_drr, require_hu]


def eight_bit(hu):
    """What a window from −1000 to 400 HU makes of it."""
    return np.clip((hu.astype(np.float32) + 1000) * 255 / 1400, 0, 255).astype(np.int16)


@pytest.fixture(scope="module")
def sample():
    return read_volume(sample_ct_path())


@pytest.mark.parametrize("read", READERS)
def test_a_padded_row_makes_no_hu_of_8_bits(read, sample):
    picture = eight_bit(sample.array[50:82, ::4, ::4])
    picture[:, 0] = -1024
    grid = Geometry.regular(picture.shape, (2.5, 2.8, 2.8), (0, 0, 0))
    with pytest.raises(UnitError, match=r"0 % of the voxels .* run from -1024 to 255\. Rescale"):
        read(Volume(picture, grid))


@pytest.mark.parametrize("padding", [None, -1000, -1024, -3024])
def test_numbers_in_other_units_are_refused(padding, sample):
    hu = sample.array[60:70]
    grid = Geometry.regular(hu.shape, (1, 1, 1), (0, 0, 0))
    for numbers in (eight_bit(hu), hu.clip(-1000) + 1024, attenuation_per_mm(hu), hu / 3071 / 2):
        wrong = np.array(numbers, np.float32)
        if padding is not None:
            wrong[:, 0] = padding
        with pytest.raises(UnitError, match="Rescale"):
            require_hu(Volume(wrong, grid))


def test_metal_in_air_and_padding_alone_are_no_ct():
    for numbers in (np.where(BALL, 3000, -1000), np.full(GRID.shape_zyx, -2048)):
        with pytest.raises(UnitError, match="Rescale"):
            require_hu(Volume(numbers.astype(np.int16), GRID))
    with pytest.raises(UnitError, match="in HU were expected"):
        require_hu(Volume(np.where(BALL, 0, -1000), GRID, Quantity.DISPLAY))


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float32])
def test_phantoms_pass(dtype):
    for ball_hu, air_hu in ((0, -1000), (40, -990), (-870, -1000), (300, -1000), (-1000, -1000)):
        require_hu(Volume(np.where(BALL, ball_hu, air_hu).astype(dtype), GRID))
    require_hu(Volume(np.full((1, 1, 1), -1000, dtype), Geometry.regular((1, 1, 1), (1, 1, 1))))


def test_the_sample_passes_whole_and_cropped_to_a_lung(sample):
    require_hu(sample)
    require_hu(sample.crop((60, 200, 100), (20, 60, 60)))


@pytest.mark.parametrize("name", ["lung-pet-ct-dx/A0001-series2", "ibsi-ct/ibsi_1_ct_radiomics_phantom/dicom/image"])
def test_other_scanners_cts_pass(name, real_data):
    require_hu(read_volume(real_data(name)))
