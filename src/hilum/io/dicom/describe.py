"""What DICOM files are, in a person's words, and what is odd about them."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from hilum.core import (
    Failures,
    FirstFailure,
    Geometry,
    HilumError,
    SpacingPlane,
    UnreadableError,
    UnsupportedError,
)
from hilum.io.description import Description
from hilum.io.dicom.files import Header, has_preamble, read_header, uid_name
from hilum.io.dicom.grid import Placement, grid_of, place
from hilum.io.dicom.instances import ENHANCED_CT, Instance, Kind
from hilum.io.dicom.radiograph import has_window, pixel_spacing, require_radiograph, view_of
from hilum.io.dicom.segmentation import require_volume_seg
from hilum.io.dicom.series import Series, date_of, group, scan
from hilum.io.dicom.structures import structures
from hilum.io.words import count, grid_facts, grid_line, listed, number, resolution_notes, times

_ALWAYS_LOSSY = tuple(f"1.2.840.10008.1.2.4.{end}" for end in (50, 51, 81))
_PERHAPS_LOSSY = tuple(f"1.2.840.10008.1.2.4.{end}" for end in (91, 93, 203))


def describe_dicom(path: Path, failures: Failures | None = None) -> list[Description]:
    """Everything DICOM in a file or, recursively, in a folder: a line and the oddities of each thing.

    Slices are described as series, everything else file by file. A file that is sound and holds no image that hilum
    takes (a header without pixels, colour, slices without a place) is described all the same. Other files of a folder
    are passed over.

    Args:
        path: a file or folder.
        failures: where damaged files of a folder are recorded; without it the first one is raised.

    Raises:
        UnreadableError: there is nothing at the path, a single file is damaged or isn't DICOM, or one of a folder is
            damaged and `failures` is None.
    """
    failures = FirstFailure() if failures is None or path.is_file() else failures
    instances, broken = scan(path)
    for file, error in broken:
        failures.add(str(file), error)
    series = group(instances)
    patients = sorted({one.patient for one in series if one.modality == "CT"})
    mixed = (f"one of {len(patients)} patients in {path}: {listed(patients)}",) if len(patients) > 1 else ()
    found = [_describe_series(one, mixed) for one in series]
    for instance in instances:
        if not instance.slices:
            found += _described_or_recorded(instance, failures)
    return found


def _described_or_recorded(instance: Instance, failures: Failures) -> Iterable[Description]:
    try:
        return [_describe_instance(instance)]
    except UnreadableError as error:
        failures.add(str(instance.path), error)
        return []


def _facts(instance: Instance) -> dict[str, object]:
    facts = instance.facts
    day = date_of(facts)
    return {
        "modality": instance.modality or None,
        "patient": facts["PatientID"] or facts["PatientName"] or None,
        "date": day.isoformat() if day else None,
        "series_uid": facts["SeriesInstanceUID"] or None,
        "description": facts["SeriesDescription"] or None,
        "transfer_syntax": uid_name(instance.syntax),
    }


def _opening(facts: dict[str, object]) -> str:
    """Patient and day, as far as they are known."""
    return f"patient {facts['patient'] or 'unnamed'}, {facts['date'] or 'undated'}"


def _describe_series(series: Series, mixed: tuple[str, ...]) -> Description:
    first = series.instances[0]
    facts = {**_facts(first), "kernel": series.kernel or None, "files": len(series.instances)}
    if series.key != series.uid:
        facts["series"] = series.key
    placement = place(series.slices)
    odd = [*(mixed if series.modality == "CT" else ()), *series.odd, *placement.problems(), *_series_oddities(series)]
    odd += _tilt(series, placement)
    try:
        size, more, notes = _extent(series, placement)
        odd += notes
    except HilumError as error:
        size, more = _counts(series), {"shape_zyx": [len(series.slices), series.rows, series.columns]}
        odd.append(error.message)
    kind = f"{series.modality or 'image'} {'scout view' if series.is_localizer else 'series'}"
    kernel = f", kernel {series.kernel}" if series.kernel else ""
    return Description(
        str(series.place), kind, f"{_opening(facts)}: {size}{kernel}", tuple(dict.fromkeys(odd)), facts | more
    )


def _tilt(series: Series, placement: Placement) -> Iterable[str]:
    if placement.tilt_degrees:
        degrees = number(placement.tilt_degrees, 1)
        yield f"tilted gantry: the slices are stacked {degrees}° off their normal; the grid is sheared"
    elif len(series.slices) > 1:
        told = series.instances[0].facts["GantryDetectorTilt"]
        if told.strip("-+0."):
            tilt = f"the header names a gantry tilt of {_number_of(told)}°"
            yield f"{tilt}, and the positions show none; the positions are believed"


def _number_of(text: str) -> str:
    """A header's number as people write it; what is none stays as it is."""
    try:
        return number(float(text))
    except ValueError:
        return text


