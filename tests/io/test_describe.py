"""What is said about files, in words that a person would use."""

import numpy as np
import pytest

from hilum.core import Failures, Geometry, HilumError, InputError, UnsupportedError, Volume
from hilum.io import write_mask, write_png, write_volume
from hilum.io.describe import describe
from hilum.io.installed import sample_ct_path, sample_organs_path
from hilum.io.json_file import plain
from hilum.io.read import read_mask
from hilum.io.volumes import WRITABLE

CHEST = Geometry.regular((150, 30, 30), (1.0, 10.0, 10.0), (-150, -150, 0))


def chest(low=-1000, high=400, geometry=CHEST):
    """Every value once or so, like noise: neighbours differ, as in a picture and not in a mask."""
    values = np.linspace(low, high, int(np.prod(geometry.shape_zyx))).astype(np.int16)
    return Volume(np.random.default_rng(0).permutation(values).reshape(geometry.shape_zyx), geometry)


def only(path):
    (description,) = describe(path)
    return description


def test_the_sample_ct():
    found = only(sample_ct_path())
    assert found.kind == "CT volume"
    assert found.summary == (
        "NIfTI, 512 × 512 × 133 voxels of 0.703 × 0.703 × 2.500 mm (360 × 360 × 332.5 mm), HU −2048…3071, axes LAS"
    )
    assert found.facts["shape_zyx"] == [133, 512, 512]
    assert found.facts["orientation"] == "LAS"


def test_the_sample_organs_are_a_mask():
    found = only(sample_organs_path())
    assert found.kind == "mask"
    assert "labels" in found.summary
    labels = read_mask(sample_organs_path()).labels
    assert found.facts["label_voxels"]["10"] == (labels == 10).sum()


@pytest.mark.parametrize("suffix", WRITABLE)
def test_nothing_is_odd_about_a_plain_ct(suffix, tmp_path):
    geometry = Geometry.regular((150, 150, 150), (2.0, 2.0, 2.0))
    write_volume(chest(geometry=geometry), tmp_path / f"ct{suffix}")
    assert only(tmp_path / f"ct{suffix}").odd == ()


def _turned():
    affine = np.array(CHEST.affine_lps)
    affine[:2, :2] = affine[:2, :2] @ [[0.8, -0.6], [0.6, 0.8]]
    return Geometry(CHEST.shape_zyx, affine)


def _sheared():
    affine = np.array(CHEST.affine_lps)
    affine[1, 2] = 0.4
    return Geometry(CHEST.shape_zyx, affine)


@pytest.mark.parametrize(
    ("volume", "word"),
    [
        (chest(0, 255), "0…255"),
        (chest(0, 2000), "without its offset"),
        (chest(-200, 300), "air and lung are missing"),
        (chest(-3000, 300), "padding"),
        (chest(5, 5), "no picture"),
        (chest(), "10 times"),
        (chest(geometry=Geometry.regular((60, 30, 30), (5, 10, 10))), "thick slices (5 mm)"),
        (chest(geometry=Geometry.regular((6, 30, 30), (1, 1, 1))), "small"),
        (chest(geometry=_turned()), "oblique: turned 36.9°"),
        (chest(geometry=_sheared()), "sheared"),
    ],
)
def test_what_is_odd(volume, word, tmp_path):
    write_volume(volume, tmp_path / "ct.nrrd")
    assert any(word in note for note in only(tmp_path / "ct.nrrd").odd)


def test_left_handed_and_not_a_number(tmp_path):
    affine = np.diag([1.0, -1, 1, 1])
    array = np.full((200, 20, 20), -800.5, np.float32)
    array[0, 0, :2] = np.nan, 300
    write_volume(Volume(array, Geometry(array.shape, affine)), tmp_path / "ct.nii")
    notes = " ".join(only(tmp_path / "ct.nii").odd)
    assert "left-handed" in notes
    assert "1 values are not numbers" in notes


def test_pictures(tmp_path):
    write_png(np.random.default_rng(0).integers(0, 4096, (300, 400)).astype(np.uint16), tmp_path / "x.png")
    found = only(tmp_path / "x.png")
    assert found.summary.startswith("PNG, 400 × 300 pixels, 16 bits a pixel, grey values")
    assert found.summary.endswith("size in mm unknown")
    write_png(np.eye(300, dtype=np.uint8) * 255, tmp_path / "m.png")
    assert only(tmp_path / "m.png").kind == "2D mask"


def test_an_inverted_chest_is_suspected(tmp_path):
    film = np.full((300, 300), 20, np.uint8)
    film[:, 100:200] = np.arange(100)[None] + 120
    write_png(film, tmp_path / "x.png")
    write_png(255 - film, tmp_path / "inverted.png")
    assert not any("dense is dark" in note for note in only(tmp_path / "x.png").odd)
    assert any("dense is dark" in note for note in only(tmp_path / "inverted.png").odd)


def test_a_folder(tmp_path):
    write_volume(chest(), tmp_path / "a" / "ct.mhd")
    write_png(np.arange(90_000, dtype=np.uint16).reshape(300, 300) // 2, tmp_path / "b.png")
    for name in ("one.txt", "two.txt", "c.xml", ".hidden"):
        (tmp_path / name).write_text("<?xml?>" if name == "c.xml" else "hello")
    found = describe(tmp_path)
    assert [description.kind for description in found] == ["CT volume", "radiograph", "other files"]
    assert found[-1].summary == "3 that are no image (2 text, 1 XML)"


def test_a_broken_file_doesn_t_cost_the_folder(tmp_path):
    write_volume(chest(), tmp_path / "ct.nii")
    (tmp_path / "cut.nii").write_bytes((tmp_path / "ct.nii").read_bytes()[:5000])
    failures = Failures()
    assert [description.kind for description in describe(tmp_path, failures)] == ["CT volume"]
    (failure,) = failures
    assert failure.input == str(tmp_path / "cut.nii")
    with pytest.raises(HilumError):
        describe(tmp_path)


def test_no_image(tmp_path):
    with pytest.raises(InputError, match="empty folder"):
        describe(tmp_path)
    (tmp_path / "a.dcm").write_text("hello")
    with pytest.raises(UnsupportedError, match="text file, not an image"):
        describe(tmp_path / "a.dcm")


def test_facts_are_ready_for_json(tmp_path):
    write_volume(chest(), tmp_path / "ct.nrrd")
    write_mask(read_mask(sample_organs_path()), tmp_path / "m.nii")
    for description in describe(tmp_path):
        assert plain(description)["facts"]["affine_lps"][3] == [0, 0, 0, 1]


def test_odd_real_files_are_described_or_refused(real_data):
    failures = Failures()
    found = describe(real_data("dicom-odd"), failures)
    assert len(found) > 100
    assert all(failure.error and "\n" not in failure.error + failure.remedy for failure in failures)
    assert all("\n" not in description.summary for description in found)
