"""Pictures are the same bytes each time, and show the numbers that they are given."""

import io

import numpy as np
from PIL import Image

from hilum.report.curves import Spread, distribution_picture
from hilum.report.drawing import GREEN, RED, dark_figure, encoded, light_figure
from hilum.report.examples import Example, Frame, example_picture


def opened(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def columns_of(picture, colour):
    wanted = [int(colour[n : n + 2], 16) for n in (1, 3, 5)]
    return np.nonzero((np.abs(picture - wanted).max(axis=-1) < 40).sum(axis=0) > picture.shape[0] // 4)[0]


def test_figures_are_light_or_dark_and_always_the_same_bytes():
    for figure, grey in ((light_figure, 255), (dark_figure, 0)):
        pngs = {encoded(figure(2, 1)) for _ in range(2)}
        assert len(pngs) == 1
        assert (opened(pngs.pop()) == grey).all()


def test_a_spread_shows_the_mean_and_median_that_it_is_given():
    values = np.array([0.1, 0.2, 0.9])
    picture = opened(distribution_picture([Spread("Dice", values, 1.0, mean=0.75, median=0.25)]))
    mean, median = columns_of(picture, RED).mean(), columns_of(picture, GREEN)
    assert mean > picture.shape[1] * 0.6
    assert not median.size or median.mean() < mean


def test_two_spreads_stand_side_by_side():
    one = Spread("Dice", np.array([0.5]), 1.0, 0.5, 0.5)
    assert opened(distribution_picture([one, one])).shape[1] > 1.4 * opened(distribution_picture([one])).shape[1]


def test_the_frame_is_the_part_that_is_enlarged():
    image = np.zeros((200, 200), np.uint8)
    image[100:, 100:] = 255
    nothing = np.zeros(image.shape, bool)
    parts = []
    for place in (150, 50):
        picture = opened(example_picture(Example("x", image, nothing, nothing, Frame(place, place, 30))))
        parts.append(picture[picture.shape[0] // 2, 3 * picture.shape[1] // 4].mean())
    assert parts[0] > 200
    assert parts[1] < 50
