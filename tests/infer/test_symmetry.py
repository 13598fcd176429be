"""Eight ways to look at a square, and one answer that turns with it."""

import pytest
import torch

from hilum.infer.symmetry import eight_ways


def lopsided(images):
    """Says something else of each way."""
    return images[:, :1].roll(1, -1) * torch.linspace(0, 1, images.shape[-2])[:, None]


@pytest.fixture
def images():
    return torch.rand(2, 3, 7, 7, generator=torch.Generator().manual_seed(0))


def test_what_is_said_of_a_pixel_alone_stays(images):
    torch.testing.assert_close(eight_ways(lambda some: some[:, :1] ** 2, images), images[:, :1] ** 2)


@pytest.mark.parametrize("quarters", range(4))
def test_the_answer_turns_with_the_image(images, quarters):
    turned = torch.rot90(images, quarters, (-2, -1))
    torch.testing.assert_close(
        eight_ways(lopsided, turned), torch.rot90(eight_ways(lopsided, images), quarters, (-2, -1))
    )


def test_the_answer_is_mirrored_with_the_image(images):
    torch.testing.assert_close(eight_ways(lopsided, images.flip(-1)), eight_ways(lopsided, images).flip(-1))
