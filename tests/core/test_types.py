"""Values that refuse nonsense."""

import subprocess
import sys

import numpy as np
import pytest

from hilum.core import (
    Diameters,
    Failures,
    Geometry,
    GeometryError,
    HilumError,
    InputError,
    Mask,
    MeasureError,
    Nodule,
    Outline,
    Quantity,
    Radiograph,
    SpacingPlane,
    TooManyFailuresError,
    UnitError,
    Volume,
    errors,
)

GRID = Geometry.regular((3, 4, 5), (2, 1, 1))


def test_a_volume_knows_what_its_numbers_mean():
    volume = Volume(np.zeros((3, 4, 5), np.int16), GRID)
    volume.require(Quantity.HU)
    with pytest.raises(UnitError, match="in 1/mm were expected, these are in HU"):
        volume.require(Quantity.ATTENUATION)
    with pytest.raises(GeometryError, match="doesn't fit"):
        Volume(np.zeros((5, 4, 3)), GRID)


def test_a_block_of_a_volume_is_a_view_at_its_place():
    volume = Volume(np.arange(60, dtype=np.int16).reshape(3, 4, 5), GRID)
    block = volume.crop((1, 1, 2), (2, 2, 2))
    assert block.array[0, 0, 0] == volume.array[1, 1, 2]
    assert np.shares_memory(block.array, volume.array)
    assert block.geometry.origin_lps_mm == (2, 1, 2)
    assert block.astype(np.float32).array.dtype == np.float32


def test_a_radiograph_without_spacing_refuses_millimetres():
    film = Radiograph(np.zeros((10, 20), np.uint8), None, source="film.png")
    with pytest.raises(UnitError, match=r"film\.png doesn't say how large its pixels are"):
        film.require_pixel_mm()
    with pytest.raises(UnitError):
        _ = film.size_mm


def test_a_radiograph_with_spacing_has_a_size_and_says_in_which_plane():
    film = Radiograph(np.zeros((10, 20), np.uint8), (0.7, 0.5), plane=SpacingPlane.DETECTOR)
    assert film.size_mm == pytest.approx((7, 10))
    with pytest.raises(GeometryError, match="known together"):
        Radiograph(np.zeros((10, 20)), (0.7, 0.5))
    with pytest.raises(GeometryError, match="positive"):
        Radiograph(np.zeros((10, 20)), (0.7, 0.0), plane=SpacingPlane.PATIENT)
    with pytest.raises(GeometryError, match="one image"):
        Radiograph(np.zeros((3, 10, 20)), None)


def test_a_mask_selects_by_number_and_by_name():
    labels = np.zeros((3, 4, 5), np.uint8)
    labels[1, 2, 3], labels[0, 0, 0] = 1, 2
    mask = Mask(labels, GRID, names={1: "nodule", 2: "vessel"})
    assert mask.select("vessel").sum() == 1
    assert mask.select(1)[1, 2, 3]
    assert mask.require_geometry() is GRID
    with pytest.raises(InputError, match="no 'lung'; it has nodule, vessel"):
        mask.select("lung")
    with pytest.raises(InputError, match="unsigned"):
        Mask(labels.astype(float), GRID)
    with pytest.raises(GeometryError, match="2D"):
        Mask(labels)
    with pytest.raises(UnitError, match="2D mask"):
        Mask(labels[0]).require_geometry()
    with pytest.raises(TypeError):
        mask.names[3] = "late"


def test_an_outline_is_points_in_a_plane():
    assert Outline([[1, 2], [3, 4]], z_mm=5).points_xy.shape == (2, 2)
    for points in ([], [[1, 2, 3]], [[np.nan, 0]]):
        with pytest.raises(GeometryError, match="finite points"):
            Outline(points, z_mm=0)


def test_a_nodule_has_a_mean_diameter_that_is_not_rounded():
    assert Diameters(8.5, 6, 7).mean_mm == 7.25
    nodule = Nodule("1", characteristics={"malignancy": 4})
    assert nodule.volume_mm3 is None
    with pytest.raises(TypeError):
        nodule.characteristics["malignancy"] = 5


def test_failures_are_recorded_up_to_a_ceiling():
    failures = Failures(limit=1)
    failures.add("a", MeasureError("nothing there", "look elsewhere"))
    assert [(f.input, f.error, f.remedy) for f in failures] == [("a", "nothing there", "look elsewhere")]
    with pytest.raises(TooManyFailuresError, match="2 inputs failed and 1 are allowed"):
        failures.add("b", MeasureError("nothing there either"))
    assert len(failures) == 2


def test_every_error_belongs_to_the_one_tree_that_its_page_draws():
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    assert len(kinds) > 10
    for kind in kinds:
        assert issubclass(kind, HilumError)
        assert kind.__name__ in errors.__doc__
    assert str(HilumError("this happened.", "Do that.")) == "this happened. Do that."


def test_core_loads_nothing_but_numpy():
    heavy = "SimpleITK pydicom nibabel scipy matplotlib highdicom PIL cyclopts rich jinja2 sqlite3"
    code = f"import sys, hilum.core; print([m for m in {heavy.split()} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
