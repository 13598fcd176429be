"""Compiled loops work where nothing can be kept on disk."""

import shutil
import subprocess
import sys
from pathlib import Path

import hilum

CODE = """
import numpy as np
from hilum.core import Geometry, Volume
from hilum.drr.attenuation import attenuation
ct = Volume(np.full((2, 2, 2), -1000, np.int16), Geometry.regular((2, 2, 2), (1, 1, 1)))
print(float(attenuation(ct).array.max()) < 1e-4)
"""


def test_a_package_that_nobody_may_write_to_still_runs(tmp_path):
    shutil.copytree(Path(hilum.__file__).parent, tmp_path / "hilum", ignore=shutil.ignore_patterns("__pycache__"))
    # A file where the folder for the cache would be made can't be written to, not even by root.
    (tmp_path / "hilum" / "drr" / "__pycache__").write_text("")
    environment = {"PYTHONPATH": str(tmp_path), "HOME": "/dev/null", "XDG_CACHE_HOME": "/dev/null"}
    environment |= {"PYTHONDONTWRITEBYTECODE": "1", "PATH": "/usr/bin"}
    command = [sys.executable, "-c", CODE]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("True", "")
