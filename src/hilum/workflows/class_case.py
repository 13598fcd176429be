"""Makes one case of a data set of chest X-rays by classes: pictures as files, and a record of what they are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hilum.core.mask import Selection
from hilum.core.radiograph import PixelMm, Pixels
from hilum.datasets.class_map import ClassMap, pixels_by_class
from hilum.datasets.class_source import CLASSES, UNKNOWN, ImageLabel
from hilum.datasets.film_hash import content_hash, difference_hash
from hilum.io import write_png
from hilum.io.atomic import atomic_folder
from hilum.workflows.output import sha256_of

FOLDER, IMAGE = "cases", "image.png"


@dataclass(frozen=True)
class AboutFilm:
    """What a case is, beside its pixels.

    Attributes:
        key: unique, and safe as a file name.
        patient: whose it is.
        source: the picture's file, relative to the source.
        split: that the source puts it into; "" when it has none.
        label: of the image; None when nobody says.
        is_outlined: whether somebody outlined what it shows.
        finding: in the source's words.
        licence: of the image.
        day: since the patient's first film; NaN when nobody says.
    """

    key: str
    patient: str
    source: str
    split: str = ""
    label: ImageLabel | None = None
    is_outlined: bool = True
    finding: str = ""
    licence: str = "unknown"
    day: float = float("nan")


@dataclass(frozen=True, eq=False)
class FilmPlanes:
    """A case's pixels.

    Attributes:
        image: [y, x] 8 or 16 bits, dense is bright.
        classes: [y, x] one class a pixel.
        structures: [y, x] single ones by name, safe as file names; they may overlap.
        pixel_mm: row and column step; None when nobody knows.
        odd: what a person should know.
    """

    image: Pixels
    classes: ClassMap
    structures: Mapping[str, Selection] = field(default_factory=dict)
    pixel_mm: PixelMm | None = None
    odd: tuple[str, ...] = ()


def write_film(about: AboutFilm, planes: FilmPlanes, out: Path) -> dict[str, object]:
    """Write a case's files, whole or not at all.

    Returns:
        Its record for the index.

    Raises:
        OutputError: the place can't be written to.
    """
    place = f"{FOLDER}/{about.key}"
    masks = {name: f"{place}/{name}.png" for name in (CLASSES, *planes.structures)}
    with atomic_folder(out / place, replace=True) as folder:
        write_png(planes.image, folder / IMAGE)
        write_png(planes.classes, folder / f"{CLASSES}.png")
        for name, structure in planes.structures.items():
            write_png(structure, folder / f"{name}.png")
    files = {name: sha256_of(out / name) for name in (f"{place}/{IMAGE}", *masks.values())}
    pixels = pixels_by_class(planes.classes)
    film = {
        "source": about.source,
        "source_split": about.split,
        "image_label": about.label,
        "is_outlined": about.is_outlined,
        "finding": about.finding,
        "licence": about.licence,
        "day": about.day,
        "unknown_pixels": pixels.pop(UNKNOWN, 0),
        "class_pixels": pixels,
        "content": content_hash(planes.image),
        "perceptual": difference_hash(planes.image),
    }
    return {
        "key": about.key,
        "patient": about.patient,
        "image": f"{place}/{IMAGE}",
        "masks": masks,
        "nodules": None,
        "pixel_mm": planes.pixel_mm,
        "sha256": files[f"{place}/{IMAGE}"],
        "film": film,
        "odd": planes.odd,
        "files": files,
    }
