"""The demonstration's chapter on CT slices: each nodule as the shipped model outlines it at one point."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path

import numpy as np

from hilum.core import Mask, Nodule
from hilum.core.mask import Selection
from hilum.datasets.data_kind import SLICES
from hilum.infer.loaded import load_model
from hilum.infer.prompted import Prompted, nodule_at
from hilum.infer.slices import SlicePredictor
from hilum.io.nodules_file import write_nodules
from hilum.io.text_file import write_bytes
from hilum.io.volumes import write_mask
from hilum.measure import axial_axes, centroid_lps_mm
from hilum.metrics.overlap import Ratio, confusion
from hilum.ops import place
from hilum.report.drawing import COLOURS
from hilum.report.page import Picture, Section, Table
from hilum.report.pictures import Layer, three_planes
from hilum.workflows.demo_scene import CONSENSUS, Scene
from hilum.workflows.predict_options import SHIPPED_FOR

RULE = (
    "The model looks at 128 by 128 pixels around the point, on its slice, then up and down as long as what it marks "
    "goes on. It is told the point and sees neither the readers' lines nor the rest of the CT. Here the point is the "
    "centroid of the readers' consensus; a person would click."
)


@dataclass(frozen=True, eq=False)
class _Beside:
    """What the model and the readers have of one nodule, on the CT's grid.

    Attributes:
        name: of the nodule.
        found: what the model says.
        consensus: of the readers.
        readers: each one's mask.
    """

    name: str
    found: Prompted
    consensus: Selection
    readers: Sequence[Selection]

    @cached_property
    def own(self) -> Selection:
        """The model's mask."""
        return self.found.mask.select(1)


def segmented_at_a_point(scene: Scene, folder: Path) -> Section:
    """Each nodule as the shipped model of slices outlines it; `prompted/`."""
    predictor = SlicePredictor(load_model(SHIPPED_FOR[SLICES]))
    pictures, tables = [], []
    for nodule, agreed, masks in zip(scene.nodules, scene.agreed, scene.masks, strict=True):
        point = centroid_lps_mm(agreed.select(1), agreed.require_geometry())
        found = nodule_at(scene.upright, point, predictor)
        write_mask(place(found.mask, scene.ct.geometry), folder / "prompted" / f"nodule-{nodule.id}.nii.gz")
        study = {"key": nodule.id, "point_lps_mm": point, "notes": found.notes}
        own = [] if found.nodule is None else [found.nodule]
        write_nodules(folder / "prompted" / f"nodule-{nodule.id}.json", study, own)
        consensus, *readers = (place(mask, scene.upright.geometry).select(1) for mask in (agreed, *masks))
        beside = _Beside(nodule.id, found, consensus, readers)
        pictures.append(_picture(beside, agreed, scene))
        write_bytes(folder / "prompted" / f"nodule-{nodule.id}.png", pictures[-1].png)
        tables.append(_table(beside, nodule.measured(scene.upright.geometry, CONSENSUS)))
    about = (
        f"The network {predictor.model.name} outlines a nodule whose place is known. {RULE} What it reaches on other "
        "patients stands in its card (hilum models); nobody of this scan was in its training or validation."
    )
    return Section("Outlined by a network at one point", (about,), pictures, tables)


def _picture(beside: _Beside, agreed: Mask, scene: Scene) -> Picture:
    layers = [
        Layer(f"reader {number}", mask, COLOURS[(number - 1) % len(COLOURS)])  # as in the chapter before
        for number, mask in enumerate(beside.readers, 1)
    ]
    layers.append(Layer("the network", beside.own, "white", 2.4))
    axes = axial_axes(agreed.select(1), agreed.require_geometry())
    x, y, _ = centroid_lps_mm(agreed.select(1), agreed.require_geometry())
    png = three_planes(scene.upright, (x, y, axes.long_ends_lps_mm[0][2]), layers)
    notes = " ".join(f"Note: {note}." for note in beside.found.notes)
    caption = f"Nodule {beside.name}. White: the network; coloured: the readers. {notes}".rstrip()
    return Picture(png, caption)


def _table(beside: _Beside, measured: Nodule) -> Table:
    """Volume and overlap of the model and of each reader, by the same measure."""
    voxels_mm3 = beside.found.mask.require_geometry().voxel_mm3
    rows = [_row("the network", beside.own, beside, voxels_mm3)]
    for number, mask in enumerate(beside.readers, start=1):
        rows.append(_row(f"reader {number}", mask, beside, voxels_mm3))
    pairs = [_dice(one, other) for one, other in combinations(beside.readers, 2)]
    among = f" Readers with each other: {np.mean(pairs):.3f}." if pairs else ""
    caption = (
        f"Nodule {beside.name}; the consensus has {measured.volume_mm3:.0f} mm³. Dice with the consensus, of which "
        f"each reader is a part, and the mean Dice with the (other) readers.{among} One nodule proves nothing."
    )
    return Table(("who", "mm³", "Dice with the consensus", "with the other readers"), rows, caption)


def _row(who: str, mask: Selection, beside: _Beside, voxel_mm3: float) -> tuple[str, str, str, str]:
    others = [_dice(mask, reader) for reader in beside.readers if reader is not mask]
    mean = f"{np.mean(others):.3f}" if others else "–"
    return who, f"{mask.sum() * voxel_mm3:.0f}", f"{_dice(mask, beside.consensus):.3f}", mean


def _dice(one: Selection, other: Selection) -> float:
    return Ratio.DICE(confusion(one, other))
