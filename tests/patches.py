"""Made-up pieces of a CT."""

import json

import numpy as np
import torch
from safetensors.torch import save_file

from hilum.core import Geometry, Mask, Volume
from hilum.core.volume import Quantity
from hilum.datasets.patch_sample import HARD, POSITIVE, PatchSample
from hilum.io import write_mask, write_volume
from hilum.train.config import TrainConfig
from tests.slices import ball

CONTOURS = "contours of 4 readers, at least half"
TINY = TrainConfig.of(
    {
        "recipe": "nodule3d",
        "data": {"kind": "ct-patches"},
        "model": {"name": "slim_unet3d", "options": {"widths": (4, 8), "blocks": (0, 1)}},
        "augment": {"kind": "patches", "crop_px": 16},
        "optimiser": {"lr": 0.02},
        "trainer": {"epochs": 2, "batch_size": 4, "precision": "32", "panels_every": 2},
    }
)
POINTED = TrainConfig.of(
    {
        **TINY.plain(),
        "data": {"kind": "ct-patches", "point_share": 0.8},
        "model": {"name": "slim_unet3d", "options": {"widths": (4, 8), "blocks": (0, 1), "inputs": 2}},
    }
)
PATIENTS = (
    ("LIDC-IDRI-0002", "1", 4),
    ("LIDC-IDRI-0002", "", 0),
    ("LIDC-IDRI-0003", "1", 3),
    ("LIDC-IDRI-0004", "1", 5),
    ("LIDC-IDRI-0006", "1", 4),
    ("LIDC-IDRI-0006", "2", 3),
    ("LIDC-IDRI-0011", "", 0),
)


def write_patches(folder, pieces=PATIENTS, size=20):
    """A prepared data set of (patient, nodule, radius); a radius of 0 shows a hard negative."""
    folder.mkdir(parents=True, exist_ok=True)
    cases, splits = [], {"train": set(), "validation": set()}
    for number, (patient, nodule, radius) in enumerate(pieces):
        splits["validation" if int(patient[-4:]) % 5 == 1 else "train"].add(patient)
        one = patch(patient, nodule, radius, seed=number, size=size)
        grid = Geometry.regular(one.truth.shape, one.voxel_mm, (number * 10.0, 0.0, -50.0))
        hu = np.rint(one.image * 1400 - 1000).astype(np.int16)
        case = folder / one.key
        case.mkdir()
        write_volume(Volume(hu, grid, Quantity.HU), case / "image.nii.gz")
        write_mask(Mask(one.truth.astype(np.uint8), grid, names={1: "nodule"}), case / "mask.nii.gz")
        about = {"series": "", "nodule": nodule and f"{patient}-{nodule}", "kind": one.kind, "truth": CONTOURS}
        centre = grid.to_lps_mm(one.point_zyx).tolist() if one.point_zyx else None
        about |= {"voxel_mm": one.voxel_mm, "centre_lps_mm": centre, "diameter_mm": 2.0 * radius or None, "fold": None}
        files = {"image": f"{one.key}/image.nii.gz", "masks": {"nodule": f"{one.key}/mask.nii.gz"}}
        cases.append({"key": one.key, "patient": patient, **files, "nodules": None, "patch": about})
    content = {"schema": "hilum.dataset/1", "kind": "ct-patches", "cases": cases, "licences": ["LIDC-IDRI: CC BY 3.0"]}
    content["splits"] = {name: sorted(some) for name, some in splits.items()}
    (folder / "dataset.json").write_text(json.dumps(content))
    return folder


def patch(patient="LIDC-IDRI-0002", nodule="1", radius=4.0, seed=0, size=24, kind=None, voxel_mm=(1.0, 1.0, 1.0)):
    """A bright ball on noise, somewhere about the middle, and the point of its centre; a radius of 0 shows none."""
    rng = np.random.default_rng((seed, 9))
    centre = tuple(float(one) for one in rng.uniform(0.35 * size, 0.65 * size, 3))
    truth = ball((size,) * 3, centre, radius) if radius else np.zeros((size,) * 3, bool)
    image = np.clip(0.2 + 0.05 * rng.standard_normal(truth.shape) + 0.5 * truth, 0, 1).astype(np.float32)
    return PatchSample(
        key=f"{patient}-{nodule or 'none'}-{seed}",
        patient=patient,
        nodule=nodule,
        image=image,
        truth=truth,
        weight=np.ones_like(image),
        voxel_mm=voxel_mm,
        kind=kind or (POSITIVE if radius else HARD),
        truth_type=CONTOURS,
        point_zyx=centre if radius else None,
    )


def patch_model(folder, **data):
    """A folder with a random network of pieces of a CT."""
    folder.mkdir(parents=True)
    config = (POINTED if data.get("point_share") else TINY).plain()
    config["data"] |= data
    torch.manual_seed(0)
    save_file(TrainConfig.of(config).model.build().state_dict(), folder / "weights.safetensors")
    threshold = {"value": 0.3, "chosen_on": "validation of tests"}
    content = {"schema": "hilum.model/1", "config": config, "hash": "0" * 64, "threshold": threshold}
    (folder / "config.json").write_text(json.dumps(content))
    return folder
