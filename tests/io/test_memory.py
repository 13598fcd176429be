"""Reading a whole CT holds it once: measured is the growth of a fresh process's peak, imports included."""

import subprocess
import sys

import pytest

from hilum.io import read_volume, write_volume
from hilum.io.installed import sample_ct_path

INT16_MB = 512 * 512 * 133 * 2 / 1e6
MOST = 2.5
"""Times the int16 size; the limit that the project has set itself for reading."""

SCRIPT = """
import sys
from pathlib import Path
def status(key):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if key in line) / 1e3
idle = status("VmRSS")
from hilum.io import read_volume
volume = read_volume(Path(sys.argv[1]))
print(status("VmHWM") - idle)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="peaks are read from /proc")
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".mhd", ".nrrd"])
def test_growth_while_reading(suffix, tmp_path):
    path = sample_ct_path()
    if suffix != ".nii.gz":
        path = tmp_path / f"ct{suffix}"
        write_volume(read_volume(sample_ct_path()), path)
    run = subprocess.run([sys.executable, "-c", SCRIPT, path], capture_output=True, text=True, check=True)
    assert float(run.stdout) < MOST * INT16_MB
