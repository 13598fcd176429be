"""Reading a CT series: time against SimpleITK's reader, and memory.

    python benchmarks/read_dicom.py [--series FOLDER] [--repeats N]

FOLDER (else $HILUM_DATA, else ../shared/data, /lung-pet-ct-dx/A0001-series2) is a DICOM series. Both readers take turns
in one process, so that they share whatever else the machine does; the first turn of each is thrown away. Memory is
the growth of the highest resident memory (VmHWM) of a fresh process while it reads LIDC-IDRI-0001 (512×512×133) with
hilum, over the same process idle, that is, with the interpreter alone; it includes what the libraries take. One JSON
object goes to stdout.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

DATA = Path(os.environ.get("HILUM_DATA") or Path(__file__).parents[2] / "shared" / "data")
SERIES = DATA / "lung-pet-ct-dx" / "A0001-series2"

IDLE_AND_PEAK = """
import sys, pathlib
def high_mb():
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024 / 1e6
idle = high_mb()
{imports}
imported = high_mb()
volume = {read}
print(idle, imported, high_mb(), volume.array.size * 2 / 1e6, volume.array.dtype)
"""


def read_by_hilum(folder: Path) -> np.ndarray:
    from hilum.io.dicom import read_series

    return read_series(folder).array


def read_by_simpleitk(folder: Path) -> np.ndarray:
    import SimpleITK as sitk

    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    return sitk.GetArrayFromImage(reader.Execute())


def times_s(readers: dict[str, Callable[[Path], np.ndarray]], folder: Path, repeats: int) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {name: [] for name in readers}
    for _ in range(repeats + 1):
        for name, read in readers.items():
            start = time.perf_counter()
            read(folder)
            found[name].append(time.perf_counter() - start)
    return {name: taken[1:] for name, taken in found.items()}


def speed(folder: Path, repeats: int) -> dict[str, object]:
    readers = {"hilum": read_by_hilum, "simpleitk": read_by_simpleitk}
    one, other = (read(folder) for read in readers.values())
    assert np.array_equal(one, other)
    taken = times_s(readers, folder, repeats)
    medians = {name: statistics.median(times) for name, times in taken.items()}
    return {
        "series": folder.name,
        "shape_zyx": list(one.shape),
        "repeats": repeats,
        "median_ms": {name: round(1000 * median, 1) for name, median in medians.items()},
        "fastest_ms": {name: round(1000 * min(times), 1) for name, times in taken.items()},
        "hilum_over_simpleitk": round(medians["hilum"] / medians["simpleitk"], 3),
    }


def memory(imports: str, read: str) -> dict[str, object]:
    code = IDLE_AND_PEAK.format(imports=imports, read=read)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    idle, imported, peak, int16 = map(float, done.stdout.split()[:4])
    return {
        "dtype": done.stdout.split()[4],
        "int16_mb": round(int16, 1),
        "idle_mb": round(idle, 1),
        "peak_mb": round(peak, 1),
        "growth_over_int16": round((peak - idle) / int16, 2),
        "growth_after_import_over_int16": round((peak - imported) / int16, 2),
    }


def memories() -> dict[str, object]:
    from hilum.io import read_volume
    from hilum.io.dicom import write_series
    from hilum.io.installed import sample_ct_path

    path = sample_ct_path()
    with tempfile.TemporaryDirectory() as folder:
        series = Path(folder) / "series"
        write_series(read_volume(path), series, patient="LIDC-IDRI-0001")
        dicom = memory(
            "import pathlib, pydicom, hilum.io.dicom", f"hilum.io.dicom.read_series(pathlib.Path({str(series)!r}))"
        )
    nifti = memory("import pathlib, hilum.io", f"hilum.io.read_volume(pathlib.Path({str(path)!r}))")
    return {"LIDC-IDRI-0001 as DICOM": dicom, "LIDC-IDRI-0001 as NIfTI": nifti}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--series", type=Path, default=SERIES)
    parser.add_argument("--repeats", type=int, default=15)
    given = parser.parse_args()
    print(json.dumps({"speed": speed(given.series, given.repeats), "memory": memories()}, indent=2))


if __name__ == "__main__":
    main()
