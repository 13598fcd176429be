"""Words and pictures of comparisons."""

import io
import math

import numpy as np
import pytest
from PIL import Image

from hilum.core.figures import Figure
from hilum.report.comparison import case_words, in_words, p_words
from hilum.report.differences import Strip, differences_picture


@pytest.mark.parametrize(
    ("value", "is_floor", "words"),
    [
        (0.25, False, "p 0.250"),
        (2 / 256, False, "p 0.0078"),
        (0.0499, False, "p 0.0499"),  # three digits would make it .050, which is not below .05
        (3e-17, False, "p 3e−17"),
        (3 / 10_001, True, "p ≤ 0.0003"),
        (1 / 10_001, True, "p ≤ 0.0001"),
        (15 / 10_001, True, "p ≤ 0.0015"),
        (math.nan, False, "p –"),
    ],
)
def test_p_is_said_as_fine_as_it_is_known(value, is_floor, words):
    assert p_words(value, is_floor=is_floor) == words


def test_a_figure_of_a_class_is_said_to_be():
    assert case_words("dice", "core") == ("Dice of core", "")
    assert in_words("hd95_mm", "core") == "95 % Hausdorff distance of core, mm"
    assert in_words("dice") == "Dice"


def strips(pairs):
    return [
        Strip(words, pair, Figure("dice", value, value - 0.1, value + 0.1, 9), better)
        for pair in pairs
        for words, value, better in (("Dice", 0.3, pair[1]), ("IoU", -0.2, pair[0]), ("recall", 0.0, ""))
    ]


def size_of(picture):
    return Image.open(io.BytesIO(picture.png)).size


def colours(picture):
    pixels = np.asarray(Image.open(io.BytesIO(picture.png)).convert("RGB")).reshape(-1, 3)
    return {tuple(int(part) for part in one) for one in np.unique(pixels, axis=0)}


@pytest.mark.parametrize(("models", "rows"), [("ab", 1), ("abc", 1), ("abcd", 2), ("abcdef", 5)])
def test_each_pair_has_its_panel_three_abreast(models, rows):
    pairs = [(first, second) for k, first in enumerate(models) for second in models[k + 1 :]]
    width, height = size_of(differences_picture(strips(pairs), "difference"))
    one_width, one_height = size_of(differences_picture(strips([("a", "b")]), "difference"))
    assert width == one_width
    assert height == pytest.approx(rows * one_height, rel=0.02)


def test_the_colour_says_which_model_is_better():
    blue, orange, grey = (0x1F, 0x6F, 0xEB), (0xD9, 0x77, 0x06), (0x8B, 0x94, 0x9E)
    assert {blue, orange, grey} <= colours(differences_picture(strips([("a", "b")]), "difference"))
    only = [one for one in strips([("a", "b")]) if one.better == "b"]
    assert not {orange, grey} & colours(differences_picture(only, "difference"))
