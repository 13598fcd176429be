"""The nodules of a CT as a picture."""

import io

import numpy as np
from PIL import Image

from hilum.core import Diameters, Mask, Nodule
from hilum.report.ct_nodules import ct_nodules_picture
from tests.ct_patches import GRID, chest

PLACES = ((-60.0, 20.0, 70.0), (70.0, 30.0, -30.0))


def found(count):
    """So many nodules, balls of three voxels at one of two places."""
    labels = np.zeros(GRID.shape_zyx, np.uint8)
    nodules = []
    for label in range(1, count + 1):
        x, y, z = PLACES[label % 2]
        k, j, i = np.rint(GRID.to_index((x, y, z + 4.0 * (label // 2)))).astype(int)
        labels[k, j - 1 : j + 2, i - 1 : i + 2] = label
        size = Diameters(12.0, 10.0, 11.0)
        nodules.append(Nodule(str(label), (x, y, z), volume_mm3=700.0, diameters_mm=size, texture=5.0, score=0.9))
    return Mask(labels, GRID), nodules


def picture(count, notes=()):
    return Image.open(io.BytesIO(ct_nodules_picture(chest(), *found(count), notes)))


def test_each_nodule_has_a_slice_beside_the_chest():
    alone, one, five = (picture(count) for count in (0, 1, 5))
    assert one.width == 2 * alone.width
    assert five.width == 4 * alone.width
    assert five.height > 1.8 * one.height
    right = np.asarray(one.convert("RGB"))[:, one.width // 2 :].astype(int)
    assert (np.ptp(right, axis=2) > 60).sum() > 50, "the outline is coloured"


def test_more_nodules_than_fit_are_said_and_the_picture_stays():
    assert picture(14).size == picture(11).size


def test_the_same_nodules_give_the_same_picture():
    mask, nodules = found(2)
    assert ct_nodules_picture(chest(), mask, nodules, ("a note",)) == ct_nodules_picture(
        chest(), mask, nodules, ("a note",)
    )
