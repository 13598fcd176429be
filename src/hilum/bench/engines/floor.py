"""One pass over the volume's bytes, on all cores: nothing that looks at every voxel can be faster."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .worker import Project, Scene, serve


def main(folder: Path, variant: str) -> None:
    """Variant "int16" (HU) or "float32" (attenuation)."""

    def prepare(scene: Scene) -> Project:
        volume = scene.hu() if variant == "int16" else scene.attenuation()
        parts = np.array_split(volume.reshape(-1), os.cpu_count() or 1)
        threads = ThreadPoolExecutor(len(parts))

        def one_pass() -> NDArray[Any]:
            return np.array([list(threads.map(np.max, parts))])

        return one_pass

    serve(folder, prepare, {"numpy": np.__version__})
