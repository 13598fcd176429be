"""Pictures and truths on pixels of another size. Millimetres are kept: nothing is squashed to a square."""

import math

import numpy as np
from numpy.typing import NDArray

from hilum.core.geometry import Floats
from hilum.core.mask import Selection
from hilum.core.radiograph import PixelMm
from hilum.ops import label_parts


class PixelGrid:
    """From a picture's own pixels to square ones of a stated size; both begin at the same corner.

    The last row and column may reach over the edge, by less than a pixel: nothing is cut off.

    Attributes:
        shape_yx: rows and columns of the result.

    Args:
        shape_yx: of the picture.
        step_mm: its row and column step.
        target_mm: side of the result's pixels.
    """

    def __init__(self, shape_yx: tuple[int, int], step_mm: PixelMm, target_mm: float) -> None:
        from scipy.sparse import csr_array

        self._step_mm, self._target_mm, self._old_yx = step_mm, target_mm, shape_yx
        # Sparse: two or three weights a row; and no BLAS, whose threads lose most of the time on a busy machine.
        self._rows, self._columns = (
            csr_array(axis_weights(size, step, target_mm)) for size, step in zip(shape_yx, step_mm, strict=True)
        )
        self.shape_yx = self._rows.shape[0], self._columns.shape[0]

    def mean(self, picture: NDArray[np.generic]) -> Floats:
        """Each new pixel's mean of the picture [y, x] over its area; between old pixels, where those are larger."""
        return np.asarray((self._columns @ (self._rows @ picture.astype(np.float64)).T).T)

    def lesions(self, truth: Selection) -> Selection:
        """A truth [y, x] on the new pixels; each lesion (8 neighbours) keeps its area.

        A lesion takes the pixels that it covers most, as many as its area makes, at least one. So small ones neither
        vanish, as they would by "at least half covered", nor swell, as they would by "touched at all".
        """
        from scipy import ndimage

        labels = label_parts(truth)
        result = np.zeros(self.shape_yx, dtype=bool)
        for number, box in enumerate(ndimage.find_objects(labels), 1):
            lesion = (labels[box] == number).astype(np.float64)
            covered = self._columns[:, box[1]] @ (self._rows[:, box[0]] @ lesion).T
            touched = np.argwhere(covered > 0)
            share = covered[tuple(touched.T)]
            most = touched[np.argsort(-share, kind="stable")[: max(1, round(float(share.sum())))]]
            result[most[:, 1], most[:, 0]] = True
        return result

    def nearest(self, values: Floats) -> Floats:
        """Each new pixel has the value [y, x] at its centre."""
        rows, columns = (
            np.clip((np.arange(new) + 0.5) * self._target_mm / step, 0, old - 0.5).astype(np.intp)
            for new, old, step in zip(self.shape_yx, values.shape, self._step_mm, strict=True)
        )
        return np.asarray(values[np.ix_(rows, columns)])

    def back(self, values: NDArray[np.float32]) -> Floats:
        """Values [y, x] of the new pixels on the picture's own, interpolated linearly."""
        rows, columns = (
            _to_size(axis_weights(size, self._target_mm, step), wanted)
            for size, step, wanted in zip(values.shape, self._step_mm, self._old_yx, strict=True)
        )
        return np.asarray(rows @ values @ columns.T)

    def moved(self, point_px: tuple[float, float]) -> tuple[float, float]:
        """Where a point (row, column) of the picture lies on the new pixels; whole numbers are pixel centres."""
        row, column = ((x + 0.5) * mm / self._target_mm - 0.5 for x, mm in zip(point_px, self._step_mm, strict=True))
        return row, column


def axis_weights(count: int, step_mm: float, target_mm: float) -> Floats:
    """[new, old]: what share of each new pixel each old one makes along one axis; rows sum to 1.

    Area averaging where pixels grow, linear interpolation between centres where they shrink.
    """
    new = max(1, math.ceil(count * step_mm / target_mm - 1e-6))
    ratio = target_mm / step_mm
    if ratio >= 1:
        edges = np.minimum(np.arange(new + 1) * ratio, count)
        old = np.arange(count)
        shared = np.minimum(edges[1:, None], old + 1) - np.maximum(edges[:-1, None], old)
    else:
        centres = np.clip((np.arange(new) + 0.5) * ratio - 0.5, 0, count - 1)
        shared = 1 - np.abs(centres[:, None] - np.arange(count))
    shared = np.maximum(shared, 0)
    return np.asarray(shared / shared.sum(axis=1, keepdims=True))


def _to_size(weights: Floats, size: int) -> Floats:
    """As many rows as wanted: the new pixels may reach over the old ones' edge by less than one of them."""
    missing = size - len(weights)
    return np.vstack((weights, np.repeat(weights[-1:], missing, axis=0))) if missing > 0 else weights[:size]
