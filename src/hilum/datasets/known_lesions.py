"""A second look at each known lesion: a small view around it, in which every lesion has the same size.

A whole picture is decided on by its many pixels; whether a known lesion is still there, by few. In a view of its own
each lesion counts alike, and a small one shows as much as a large one. numpy, and scipy where a view is read.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hilum.core import ConfigError
from hilum.core.geometry import Floats
from hilum.core.mask import Selection
from hilum.datasets.xray_sample import GREY_LEVELS, Picture, Truth, XraySample
from hilum.ops import label_parts

SIDE_PX = 48
"""Rows and columns of a view."""
RADIUS_PX = 8
"""Equivalent radius of the known lesion in its view: a third of the way from the middle to the edge."""
LEAST_RADIUS_PX = 2.0
"""A lesion counts as at least so large, in the picture's pixels: a view shows no details that the picture hasn't."""
MARGIN_PX = 2
"""Pixels of the view that lie as near as this to the known lesion don't belong to what lies around it."""
FEWEST_AROUND = 30
"""Pixels; where less lies around the lesion, all of the view is taken instead."""
IMAGE_STEP, DIFFERENCE_STEP = 0.15, 0.1
"""Grey, of the full range, that one standard deviation makes in the X-ray and in the difference."""
IMAGE_NOISE, DIFFERENCE_NOISE, GAIN_NOISE = 4 / GREY_LEVELS, 2 / GREY_LEVELS, 5 / GREY_LEVELS
"""Standard deviations that are nothing but noise and rounding: what is flat is not blown up."""
_SHARP = 0.3
"""Sigma, in pixels, of the blur that bilinear reading makes by itself."""


@dataclass(frozen=True)
class Window:
    """Where a view lies on its picture.

    Attributes:
        centre_px: (row, column) of its middle, the known lesion's centroid; whole numbers are pixel centres.
        step_px: side of a view's pixel, in pixels of the picture.
    """

    centre_px: tuple[float, float]
    step_px: float

    @classmethod
    def of(cls, lesion: Selection) -> "Window":
        """The window on a known lesion [y, x] of the picture, which has a pixel at least."""
        row, column = (float(one) for one in np.argwhere(lesion).mean(axis=0))
        radius = max(float(np.sqrt(lesion.sum() / np.pi)), LEAST_RADIUS_PX)
        return cls((row, column), radius / RADIUS_PX)

    @property
    def places(self) -> tuple[Floats, Floats]:
        """Rows and columns of the picture that the view's pixel centres lie on."""
        steps = (np.arange(SIDE_PX, dtype=np.float64) - (SIDE_PX - 1) / 2) * self.step_px
        return np.asarray(self.centre_px[0] + steps), np.asarray(self.centre_px[1] + steps)

    def smooth(self, picture: Picture) -> Picture:
        """The view of a picture [y, x], read bilinearly, after a Gaussian where it shrinks; its edge is repeated."""
        return _read(picture, *self.places, self.step_px)

    def nearest(self, plane: "NDArray[Any]") -> "NDArray[Any]":
        """The view of a mask or of labels [y, x] by the nearest pixel; 0 beyond the picture's edge."""
        found = np.zeros((SIDE_PX, SIDE_PX), dtype=plane.dtype)
        rows, columns = (np.floor(one + 0.5).astype(np.intp) for one in self.places)
        inside = [(one >= 0) & (one < size) for one, size in zip((rows, columns), plane.shape, strict=True)]
        found[np.ix_(*inside)] = plane[np.ix_(rows[inside[0]], columns[inside[1]])]
        return found

    def back(self, values: "NDArray[Any]", rows: Floats, columns: Floats, beyond: float = 0.0) -> Picture:
        """What a view says of some of the picture's places: the inverse of `smooth`.

        Args:
            values: [SIDE_PX, SIDE_PX] of the view.
            rows: ascending and evenly spaced places along the picture's rows, in its pixels; such as all of them.
            columns: the same along its columns.
            beyond: what stands where the view doesn't reach.

        Returns:
            [rows, columns].
        """
        found = np.full((len(rows), len(columns)), beyond, dtype=np.float32)
        pairs = zip((rows, columns), self.centre_px, strict=True)
        own = [(places - centre) / self.step_px + (SIDE_PX - 1) / 2 for places, centre in pairs]
        inside = [(one >= -0.5) & (one <= SIDE_PX - 0.5) for one in own]
        if all(one.any() for one in inside):
            ratio = float(rows[1] - rows[0]) / self.step_px if len(rows) > 1 else 1.0
            found[np.ix_(*inside)] = _read(values, own[0][inside[0]], own[1][inside[1]], ratio)
        return found


def known_windows(sample: XraySample) -> list[tuple[Window, Truth]]:
    """Each connected part (8 neighbours) of a sample's known lesions, [y, x] alone, and the window on it.

    Raises:
        ConfigError: nobody knows of any lesions.
    """
    labels = label_parts(_lesions_of(sample))
    lesions = [np.asarray(labels == number) for number in range(1, int(labels.max(initial=0)) + 1)]
    return [(Window.of(lesion), lesion) for lesion in lesions]


