"""Polarity of films: the mean chest is taken as it is, and refused when bright and dark are exchanged."""

from pathlib import Path

import numpy as np
import pytest

import hilum.datasets.chest as mean_chest
from hilum.core import UnsupportedError
from hilum.io import write_png
from hilum.workflows.class_picture import PictureRule, Polarity, read_film


@pytest.fixture
def film(tmp_path) -> Path:
    """The mean chest between two strips of air, as a picture."""
    mean = np.load(Path(mean_chest.__file__).with_name("chest.npy"))
    levels = 40 + 200 * (mean - mean.min()) / np.ptp(mean)
    wide = np.pad(levels, ((4, 4), (6, 6)), mode="edge")
    wide[:, :5] = wide[:, -5:] = 5
    write_png(np.kron(wide, np.ones((3, 3))).astype(np.uint8), tmp_path / "film.png")
    return tmp_path / "film.png"


def test_a_chest_as_it_should_be_is_taken(film):
    assert read_film(film, PictureRule()).dtype == np.uint8


def test_few_greys_are_enough_and_a_masks_are_not(film):
    levels = read_film(film, PictureRule())
    for step, is_film in ((5, True), (16, False)):
        write_png(levels // step * step, film)
        assert (len(np.unique(levels // step)) > 32) is is_film
        if is_film:
            assert read_film(film, PictureRule()).shape == levels.shape
        else:
            with pytest.raises(UnsupportedError, match="grey values, as masks have"):
                read_film(film, PictureRule())


def test_an_inverted_one_is_refused_kept_or_turned_over(film):
    upright = read_film(film, PictureRule())
    write_png(255 - upright, film)
    with pytest.raises(UnsupportedError, match="looks inverted") as refused:
        read_film(film, PictureRule())
    assert "--polarity" in refused.value.remedy
    assert np.array_equal(read_film(film, PictureRule(Polarity.KEEP)), 255 - upright)
    assert np.array_equal(read_film(film, PictureRule(Polarity.INVERT)), upright)
