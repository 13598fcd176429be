"""`hilum convert`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def convert(
    src: Path,
    dst: Path,
    /,
    *,
    series: str | None = None,
    repair: Annotated[bool, Parameter(negative="")] = False,
    like: Path | None = None,
    force: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Write an image in another format; values and place in the patient stay as they are.

    The ending of DST chooses: .nii, .nii.gz, .mha, .mhd (with a .raw beside it) or .nrrd for a CT or a mask (DICOM SEG,
    RTSTRUCT, labels), no ending for a folder of DICOM slices, .png for a radiograph (16 bits are kept).

    ```
    hilum convert scans/patient7 patient7.nii.gz
    hilum convert scans/patient7 patient7.mhd --series 0808
    hilum convert ct.nii.gz dicom-folder
    hilum convert outlines.dcm mask.nii.gz --like scans/patient7
    ```

    Parameters
    ----------
    src
        A file, or a folder with a DICOM series.
    dst
        Where to; its ending names the format.
    series
        Which DICOM series, where there are several: its UID or the end of it.
    repair
        Resample a DICOM series that is unevenly spaced, rather than refuse it.
    like
        The CT that an RTSTRUCT was drawn on.
    force
        Write over a file that exists.
    """
    from hilum.workflows.convert import convert as run

    written = run(src, dst, series=series, repair=repair, like=like, force=force)
    print(f"{dst}: {type(written).__name__.lower()} written")
    return 0
