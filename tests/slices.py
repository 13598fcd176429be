"""Made-up CT slices, their data set, and a tiny model of them."""

import json

import numpy as np
from PIL import Image

from hilum.datasets.slice_sample import SliceSample
from hilum.models.catalogue import ModelConfig
from hilum.train.config import TrainConfig
from tests.trained import tiny_model

LUNG_HU, WALL_HU, NODULE_HU = -860, 40, 20
STEP_MM = 0.7


def ball(shape, centre, radius):
    """A mask of any number of axes."""
    places = np.indices(shape)
    far = sum((axis - at) ** 2 for axis, at in zip(places, centre, strict=True))
    return far <= radius**2


def slice_hu(shape=(64, 64), centre=(32, 32), radius=6, seed=0):
    """HU of a slice, int16: lung with a nodule, chest wall along the left."""
    hu = np.full(shape, LUNG_HU, dtype=float)
    hu[:, : shape[1] // 6] = WALL_HU
    truth = ball(shape, centre, radius)
    hu[truth] = NODULE_HU
    hu += np.random.default_rng(seed).normal(0, 15, shape)
    return hu.round().astype(np.int16), truth


def stretched(hu):
    """The same as the published slices are: 8 bit from the darkest to the brightest pixel."""
    return np.rint((hu - hu.min()) / (hu.max() - hu.min()) * 255).astype(np.uint8)


def sample(patient="LIDC-IDRI-0002", nodule="1", radius=5.0, seed=0, size=64, count=3):
    """A slice as it is learnt from: a bright disc on noise, somewhere; a radius of 0 shows no nodule."""
    rng = np.random.default_rng((seed, 7))
    truth = (
        ball((size, size), rng.uniform(size / 4, 3 * size / 4, 2), radius) if radius else np.zeros((size, size), bool)
    )
    image = np.clip(0.2 + 0.05 * rng.standard_normal(truth.shape) + 0.5 * truth, 0, 1).astype(np.float32)
    key = f"{patient}-{nodule or 'none'}-{seed}"
    return SliceSample(key, patient, nodule, count, image, truth, np.ones_like(image), STEP_MM)


def write_slices(folder, nodules, kind="slices"):
    """A prepared data set of (patient, nodule, reader count, centre, radius); three slices each, one a PNG."""
    folder.mkdir(parents=True, exist_ok=True)
    cases, train, validation = [], set(), set()
    for patient, nodule, readers, centre, radius in nodules:
        (validation if int(patient[-4:]) % 5 == 1 else train).add(patient)
        for number in range(3):
            key = f"{patient}-{nodule}-{number}"
            hu, truth = slice_hu(centre=centre, radius=radius - (number != 1), seed=len(cases))
            Image.fromarray(stretched(hu)).save(folder / f"{key}.png")
            Image.fromarray(truth.astype(np.uint8) * 255).save(folder / f"{key}-mask.png")
            masks = {"union": f"{key}-mask.png", "consensus": f"{key}-mask.png"}
            about = {"nodule": f"{patient}-{nodule}", "reader_count": readers, "number": number, "point_px": centre}
            case = {"key": key, "patient": patient, "image": f"{key}.png", "masks": masks, "nodules": None}
            cases.append({**case, "pixel_mm": [STEP_MM, STEP_MM], "slice": about})
    splits = {"train": sorted(train), "validation": sorted(validation)}
    content = {"schema": "hilum.dataset/1", "kind": kind, "cases": cases, "splits": splits}
    (folder / "dataset.json").write_text(json.dumps(content))
    return folder


PATIENTS = (
    ("LIDC-IDRI-0002", "1", 4, (30, 36), 7),
    ("LIDC-IDRI-0003", "1", 2, (40, 30), 5),
    ("LIDC-IDRI-0004", "1", 3, (25, 40), 4),
    ("LIDC-IDRI-0006", "1", 3, (33, 33), 6),
    ("LIDC-IDRI-0006", "2", 1, (20, 45), 5),
    ("LIDC-IDRI-0011", "1", 4, (38, 28), 5),
)
TINY = TrainConfig.of(
    {
        "recipe": "slices",
        "data": {"kind": "slices"},
        "model": {"name": "unet", "options": {"widths": (4, 8), "stem": "full"}},
        "augment": {"crop_px": (32, 32)},
        "optimiser": {"lr": 0.02},
        "trainer": {"epochs": 2, "batch_size": 4, "precision": "32", "panels_every": 2},
    }
)


POINTED = TrainConfig.of(
    {
        **TINY.plain(),
        "data": {"kind": "slices", "point_share": 0.8},
        "model": {"name": "unet", "options": {"widths": (4, 8), "stem": "full", "inputs": 2}},
    }
)
"""The same, told where the nodule is."""


def slice_model(folder, **data):
    """A folder with a random network of slices that marks something."""
    tiny_model(folder)
    content = json.loads((folder / "config.json").read_text())
    content["config"]["data"] = {"kind": "slices", "pixel_mm": None, **data}
    content["config"]["model"] = ModelConfig(**content["config"]["model"]).plain()
    (folder / "config.json").write_text(json.dumps(content))
    return folder
