"""A file as torchxrayvision has its ResNet-50, with the keys and shapes that torchvision's source lays down."""

from pathlib import Path

import torch
from torch import Tensor


def batch_norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    keys = ("weight", "bias", "running_mean", "running_var")
    return {**{f"{name}.{key}": (width,) for key in keys}, f"{name}.num_batches_tracked": ()}


def torchvision_resnet50(classes: int = 18, inputs: int = 1) -> dict[str, tuple[int, ...]]:
    """The keys and shapes of torchvision's ResNet-50, as its source lays them down."""
    shapes: dict[str, tuple[int, ...]] = {"conv1.weight": (64, inputs, 7, 7), **batch_norm("bn1", 64)}
    into = 64
    for stage, blocks in enumerate((3, 4, 6, 3), start=1):
        planes = 64 * 2 ** (stage - 1)
        for block in range(blocks):
            name = f"layer{stage}.{block}"
            for step, shape in enumerate(((planes, into, 1, 1), (planes, planes, 3, 3), (4 * planes, planes, 1, 1)), 1):
                shapes |= {f"{name}.conv{step}.weight": shape, **batch_norm(f"{name}.bn{step}", shape[0])}
            if block == 0:
                shapes |= {f"{name}.downsample.0.weight": (4 * planes, into, 1, 1)}
                shapes |= batch_norm(f"{name}.downsample.1", 4 * planes)
            into = 4 * planes
    return {**shapes, "fc.weight": (classes, 2048), "fc.bias": (classes,)}


def fake(shapes: dict[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """A state of these shapes that takes no room: each tensor is one number, seen many times."""
    state = {key: torch.tensor(0.01).expand(shape) for key, shape in shapes.items()}
    tracked = {key: torch.tensor(5) for key in shapes if key.endswith("num_batches_tracked")}
    rows = torch.arange(float(shapes["fc.bias"][0])) if "fc.bias" in shapes else None
    fc = {} if rows is None else {"fc.weight": rows[:, None].expand(shapes["fc.weight"]), "fc.bias": rows / 10}
    return {**state, **tracked, **fc}


def saved(path: Path, content: object) -> Path:
    torch.save(content, path)
    return path
