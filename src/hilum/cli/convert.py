"""`hilum convert`."""

import sys
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
    structure: str | None = None,
    force: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Write an image in another format, or on another grid; else values and place in the patient stay as they are.

    The ending of DST chooses: .nii, .nii.gz, .mha, .mhd (with a .raw beside it) or .nrrd for a CT or a mask (DICOM SEG,
    RTSTRUCT, labels), no ending for a folder of DICOM slices, .png for a radiograph (16 bits are kept).

    ```
    hilum convert scans/patient7 patient7.nii.gz
    hilum convert scans/patient7 patient7.mhd --series 0808
    hilum convert ct.nii.gz dicom-folder
    hilum convert outlines.dcm mask.nii.gz --like scans/patient7
    hilum convert outlines.dcm tumour.nii.gz --like scans/patient7 --structure GTV-1
    hilum convert coarse-mask.nii.gz mask.nii.gz --like ct.nii.gz
    ```

    Parameters
    ----------
    src
        A file, or a folder with a DICOM series.
    dst
        Where to; its ending names the format.
    series
        Which DICOM series, where there are several: its UID or the end of it. With a SEG or an RTSTRUCT, of LIKE.
    repair
        Interpolate missing slices of a DICOM series, bring uneven ones to an even grid and drop exact doubles, rather
        than refuse it; what was done is said on stderr.
    like
        A CT whose grid the result is to have. An RTSTRUCT needs the one that it was drawn on; a mask is resampled by
        the nearest voxel, a CT linearly.
    structure
        Of a SEG or an RTSTRUCT, the one to write, by its name in hilum info; needed where they overlap.
    force
        Write over a file that exists.
    """
    from hilum.workflows.convert import convert as run

    written = run(src, dst, series=series, repair=repair, like=like, structure=structure, force=force)
    print(f"{dst}: {type(written.image).__name__.lower()} written")
    for note in written.notes:
        print(f"hilum: note: {note}", file=sys.stderr)
    return 0
