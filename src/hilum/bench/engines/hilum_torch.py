"""hilum's projector with gradients, in PyTorch: "cpu" or "cuda", here without gradients."""

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from .worker import Project, Scene, serve


def main(folder: Path, variant: str) -> None:
    """Run on one device."""
    import torch

    import hilum
    from hilum.drr import differentiable

    del differentiable
    if variant == "cuda" and not torch.cuda.is_available():
        raise ImportError("no CUDA device")
    versions = {"hilum": hilum.__version__, "torch": torch.__version__}
    serve(folder, lambda scene: _prepare(scene, variant), versions)


def _prepare(scene: Scene, device: str) -> Project:
    import torch

    from hilum.drr.differentiable import project_torch

    volume = torch.as_tensor(scene.attenuation(), device=device)
    geometry, projection = scene.geometry(), scene.projection()

    def render() -> NDArray[Any]:
        with torch.inference_mode():
            return project_torch(volume, geometry, projection).cpu().numpy()

    return render
