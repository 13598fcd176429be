"""How fast the projector with gradients is on a CUDA device, and whether it makes the CPU's picture.

Needs numpy and torch only; the volume is made here, as large as LIDC-IDRI-0001. Run from the repository's root:

    PYTHONPATH=src python experiments/drr_cuda.py [OUT.json]
"""

import json
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import torch

from hilum.core import Geometry
from hilum.drr.differentiable import project_torch
from hilum.drr.projection import Beam, Pose, Setup

SHAPE, SPACING = (133, 512, 512), (2.5, 0.703125, 0.703125)


def chest() -> np.ndarray:
    """A body of water with two lungs and a spine, 1/mm, with noise."""
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE), indexing="ij", sparse=True)
    body = (x / 0.9) ** 2 + (y / 0.6) ** 2 < 1
    lungs = sum(((x - side) / 0.35) ** 2 + (y / 0.45) ** 2 + (z / 0.9) ** 2 < 1 for side in (-0.45, 0.45))
    spine = (x / 0.08) ** 2 + ((y - 0.45) / 0.1) ** 2 < 1
    volume = 0.02 * body - 0.016 * (lungs > 0) + 0.015 * (spine & body)
    return (volume + np.random.default_rng(0).normal(0, 4e-4, SHAPE) * body).astype(np.float32)


def seconds(call, repeats: int = 20) -> list[float]:
    """Times of a call on the device, the first ones left out."""
    times = []
    for number in range(repeats + 3):
        torch.cuda.synchronize()
        start = time.perf_counter()
        call()
        torch.cuda.synchronize()
        if number >= 3:
            times.append(time.perf_counter() - start)
    return times


def measure(size: int, volume: np.ndarray) -> dict[str, object]:
    """Forward, and forward with backward through pose and volume, at size²."""
    geometry = Geometry.regular(SHAPE, SPACING)
    room = Setup(beam=Beam.CONE, pixel_mm=430 / size, shape_yx=(size, size), pose=Pose())
    projection = room.projection(geometry)
    device = torch.as_tensor(volume, device="cuda")
    pose = torch.tensor([3.0, -2.0, 1.0], device="cuda", requires_grad=True)

    def forward() -> torch.Tensor:
        with torch.inference_mode():
            return project_torch(device, geometry, projection)

    def backward() -> None:
        project_torch(device, geometry, projection, rotation_deg=pose).square().mean().backward()

    torch.cuda.reset_peak_memory_stats()
    found = forward().cpu().numpy()
    with torch.inference_mode():
        expected = project_torch(torch.as_tensor(volume), geometry, projection).numpy()
    return {
        "size": size,
        "forward_s": statistics.median(seconds(forward)),
        "with_gradient_in_pose_s": statistics.median(seconds(backward, 5)),
        "peak_mb": torch.cuda.max_memory_allocated() / 1e6,
        "largest_difference_to_cpu": float(np.abs(found - expected).max() / expected.max()),
    }


def main() -> None:
    volume = chest()
    result = {
        "device": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "runs": [measure(size, volume) for size in (200, 256, 512)],
    }
    text = json.dumps(result, indent=2)
    print(text)
    for name in sys.argv[1:]:
        Path(name).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