def _counts(series: Series) -> str:
    return f"{times((series.columns, series.rows, len(series.slices)), 0)} voxels"


def _resolution(series: Series, grid: Geometry) -> tuple[str, ...]:
    """A scout view is as thick as the patient: its voxels say nothing."""
    return () if series.is_localizer else resolution_notes(grid, is_ct=series.modality == "CT")


def _extent(series: Series, placement: Placement) -> tuple[str, dict[str, object], tuple[str, ...]]:
    """Size in voxels and mm for people and for programs, and what is odd; an uneven series has a size, but no grid."""
    if placement.is_even:
        grid = grid_of(series)
        return grid_line(grid), grid_facts(grid) | {"is_even": True}, _resolution(series, grid)
    shape = [len(series.slices), series.rows, series.columns]
    if placement.step_mm is None:
        return _counts(series), {"shape_zyx": shape, "is_even": False}, ()
    length_mm = float(placement.along_mm[-1] - placement.along_mm[0])
    grid = grid_of(series, round(length_mm / placement.step_mm) + 1)
    facts = {"shape_zyx": shape, "size_zyx_mm": list(grid.size_zyx_mm), "frame_uid": grid.frame_uid}
    return f"{_counts(series)}, {times(grid.size_zyx_mm[::-1], 1)} mm", facts | {"is_even": False}, ()


def _series_oddities(series: Series) -> Iterable[str]:
    slices, first = series.slices, series.instances[0]
    if series.modality == "CT":
        unscaled = sum(not plane.has_rescale for plane in slices)
        if unscaled:
            yield f"{unscaled} of {len(slices)} slices without rescale: slope 1 and intercept 0 are taken"
        units = {plane.rescale_type for plane in slices} - {"", "HU"}
        if units:
            yield f"the values are said to be {', '.join(sorted(units))}, not HU"
    if slices[0].pixels.bits_allocated < 16:
        yield f"{slices[0].pixels.bits_allocated}-bit values: the range of HU is cut or coarse"
    if len({(plane.slope, plane.intercept) for plane in slices}) > 1:
        yield "slope or intercept differs from slice to slice"
    if slices[0].pixels.photometric == "MONOCHROME1":
        yield "MONOCHROME1: to be shown inverted; the values are not"
    if first.facts["PixelPaddingValue"] and series.modality == "CT":
        padding = first.facts["PixelPaddingValue"]
        yield f"padded: pixels outside of the scan are stored as {_number_of(padding)}, and rescaled like any other"
    if series.frame_uid is None:
        yield "no frame of reference: masks and other series can't be matched to it for certain"
    if len(slices) == 1 and first.sop_class not in ENHANCED_CT:
        yield "a single slice"
    for instance in series.instances:
        yield from _file_oddities(instance)


def _file_oddities(instance: Instance) -> Iterable[str]:
    if instance.syntax in _ALWAYS_LOSSY or instance.facts["LossyImageCompression"] == "01":
        yield f"lossy compression ({uid_name(instance.syntax)})"
    elif instance.syntax in _PERHAPS_LOSSY and instance.facts["LossyImageCompression"] != "00":
        yield f"perhaps lossy compression ({uid_name(instance.syntax)}, and the file doesn't say)"
    if instance.facts["BurnedInAnnotation"].upper() == "YES":
        yield "text is burned into the pixels"
    if not has_preamble(instance.path):
        yield "no preamble: the file begins without the 128 bytes and DICM of PS3.10"


def _describe_instance(instance: Instance) -> Description:
    """One file that is no slice; raises UnreadableError when it is damaged."""
    odd = [*instance.odd, *_file_oddities(instance)]
    facts = _facts(instance)
    header = read_header(instance.path)
    try:
        if instance.flaw:
            raise instance.flaw
        kind, text, more, notes = _KINDS.get(instance.kind, _other)(header)
    except UnsupportedError as error:
        _, text, more, _ = _other(header)
        kind, notes = f"{instance.modality} image".strip(), [_without_path(error, header)]
    summary = text if instance.kind is Kind.DIRECTORY else f"{_opening(facts)}: {text}"
    return Description(str(instance.path), kind, summary, tuple(dict.fromkeys(odd + notes)), facts | more)


