"""The demonstration's chapter on the whole CT: what is found without being told, beside the readers."""

from pathlib import Path

import numpy as np

from hilum.core import Nodule
from hilum.core.mask import Selection
from hilum.metrics.overlap import Ratio, confusion
from hilum.ops import place
from hilum.report.ct_nodules import TEXTURES
from hilum.report.page import Picture, Section, Table
from hilum.workflows.demo_scene import Scene
from hilum.workflows.predict_ct import ct_reader, write_found
from hilum.workflows.predict_options import DEFAULT_CT, PredictOptions

RULE = (
    "A detector looks for candidates in both lungs; a second network outlines each of them, or finds that nothing is "
    "there. Nobody tells them where the readers' nodules are."
)


def found_on_ct(scene: Scene, folder: Path) -> Section:
    """The nodules that the shipped models find on the CT; `ct/`."""
    reader = ct_reader(PredictOptions(DEFAULT_CT))
    found = reader(scene.ct)
    write_found(folder / "ct", scene.ct, found, reader, scene.read.series_uid)
    picture = Picture(
        (folder / "ct" / "overlay.png").read_bytes(),
        "The chest from the front with a ring about each nodule that was found, and the slice through each one's "
        "middle, with its mean diameter, volume, estimated texture and score.",
    )
    readers = {
        nodule.id: place(agreed, scene.ct.geometry).select(1)
        for nodule, agreed in zip(scene.nodules, scene.agreed, strict=True)
    }
    rows = [_row(one, np.asarray(found.mask.labels == int(one.id)), readers) for one in found.nodules]
    rest = len(found.marks) - len(found.nodules)
    caption = (
        f"Found with a score of at least {reader.rule.score:g}; {rest} more places with less stand in candidates.csv. "
        "One CT proves nothing."
    )
    columns = ("", "mean diameter mm", "volume mm³", "texture, estimated", "score", "readers", "Dice with them")
    table = Table(columns, rows, caption)
    about = (
        f"{RULE} Both have seen this scan's right lung in training, as a background for other patients' nodules; of "
        "its left lung and own nodule they know nothing, but the score from which on a place is a nodule was chosen "
        "with nodules inserted there. Decision support for research, not a medical device."
    )
    return Section("Found in the whole CT", (about,), [picture], [table])


def _row(nodule: Nodule, own: Selection, readers: dict[str, Selection]) -> tuple[str, ...]:
    """What was measured, and which of the readers' nodules it is: the one that it shares most voxels with."""
    shared = {name: int((own & one).sum()) for name, one in readers.items()}
    name = max(shared, key=lambda each: shared[each], default="")
    is_known = bool(name) and shared[name] > 0
    size = "–" if nodule.diameters_mm is None else f"{nodule.diameters_mm.mean_mm:.1f}"
    return (
        nodule.id,
        size,
        f"{nodule.volume_mm3:.0f}",
        "–" if nodule.texture is None else TEXTURES[nodule.texture],
        f"{nodule.score:.2f}",
        f"nodule {name}" if is_known else "outlined by no reader",
        f"{Ratio.DICE(confusion(own, readers[name])):.3f}" if is_known else "–",
    )
