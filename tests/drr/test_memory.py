"""A picture costs little memory beside its CT, and is the one that the plain way makes."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from hilum.drr.attenuation import attenuation
from hilum.drr.exposure import Exposure, Spectrum, log_signal, primary
from hilum.drr.joseph import project_joseph
from hilum.drr.patient import patient_only
from hilum.drr.room import Room, take
from hilum.io import read_volume
from hilum.io.installed import sample_ct_path

MOST = 3.0
"""Times the CT's int16 size, beside the CT itself; the limit that the project has set itself."""

SCRIPT = """
import sys
from pathlib import Path
import numpy as np
from hilum.io import read_volume
from hilum.drr.exposure import Exposure, Spectrum
from hilum.drr.room import Room, take
def status(key):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if key in line) * 1024
ct, slices = read_volume(Path(sys.argv[1])), int(sys.argv[2])
ct = ct.crop((30, 0, 0), (slices, 512, 512))
try:
    Path("/proc/self/clear_refs").write_text("5")  # the peak while reading is another test's
except OSError:
    pass
before = status("VmRSS")
take(ct, Room(exposure=Exposure(Spectrum((50.0, 80.0), (1, 1)))), np.random.default_rng(0))
print((status("VmHWM") - before) / (ct.array.size * 2))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="peaks are read from /proc")
@pytest.mark.parametrize("slices", [103, 64])
def test_growth_while_a_picture_is_taken(slices):
    command = [sys.executable, "-c", SCRIPT, sample_ct_path(), str(slices)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert float(run.stdout) < MOST


@pytest.mark.parametrize("keep_table", [True, False])
def test_the_picture_is_that_of_the_plain_way(keep_table):
    ct = read_volume(sample_ct_path())
    spectrum = Spectrum((50.0, 80.0), (1, 1))
    taken = take(ct, replace(Room(), exposure=Exposure(spectrum), keep_table=keep_table), np.random.default_rng(0))
    patient = ct if keep_table else patient_only(ct)
    whole = [project_joseph(attenuation(patient, energy), taken.projection) for energy in spectrum.energies_kev]
    assert_allclose(taken.signal, log_signal(primary(whole, spectrum)), atol=1e-5)