def _without_path(error: HilumError, header: Header) -> str:
    """What an error says, where the path stands above it already."""
    start = f"{header.path} "
    return f"it {error.message.removeprefix(start)}" if error.message.startswith(start) else error.message


_Told = tuple[str, str, dict[str, object], list[str]]


def _radiograph(header: Header) -> _Told:
    source = require_radiograph(header)
    rows, columns = source.shape_yx
    pixel_mm, plane = pixel_spacing(header)
    odd = []
    size = f"{rows} × {columns} pixels"
    if pixel_mm is None:
        odd.append("it doesn't say how large its pixels are: no millimetres")
    else:
        size += f", {rows * pixel_mm[0]:.0f} × {columns * pixel_mm[1]:.0f} mm (y × x)"
    if plane is SpacingPlane.DETECTOR:
        odd.append("pixel spacing at the detector: what is in the patient is smaller by the magnification")
    if source.photometric == "MONOCHROME1":
        odd.append("MONOCHROME1: stored inverted, dense is dark; it is turned to dense is bright")
    if header.items("VOILUTSequence"):
        odd.append("a VOI lookup table is applied")
    elif header.text("WindowWidth") and not has_window(header):
        odd.append(f"its window is impossible (width {_number_of(header.text('WindowWidth'))}) and not applied")
    view = view_of(header)
    facts: dict[str, object] = {
        "shape_yx": [rows, columns],
        "pixel_mm": list(pixel_mm) if pixel_mm else None,
        "plane": plane and plane.value,
        "view": view.value,
    }
    return "radiograph", f"{header.text('Modality')} radiograph, view {view}, {size}", facts, odd


def _segmentation(header: Header) -> _Told:
    labels = [item.text("SegmentLabel") for item in header.items("SegmentSequence")]
    odd = []
    try:
        require_volume_seg(header)
    except UnsupportedError as error:
        odd.append(_without_path(error, header))
    kind = header.text("SegmentationType") or "of no stated type"
    text = f"{kind} segmentation, {count(len(labels), 'segment')}: {listed(labels, 6)}"
    return "mask", text, {"segments": labels, "segmentation_type": kind}, odd


def _structures(header: Header) -> _Told:
    found = [(name, len(contours)) for name, _, contours in structures(header)]
    odd = [f"{name!r} has no closed contour" for name, drawn in found if not drawn]
    shown = listed((f"{name} ({count(drawn, 'contour')})" for name, drawn in found), 6)
    text = f"{count(len(found), 'structure')}: {shown}"
    return "RT structure set", text, {"structures": dict(found)}, odd


def _report(header: Header) -> _Told:
    titles = [item.text("CodeMeaning") for item in header.items("ConceptNameCodeSequence")]
    return "structured report", titles[0] if titles else "without a title", {"title": titles[0] if titles else None}, []


def _directory(header: Header) -> _Told:
    records = Counter(item.text("DirectoryRecordType") for item in header.items("DirectoryRecordSequence"))
    held = ", ".join(f"{many} × {name}" for name, many in records.items()) or "empty"
    return "DICOM directory", f"a list of files ({held})", {"records": dict(records)}, []


def _other(header: Header) -> _Told:
    name = uid_name(header.sop_class) if header.sop_class else "DICOM data without a class"
    rows, columns = (0, 0) if header.has_pixels is False else (header.whole("Rows", 0), header.whole("Columns", 0))
    facts: dict[str, object] = {"sop_class": name}
    if not (rows and columns):
        return "other DICOM", name, facts, []
    frames, photometric = header.whole("NumberOfFrames", 1), header.text("PhotometricInterpretation")
    size = f"{columns} × {rows} pixels{f', {frames} frames' if frames > 1 else ''}, {photometric or 'no photometry'}"
    return "other image", f"{name}, {size}", facts | {"shape_yx": [rows, columns], "frames": frames}, []


_KINDS = {
    Kind.RADIOGRAPH: _radiograph,
    Kind.SEGMENTATION: _segmentation,
    Kind.STRUCTURES: _structures,
    Kind.REPORT: _report,
    Kind.DIRECTORY: _directory,
}
