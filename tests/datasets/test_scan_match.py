"""Outlines of another CT are refused, whatever says so: series UID, slices, pixel size, or the outlines' own z."""

from dataclasses import replace

import numpy as np
import pytest

from hilum.core import AmbiguousError, Geometry, GeometryError, Outline, Volume
from hilum.datasets.scan_match import matching_read, require_same_scan
from hilum.io.lidc import Mark, MarkKind, Read

GRID = Geometry.regular((4, 512, 512), (2.5, 0.7, 0.7), (-179, -150, -300))
CT = Volume(np.zeros(GRID.shape_zyx, np.int16), GRID)
SLICES = (-300.0, -297.5, -295.0, -292.5)


def read(z_mm=-297.5, **facts):
    outline = Outline(np.array([(100.0, 100.0), (110.0, 100.0), (110.0, 110.0)]), z_mm)
    known = {"patient": "P1", "pixel_mm": 0.7, "slices_z_mm": SLICES, **facts}
    return Read("1.2.3", (Mark(MarkKind.NODULE, "1", (outline,)),), **known)


def test_its_own_ct_is_taken():
    own = read()
    assert require_same_scan(own, CT) is own
    assert require_same_scan(own, CT, "1.2.3") is own


@pytest.mark.parametrize(
    ("other", "uid", "words"),
    [
        (read(), "1.2.4", "its series is 1.2.3, this CT's is 1.2.4"),
        (read(slices_z_mm=SLICES[:3]), None, "it has 3 slices, this CT 4"),
        (read(slices_z_mm=tuple(z + 2 for z in SLICES)), None, "from z -298 to -290.5 mm, this CT from -300 to -292.5"),
        (read(pixel_mm=0.75), None, r"its pixels are 0\.75 mm, this CT's 0\.7 × 0\.7 mm"),
        (read(z_mm=-250.0), None, "1 of its 1 outlines lie above or below this CT"),
        (read(z_mm=-296.25, pixel_mm=None, slices_z_mm=()), None, "1 of its 1 outlines lie between this CT's slices"),
    ],
)
def test_what_differs_is_said(other, uid, words):
    with pytest.raises(GeometryError, match=words):
        require_same_scan(other, CT, uid)


def test_a_flipped_grid_is_the_same_ct():
    affine = np.array(GRID.affine_lps)
    affine[:3, 2] *= -1
    affine[2, 3] = -292.5
    require_same_scan(read(), Volume(CT.array, Geometry(GRID.shape_zyx, affine)))


def test_of_a_patients_two_series_the_fitting_one_is_taken():
    own, other = read(), replace(read(), series_uid="1.2.4", slices_z_mm=SLICES[:3])
    assert matching_read([other, own], CT) is own
    assert matching_read([replace(other, slices_z_mm=SLICES), own], CT, "1.2.3") is own
    with pytest.raises(AmbiguousError, match="fit this CT"):
        matching_read([own, own], CT)
    with pytest.raises(GeometryError, match="is not this CT"):
        matching_read([other], CT)