def known_views(sample: XraySample) -> list[XraySample]:
    """A view of each known lesion, as a sample of its own; none where no lesion is known.

    A view has 48 × 48 pixels, and the lesion's equivalent radius is 8 of them, so `pixel_mm` differs from view to view.
    Around the lesion (A: farther than 2 pixels of the view from it), with c and p the X-ray and the earlier picture,
    both of 255 grey levels, and means m, standard deviations s and covariances over A:

    - `image`: 0.5 + 0.15 · (c − m_c) / (s_c + 4), cut to 0 to 1.
    - `prior`: 0.5 + 0.1 · d / (s_d + 2), cut to 0 to 1, with the difference d = c − m_c − a · (p − m_p) to the earlier
      picture, whose gain a = cov(c, p) / (s_p² + 5²) is that of a regularised linear regression.
    - `prior_lesions`: this lesion alone.
    - `truth`: the connected parts of the sample's truth that overlap the known lesion; empty when it is gone.
    - `weight`: 1, and 0 beyond the picture's edge.
    - `key`: the case's, # and the lesion's number from 1.

    Args:
        sample: with the patient's earlier picture, registered, and the lesions known of it.

    Raises:
        ConfigError: it has none.
    """
    windows = known_windows(sample)
    parts = label_parts(sample.truth)
    return [_view(sample, window, lesion, parts, number) for number, (window, lesion) in enumerate(windows, 1)]


def known_score(probability: Floats | Picture, known: Selection | None) -> float:
    """How sure a network is that a known lesion is still there: its highest probability [y, x] where that was.

    Args:
        probability: of a view.
        known: its `prior_lesions`.
    """
    return float(probability.max() if known is None else probability[known].max())


def views_of(samples: Sequence[XraySample]) -> list[XraySample]:
    """The views of all samples, in their order.

    Raises:
        ConfigError: as `known_views`.
    """
    return [view for sample in samples for view in known_views(sample)]


def _lesions_of(sample: XraySample) -> Truth:
    if sample.prior is None or sample.prior_lesions is None:
        raise ConfigError(
            f"{sample.key} has no earlier picture with known lesions to look at again.",
            "Prepare pairs over time (hilum prepare over-time), with data.prior earlier and data.prior_lesions true.",
        )
    return sample.prior_lesions


def new_alone(sample: XraySample) -> XraySample:
    """The sample with those lesions alone that are new: connected parts of its truth that overlap no known lesion.

    Raises:
        ConfigError: nobody knows of any lesions.
    """
    parts = label_parts(sample.truth)
    known = np.unique(parts[_lesions_of(sample)])
    return replace(sample, truth=np.asarray(sample.truth & ~np.isin(parts, known[known > 0])))


def _view(
    sample: XraySample, window: Window, lesion: Truth, parts: "NDArray[np.integer[Any]]", number: int
) -> XraySample:
    """One view; `parts` are the truth's connected parts, numbered."""
    known, inside = window.nearest(lesion), window.nearest(np.broadcast_to(np.True_, lesion.shape))
    if not known.any():  # thinner than a pixel of the view
        known[SIDE_PX // 2, SIDE_PX // 2] = True
    around = _around(known)
    current, earlier = (window.smooth(one) for one in (sample.image, sample.prior) if one is not None)
    met = np.unique(parts[lesion])
    return XraySample(
        key=f"{sample.key}#{number}",
        patient=sample.patient,
        image=_standardised(current - current[around].mean(), around, IMAGE_STEP, IMAGE_NOISE),
        truth=np.isin(window.nearest(parts), met[met > 0]),
        weight=inside.astype(np.float32),
        pixel_mm=window.step_px * sample.pixel_mm,
        odd=sample.odd,
        prior=_standardised(_difference(current, earlier, around), around, DIFFERENCE_STEP, DIFFERENCE_NOISE),
        prior_lesions=known,
    )


def _around(known: Truth) -> Selection:
    """What doesn't belong to the lesion, nor to its rim; everything where that is next to nothing."""
    from scipy import ndimage

    around: Selection = ~ndimage.binary_dilation(known, iterations=MARGIN_PX)
    return around if around.sum() >= FEWEST_AROUND else np.ones_like(around)


def _difference(current: Picture, earlier: Picture, around: Selection) -> Picture:
    """The X-ray minus the earlier picture, whose brightness and contrast are first made like its own, around."""
    now, before = (one - one[around].mean() for one in (current, earlier))
    gain = float((now * before)[around].mean() / ((before**2)[around].mean() + GAIN_NOISE**2))
    return np.asarray(now - gain * before, dtype=np.float32)


def _standardised(values: Picture, around: Selection, step: float, noise: float) -> Picture:
    """Middle grey for 0, and a step of grey for each of their standard deviations around."""
    grey = 0.5 + step * values / (values[around].std() + noise)
    return np.asarray(np.clip(grey, 0, 1), dtype=np.float32)


def _read(plane: "NDArray[Any]", rows: Floats, columns: Floats, ratio: float) -> Picture:
    """A plane [y, x] at rows × columns, bilinearly; the ratio says how many of its pixels one new pixel covers."""
    from scipy import ndimage

    sigma = max(0.5 * ratio - _SHARP, 0.0)
    margin = int(np.ceil(3 * sigma)) + 2
    firsts = [max(int(places[0]) - margin, 0) for places in (rows, columns)]
    ends = [max(int(places[-1]) + margin + 1, 1) for places in (rows, columns)]
    firsts = [min(first, size - 1) for first, size in zip(firsts, plane.shape, strict=True)]
    piece = plane[firsts[0] : ends[0], firsts[1] : ends[1]].astype(np.float32)
    if sigma > 0:
        piece = ndimage.gaussian_filter(piece, sigma, mode="nearest", truncate=3.0)
    places = np.meshgrid(rows - firsts[0], columns - firsts[1], indexing="ij")
    return np.asarray(ndimage.map_coordinates(piece, places, order=1, mode="nearest"), dtype=np.float32)
