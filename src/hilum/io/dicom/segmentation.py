"""DICOM segmentations as masks."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hilum.core import Geometry, Mask, UnsupportedError
from hilum.core.mask import Labels
from hilum.io.dicom.files import Header, guarded, read_header
from hilum.io.dicom.instances import SEGMENTATION
from hilum.io.dicom.pixels import pixel_source
from hilum.io.dicom.structures import chosen, unique

if TYPE_CHECKING:
    from highdicom.seg import Segmentation

_LIKELY = 0.5


def read_seg(path: Path, structure: str | None = None) -> list[Mask]:
    """Read a segmentation (PS3.3 A.51, Label Map: A.51 since 2023) as labels on the whole grid that it spans.

    BINARY and LABELMAP segments are taken as they are; of FRACTIONAL ones what is .5 or more is in. Labels are the
    segment numbers, names the Segment Labels. Segments that overlap go to different masks: each to the first that it
    doesn't overlap. Slices that the file leaves out, because they are empty, are there and empty.

    Args:
        path: the file.
        structure: the label of the one segment that is wanted; None for all. Of several with one label, the later ones
            are called "label (2)" and so on.

    Raises:
        UnsupportedError: it is no segmentation, one of microscopy, its frames make no even volume, or no segment is
            called so.
        UnreadableError: the file is damaged.
    """
    header = read_header(path)
    require_volume_seg(header)
    with guarded(path, "the segmentation"):
        import highdicom

        segmentation = highdicom.seg.segread(path)
        grid = segmentation.get_volume_geometry(allow_missing_positions=True)
        if grid is None:
            raise UnsupportedError(f"{path} is a segmentation whose frames make no even volume.")
        numbers = [int(number) for number in segmentation.segment_numbers]
        labels_of = {n: str(segmentation.get_segment_description(n).segment_label) for n in numbers if n}
        names = _wanted(labels_of, structure, path)
        geometry = _geometry(grid, header.text("FrameOfReferenceUID"))
        if header.text("SegmentationType") == "LABELMAP":
            labels = _along_normal(segmentation.get_volume(combine_segments=True))
            if structure is not None:
                labels = np.where(np.isin(labels, list(names)), labels, 0)
            return [Mask(labels.astype(_label_type(numbers)), geometry, names=names)]
        return _without_overlap(segmentation, geometry, names)
    raise AssertionError


def _wanted(labels: dict[int, str], structure: str | None, path: Path) -> dict[int, str]:
    """Segment numbers and labels, of all or of the one that is wanted."""
    if structure is None:
        return labels
    by_name: dict[str, int] = {}
    for number, label in labels.items():
        by_name[unique(label, by_name)] = number
    return {by_name[name]: name for name in chosen(structure, by_name, path)}


def require_volume_seg(header: Header) -> None:
    """Refuse what is no segmentation of a volume.

    Raises:
        UnsupportedError: the object is of another kind, of microscopy, or has no place in the patient.
        UnreadableError: its numbers claim more than the file can hold.
    """
    path = header.path
    if header.sop_class not in SEGMENTATION:
        raise UnsupportedError(f"{path} is no segmentation, its modality is {header.text('Modality') or 'unknown'}.")
    if header.value("TotalPixelMatrixColumns") is not None:
        raise UnsupportedError(f"{path} is a segmentation of a microscopy slide; one of a volume was expected.")
    if not header.text("FrameOfReferenceUID"):
        raise UnsupportedError(f"{path} is a segmentation that has no place in the patient (no frame of reference).")
    pixel_source(header)


def _geometry(grid: Any, frame_uid: str) -> Geometry:
    """The grid with slices along the normal, as `read_series` has them.

    Highdicom's affine maps (slice, row, column) to LPS mm, ours (column, row, slice), and its slices run against the
    normal.
    """
    slices, rows, columns = grid.spatial_shape
    affine = np.array(grid.affine[:, [2, 1, 0, 3]], dtype=np.float64)
    if np.cross(affine[:3, 0], affine[:3, 1]) @ affine[:3, 2] > 0:
        raise UnsupportedError("the slices of this segmentation come in an order that highdicom isn't known to give.")
    affine[:3, 3] += affine[:3, 2] * (slices - 1)
    affine[:3, 2] *= -1
    return Geometry((slices, rows, columns), affine, frame_uid)


def _along_normal(volume: Any) -> NDArray[Any]:
    """Highdicom's array [slice, row, column] with slices along the normal."""
    return np.asarray(volume.array)[::-1]


def _label_type(numbers: list[int]) -> type[np.unsignedinteger[Any]]:
    return np.uint8 if max(numbers, default=0) < 256 else np.uint16


def _without_overlap(segmentation: "Segmentation", geometry: Geometry, names: dict[int, str]) -> list[Mask]:
    """Segment by segment, so that a file of a hundred segments needs the memory of its masks only."""
    sets: list[tuple[Labels, dict[int, str]]] = []
    for number, name in names.items():
        values = _along_normal(segmentation.get_volume(segment_numbers=[number], combine_segments=False))
        inside: NDArray[np.bool_] = values.reshape(geometry.shape_zyx) >= _LIKELY
        free = (one for one in sets if not one[0][inside].any())
        chosen = next(free, None)
        if chosen is None:
            chosen = np.zeros(geometry.shape_zyx, _label_type(list(names))), {}
            sets.append(chosen)
        chosen[0][inside] = number
        chosen[1][number] = name
    if not sets:
        raise UnsupportedError("the segmentation has no segment.")
    return [Mask(labels, geometry, names=held) for labels, held in sets]
