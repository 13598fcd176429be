"""Projection radiographs: CR, DX, MG, and secondary captures of them."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hilum.core import Radiograph, SpacingPlane, UnsupportedError, View
from hilum.core.radiograph import PixelMm
from hilum.io.dicom.files import Header, guarded, read_header, uid_name
from hilum.io.dicom.instances import Kind, kind_of
from hilum.io.dicom.pixels import PixelSource, pixel_source, read_frame

_VIEWS = {
    View.AP: {"AP", "ANTERO-POSTERIOR"},
    View.PA: {"PA", "POSTERO-ANTERIOR"},
    View.LATERAL: {"LATERAL", "LL", "RL", "LLAT", "RLAT", "LAT", "ML", "LM"},
    View.OBLIQUE: {"RAO", "LAO", "RPO", "LPO", "LLO", "RLO", "OBLIQUE", "MLO", "LMO"},
}
_SAME_STEP = 1e-4


def read_dicom_radiograph(path: Path, *, voi: bool = True) -> Radiograph:
    """Read one radiograph; dense is bright.

    The stored values go through the Modality LUT or rescale (PS3.3 C.11.1), then, with `voi`, through the first VOI LUT
    or window (C.11.2; the LUT when there are both), which is how the file wants to be shown; an impossible window is
    not applied. MONOCHROME1 is inverted last, within the range that these steps can give. Without any of them the
    integers stay as stored; otherwise the result is float32. Shutters, overlays and presentation states are not
    applied, and nothing is turned or mirrored.

    Millimetres are those of `pixel_spacing`.

    Args:
        path: the file.
        voi: apply the file's VOI LUT or window.

    Raises:
        UnsupportedError: it is no radiograph, or a coloured or multi-frame one.
        UnreadableError: the file is damaged.
    """
    header = read_header(path)
    source = require_radiograph(header)
    stored = np.asarray(read_frame(source))
    with guarded(path, "the lookup tables"):
        array, ends = _through_luts(header, stored, source, voi)
    if source.photometric == "MONOCHROME1":
        array = _inverted(array, ends)
    pixel_mm, plane = pixel_spacing(header)
    return Radiograph(array, pixel_mm, view_of(header), path.name, plane)


_EXPECTED = "A CR, DX or MG image was expected, or a secondary capture that names such a modality."
_SLICE_OF_CT = "A slice of a CT is read with the others of its series: name their folder."


def require_radiograph(header: Header) -> PixelSource:
    """What is needed for the pixels of a grey, single-frame radiograph.

    Raises:
        UnsupportedError: it is something else.
        UnreadableError: the file is damaged.
    """
    modality = header.text("Modality")
    if kind_of(header.sop_class, modality) is not Kind.RADIOGRAPH:
        name = uid_name(header.sop_class) or "unnamed object"
        raise UnsupportedError(
            f"{header.path} is no radiograph, but: {name}, modality {modality or 'not given'}.",
            _SLICE_OF_CT if modality == "CT" else _EXPECTED,
        )
    source = pixel_source(header)
    if source.samples != 1 or source.photometric not in ("MONOCHROME1", "MONOCHROME2"):
        raise UnsupportedError(f"{header.path} is in colour ({source.photometric}); a grey radiograph was expected.")
    if source.frames != 1:
        raise UnsupportedError(f"{header.path} has {source.frames} frames; one radiograph was expected.")
    return source


def _through_luts(
    header: Header, stored: NDArray[Any], source: PixelSource, voi: bool
) -> tuple[NDArray[Any], tuple[float, float]]:
    """The values after the file's tables, and the smallest and largest that these can give."""
    from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut

    dataset = header.dataset
    array: NDArray[Any] = stored
    ends = float(source.range[0]), float(source.range[1])
    if header.items("ModalityLUTSequence") or (
        header.number("RescaleSlope") or 1,
        header.number("RescaleIntercept") or 0,
    ) != (1, 0):
        array = apply_modality_lut(stored, dataset)
        ends = _ends(apply_modality_lut(np.array(source.range, stored.dtype), dataset), header, "ModalityLUTSequence")
    if voi and (header.items("VOILUTSequence") or has_window(header)):
        shown = apply_voi_lut(array, dataset, index=0)
        ends = _ends(apply_voi_lut(np.array(ends, array.dtype), dataset, index=0), header, "VOILUTSequence")
        array = shown
    if not np.isfinite(array).all():
        raise ValueError("they give values that are no finite numbers")
    return (array if array is stored else array.astype(np.float32)), ends


def has_window(header: Header) -> bool:
    """Whether the first window of a file is one: a centre, and a width that its function allows (PS3.3 C.11.2.1.2)."""
    try:
        float(header.text("WindowCenter").partition("\\")[0])
        width = float(header.text("WindowWidth").partition("\\")[0])
    except ValueError:
        return False
    return width >= 1 if header.text("VOILUTFunction") in ("", "LINEAR") else width > 0


def _ends(mapped: NDArray[Any], header: Header, sequence: str) -> tuple[float, float]:
    """The range after a table (all that its bits can hold) or after a straight line (what it makes of the ends)."""
    for item in header.items(sequence)[:1]:
        descriptor = item.numbers("LUTDescriptor", 3)
        if descriptor:
            return 0.0, float((1 << min(16, max(1, int(descriptor[2])))) - 1)
    return float(mapped.min()), float(mapped.max())


def _inverted(array: NDArray[Any], ends: tuple[float, float]) -> NDArray[Any]:
    if array.dtype.kind == "f":
        return np.asarray(np.float32(ends[0] + ends[1]) - array)
    wide = int(ends[0] + ends[1]) - array.astype(np.int64)
    return wide.astype(array.dtype)


def pixel_spacing(header: Header) -> tuple[PixelMm | None, SpacingPlane | None]:
    """How large pixels are, and in which plane (PS3.3 10.7.1 and C.8.11.4).

    Pixel Spacing counts as calibrated to the patient when Pixel Spacing Calibration Type says so (GEOMETRY or
    FIDUCIAL), or when it differs from Imager Pixel Spacing. A Pixel Spacing that equals Imager Pixel Spacing, or that
    comes alone and uncalibrated, is taken as the detector's, as are Imager Pixel Spacing alone and the Nominal Scanned
    Pixel Spacing of a digitised film. No magnification is divided out.

    Raises:
        UnreadableError: a spacing is damaged.
    """
    pixel, imager = _steps(header, "PixelSpacing"), _steps(header, "ImagerPixelSpacing")
    calibrated = header.text("PixelSpacingCalibrationType") in ("GEOMETRY", "FIDUCIAL")
    if pixel and (calibrated or (imager and not np.allclose(pixel, imager, rtol=_SAME_STEP, atol=0))):
        return pixel, SpacingPlane.PATIENT
    at_detector = imager or pixel or _steps(header, "NominalScannedPixelSpacing")
    return (at_detector, SpacingPlane.DETECTOR) if at_detector else (None, None)


def _steps(header: Header, keyword: str) -> PixelMm | None:
    found = header.numbers(keyword, 2)
    return (found[0], found[1]) if found and all(0 < step < 1e3 for step in found) else None


def view_of(header: Header) -> View:
    """How the rays went: View Position, else whether rows run from front to back (Patient Orientation)."""
    position = header.text("ViewPosition").upper()
    for view, names in _VIEWS.items():
        if position in names:
            return view
    rows = header.text("PatientOrientation").upper().partition("\\")[0]
    return View.LATERAL if rows in ("A", "P") else View.UNKNOWN
