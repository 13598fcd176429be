"""COVID-QU-Ex as it is published: parts, splits and labels by the names of folders (Tahir 2021, CBM 139:105002).

`Infection Segmentation Data` and `Lung Segmentation Data` each hold `Train`, `Val` and `Test`, each of these
`COVID-19`, `Non-COVID` and `Normal`, each of these `images`, `lung masks` and, in the first part, `infection masks`. A
picture and its masks have one name. Whose the films are is not published.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from hilum.datasets.class_source import ImageLabel

IMAGES, LUNGS, INFECTION = "images", "lung masks", "infection masks"
LABELS: Mapping[str, ImageLabel] = {
    "covid-19": ImageLabel.COVID,
    "non-covid": ImageLabel.NON_COVID,
    "normal": ImageLabel.HEALTHY,
}
SPLITS: Mapping[str, str] = {"train": "train", "val": "validation", "test": "test"}
PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".dcm")
"""What counts as a picture by its name, and has to be accounted for."""


class Part(StrEnum):
    """Which of the two published halves."""

    INFECTION = "infection"
    LUNG = "lung"


@dataclass(frozen=True)
class Place:
    """A folder of one label, split and part.

    Attributes:
        part: infection where any folder of the same half has infection masks.
        split: "train", "validation" or "test".
        label: of its images.
        has_infection: whether it has a folder of infection masks itself.
    """

    part: Part
    split: str
    label: ImageLabel
    has_infection: bool

    @property
    def name(self) -> str:
        """Begins its cases' keys."""
        return f"{self.part}-{self.split}-{self.label}"


@dataclass(frozen=True)
class Pictures:
    """Pictures of one place by their stem; several of one name are kept, to be refused."""

    place: Place
    of: Mapping[str, Mapping[str, list[Path]]] = field(default_factory=dict)

    def named(self, kind: str) -> Mapping[str, list[Path]]:
        """Those of `IMAGES`, `LUNGS` or `INFECTION`."""
        return self.of.get(kind, {})


def sorted_pictures(paths: Iterable[Path], src: Path) -> tuple[list[Pictures], list[Path]]:
    """Pictures by the place where they stand, and those that stand nowhere in the published layout.

    Args:
        paths: of all files below `src`; what is no picture by its name is passed over.
        src: the whole data set, or any folder of it down to a part.
    """
    by_folder: dict[Path, dict[str, dict[str, list[Path]]]] = {}
    strays: list[Path] = []
    for path in sorted(paths):
        if path.suffix.lower() not in PICTURES:
            continue
        folder, kind = path.parent.parent, path.parent.name.lower()
        if kind not in (IMAGES, LUNGS, INFECTION) or not _is_place(folder, src):
            strays.append(path)
            continue
        by_folder.setdefault(folder, {}).setdefault(kind, {}).setdefault(path.stem, []).append(path)
    halves = {folder.parent.parent for folder, kinds in by_folder.items() if INFECTION in kinds}
    return [Pictures(_place(folder, kinds, halves), kinds) for folder, kinds in sorted(by_folder.items())], strays


def _is_place(folder: Path, src: Path) -> bool:
    inside = folder == src or src in folder.parents
    return inside and folder.name.lower() in LABELS and folder.parent.name.lower() in SPLITS


def _place(folder: Path, kinds: Iterable[str], halves: set[Path]) -> Place:
    part = Part.INFECTION if folder.parent.parent in halves else Part.LUNG
    return Place(part, SPLITS[folder.parent.name.lower()], LABELS[folder.name.lower()], INFECTION in set(kinds))
