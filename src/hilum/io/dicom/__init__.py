"""DICOM: series, radiographs, segmentations and structure sets in; CT series out.

Importing this loads nothing heavy: pydicom, gdcm and highdicom come when the first file is read.
"""

from hilum.io.dicom.describe import describe_dicom
from hilum.io.dicom.files import is_dicom, read_header
from hilum.io.dicom.radiograph import read_dicom_radiograph
from hilum.io.dicom.repair import Repair, series_repair
from hilum.io.dicom.segmentation import read_seg
from hilum.io.dicom.series import Series, find_series
from hilum.io.dicom.structures import read_rtstruct
from hilum.io.dicom.volume import read_series
from hilum.io.dicom.whose import Whose, whose
from hilum.io.dicom.write import write_series

__all__ = [
    "Repair",
    "Series",
    "Whose",
    "describe_dicom",
    "find_series",
    "is_dicom",
    "read_dicom_radiograph",
    "read_header",
    "read_rtstruct",
    "read_seg",
    "read_series",
    "series_repair",
    "whose",
    "write_series",
]
