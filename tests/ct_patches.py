"""CTs and pieces of CTs for tests: a body with lungs, nodules at known places."""

import numpy as np

from hilum.core import Geometry, Volume
from hilum.io import write_volume
from tests.shapes import ellipsoid
from tests.slices import ball

RATINGS = ("subtlety", "malignancy")


def cube_arrays(patients, side=15, radius=4.0):
    """Arrays of a file of cubes: a ball in the middle of each, denser than lung."""
    truth = ball((side,) * 3, (side // 2,) * 3, radius)
    image, mask = [], []
    for patient in patients:
        noise = np.random.default_rng(patient).normal(0, 0.01, truth.shape)
        image.append(np.clip(np.where(truth, 0.75, 0.22) + noise, 0, 1))
        mask.append(truth)
    return {
        "image": np.array(image, np.float16),
        "mask": np.array(mask, np.uint8),
        "name": np.array([f"{patient - 1}_nod1_ann0" for patient in patients]),
        "patient": np.array(patients, np.int64),
        "attributes": np.array([[3.0, 2.0]] * len(patients)),
        "attribute_names": np.array(RATINGS),
    }


GRID = Geometry.regular((60, 56, 76), (4.0, 4.0, 4.0), (-150.0, -110.0, -118.0))
"""Of `chest`: x, y, z in LPS mm from about -150, -110, -118."""


def chest(nodules=((-60.0, 10.0, 20.0, 20.0),), grid=GRID):
    """A body with two lungs, vessels in them, and nodules: (x, y, z, diameter) in LPS mm; int16 HU."""
    hu = np.where(ellipsoid(grid, (0, 0, 0), (140, 100, 400)), 40, -1000)
    for side in (-60, 60):
        hu[ellipsoid(grid, (side, 0, 0), (50, 75, 95))] = -850
        for height in (-50, -20, 10, 45):
            hu[ellipsoid(grid, (side + height / 5, height / 2, height), (8, 8, 8))] = 30
    for x, y, z, diameter in nodules:
        hu[ellipsoid(grid, (x, y, z), (diameter / 2,) * 3)] = 60
    return Volume(hu.astype(np.int16), grid)


def write_luna(folder, scans, subset=0, volume=None):
    """Series with nodules as LUNA16 has them; scans: {series: ((x, y, z, diameter), …)}."""
    (folder / f"subset{subset}").mkdir(parents=True, exist_ok=True)
    table = folder / "annotations.csv"
    lines = table.read_text().splitlines() if table.exists() else ["seriesuid,coordX,coordY,coordZ,diameter_mm"]
    for series, nodules in scans.items():
        write_volume(volume or chest(nodules), folder / f"subset{subset}" / f"{series}.mhd")
        lines += [",".join(map(str, (series, *nodule))) for nodule in nodules]
    table.write_text("\n".join(lines) + "\n")
    return folder


def lidc_xml(series_uid, nodules, no_nodules=(), small=()):
    """LIDC's XML: nodules is [readers][outlines] of (z_mm, [(column, row), …]); the others are (z_mm, column, row)."""

    def roi(z_mm, points, tag="roi"):
        edges = "".join(f"<edgeMap><xCoord>{x}</xCoord><yCoord>{y}</yCoord></edgeMap>" for x, y in points)
        return f"<{tag}><imageZposition>{z_mm}</imageZposition><inclusion>TRUE</inclusion>{edges}</{tag}>"

    sessions = []
    for number, outlines in enumerate(nodules):
        rois = "".join(roi(z_mm, points) for z_mm, points in outlines)
        own = f"<unblindedReadNodule><noduleID>{number}</noduleID>{rois}</unblindedReadNodule>"
        if number == 0:
            own += "".join(
                f"<unblindedReadNodule><noduleID>s{n}</noduleID>{roi(z, [(x, y)])}</unblindedReadNodule>"
                for n, (z, x, y) in enumerate(small)
            )
            own += "".join(
                f"<nonNodule><nonNoduleID>n{n}</nonNoduleID><imageZposition>{z}</imageZposition>"
                f"<locus><xCoord>{x}</xCoord><yCoord>{y}</yCoord></locus></nonNodule>"
                for n, (z, x, y) in enumerate(no_nodules)
            )
        sessions.append(f"<readingSession>{own}</readingSession>")
    header = f"<ResponseHeader><SeriesInstanceUid>{series_uid}</SeriesInstanceUid></ResponseHeader>"
    return f"<LidcReadMessage>{header}{''.join(sessions)}</LidcReadMessage>"
