"""A model folder with a tiny random network that marks something."""

import torch
from safetensors.torch import save_file

from hilum.io.json_file import write_json
from hilum.models.catalogue import ModelConfig

STEP_MM = 1.4
THRESHOLD = 0.3


def tiny_model(folder, patients=()):
    """Write one whose threshold was chosen on these patients."""
    config = ModelConfig(name="unet", options={"widths": (4, 8), "start_probability": THRESHOLD})
    torch.manual_seed(0)
    weights = config.build().state_dict()
    weights["head.0.weight"] *= 30  # so that it says something about every pixel
    folder.mkdir(parents=True)
    save_file(weights, folder / "weights.safetensors")
    threshold = {"value": THRESHOLD, "chosen_on": "validation of films", "split": "validation", "split_hash": "abc"}
    settings = {"model": config.plain(), "data": {"pixel_mm": STEP_MM}}
    content = {"schema": "hilum.model/1", "hash": "x", "threshold": {**threshold, "patients": list(patients)}}
    write_json(folder / "config.json", {**content, "config": settings})
    return folder
