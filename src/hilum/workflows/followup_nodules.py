"""The nodules of one CT of a follow-up: given by the user, or found; each with its mask, all measured alike."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hilum.core import InputError, Mask, MissingError, Nodule, Volume
from hilum.core.geometry import Triple
from hilum.core.mask import Selection
from hilum.infer.ct_nodules import CtNodules, nodule_of
from hilum.infer.prompted_volume import Part, part_at
from hilum.io import read_mask
from hilum.io.kinds import Kind, recognise
from hilum.io.nodules_file import read_nodules
from hilum.measure import is_thick
from hilum.ops import label_parts, to_lps_axes
from hilum.workflows.followup_folder import MASK, NODULES, forget, given_hash, remember
from hilum.workflows.followup_measured import by_edge
from hilum.workflows.followup_studies import DatedCt
from hilum.workflows.output import Run, is_done, write_run
from hilum.workflows.predict_ct import CtReader, write_found

GIVEN = "whoever made the given mask"
_MOST = 255
_SHARED = 0.5


@dataclass(frozen=True, eq=False)
class CtStudy:
    """One CT of a follow-up with its nodules.

    Attributes:
        ct: whose and when.
        volume: in HU, axes along the patient's.
        labels: [z, y, x] on the volume's grid: label n is the nodule with id n.
        nodules: measured.
        is_given: whether the user gave them; else they were found.
        notes: what a person should know.
        outlined_by: whose outlines they are; "" when nobody knows.
    """

    ct: DatedCt
    volume: Volume
    labels: np.ndarray
    nodules: tuple[Nodule, ...]
    is_given: bool
    notes: tuple[str, ...] = ()
    outlined_by: str = ""

    @property
    def slice_mm(self) -> float:
        """Distance of its slices, or their thickness where that is larger."""
        grid = self.volume.geometry
        return max(grid.spacing_zyx_mm[grid.axial_axis], self.ct.made.thickness_mm or 0.0)

    @property
    def is_thick(self) -> bool:
        """Whether no volume is measured on it."""
        return is_thick(self.volume.geometry, self.slice_mm)

    def mask(self, nodule_id: str) -> Selection:
        """[z, y, x] of a nodule."""
        return np.asarray(self.labels == int(nodule_id))

    def nodule(self, nodule_id: str) -> Nodule:
        """By id."""
        return next(one for one in self.nodules if one.id == nodule_id)


def study_of(
    ct: DatedCt, volume: Volume, given: Path | None, reader: CtReader, folder: Path, settings: dict[str, object]
) -> CtStudy:
    """A CT's nodules; what was found is kept in `folder`, and taken from there the next time.

    Args:
        ct: whose and when.
        volume: of it, in HU, axes along the patient's.
        given: a mask (each label a nodule; of one label each connected part), or a `nodules.json`; None to find them.
        reader: finds and outlines nodules.
        folder: where the CT's mask and nodules go.
        settings: what determines them, beside the files.

    Raises:
        HilumError: what is given can't be used.
    """
    inputs = {"ct": ct.hash} if given is None else {"ct": ct.hash, "given": given_hash(given)}
    run = Run("followup study", inputs, {**settings, "measured_by": "edge"})
    if is_done(folder, run) and all((folder / name).is_file() for name in (MASK, NODULES)):
        labels = to_lps_axes(read_mask(folder / MASK, volume.geometry)).labels
        stored = read_nodules(folder / NODULES)
        told = tuple(stored.study.get("notes", ())), str(stored.study.get("outlined_by", ""))
        return CtStudy(ct, volume, labels, stored.nodules, given is not None, *told)
    found = _by_edges(reader(volume) if given is None else _given(volume, given, reader), volume, ct)
    folder.mkdir(parents=True, exist_ok=True)
    forget(folder / MASK)
    hand = _hand(given, reader)
    write_found(folder, volume, found, reader, ct.uid or folder.name, hand)
    remember(folder / MASK)
    write_run(folder, run)
    return CtStudy(ct, volume, to_lps_axes(found.mask).labels, found.nodules, given is not None, found.notes, hand)


def _hand(given: Path | None, reader: CtReader) -> str:
    """Whose outlines count: hilum's where it outlines at given places, too; else as the list says, which may not."""
    if given is None or (given.suffix == ".json" and not given.with_name(MASK).is_file()):
        return reader.hand
    stored = read_nodules(given).study.get("outlined_by") if given.suffix == ".json" else None
    return str(stored or GIVEN)


def _by_edges(found: CtNodules, volume: Volume, ct: DatedCt) -> CtNodules:
    """All measured from their edges; none has a volume where slices are too thick for it, as only a header may say."""
    labels = to_lps_axes(found.mask).labels
    if is_thick(volume.geometry, ct.made.thickness_mm or 0.0):
        return replace(found, nodules=tuple(replace(one, volume_mm3=None) for one in found.nodules))
    return replace(found, nodules=tuple(by_edge(one, volume, labels == int(one.id)) for one in found.nodules))


def looked_again(study: CtStudy, point_lps_mm: Triple, within_mm: float, reader: CtReader) -> CtStudy | None:
    """The study with the nodule that the second model sees at a place, where another date has one; None without any.

    Args:
        study: where to look.
        point_lps_mm: where the nodule of another date is expected.
        within_mm: how far from there its middle may lie.
        reader: outlines it.
    """
    if not study.volume.geometry.contains(point_lps_mm) or len(study.nodules) >= _MOST:
        return None
    part = part_at(study.volume, point_lps_mm, reader.segmenter)
    if part is None or (study.labels[part.place][part.mask] > 0).mean() > _SHARED:
        return None
    name = str(max([0, *(int(one.id) for one in study.nodules)]) + 1)
    free = part.mask & (study.labels[part.place] == 0)
    nodule = nodule_of(name, replace(part, mask=free), part.score, study.volume)
    apart = np.linalg.norm(np.subtract(nodule.centre_lps_mm or np.nan, point_lps_mm))
    if not apart <= within_mm:
        return None
    labels = study.labels.copy()
    labels[part.place][free] = int(name)
    nodule = replace(nodule, volume_mm3=None) if study.is_thick else by_edge(nodule, study.volume, labels == int(name))
    return replace(study, labels=labels, nodules=(*study.nodules, nodule))


def _given(volume: Volume, path: Path, reader: CtReader) -> CtNodules:
    """What the user gives, as if it had been found."""
    if path.suffix != ".json":
        return _of_labels(volume, _labels_of(path, volume), ())
    beside = path.with_name(MASK)
    stored = read_nodules(path)
    if beside.is_file():
        labels = _stored_labels(beside, volume)
        kept = np.where(np.isin(labels, _listed(stored.nodules, labels, path)), labels, 0)
        return _of_labels(volume, kept, ())
    return _of_places(volume, stored.nodules, path, reader)


def _listed(nodules: Sequence[Nodule], labels: np.ndarray, path: Path) -> list[int]:
    """The labels of a list's nodules in the mask beside it."""
    there = set(np.unique(labels[labels > 0]).tolist())
    lost = [one.id for one in nodules if not one.id.isdecimal() or int(one.id) not in there]
    if lost:
        raise InputError(
            f"{path}: nodules {', '.join(lost)} have no label of that number in {MASK} beside it, whose labels are: "
            f"{', '.join(map(str, sorted(there))) or 'none'}.",
            "Name the nodules by their labels, or give the mask itself.",
        )
    return [int(one.id) for one in nodules]


def _labels_of(path: Path, volume: Volume) -> np.ndarray:
    """Labels of a mask file on the volume's grid; the parts of a mask with a single label."""
    labels = _stored_labels(path, volume)
    if not labels.any():
        raise InputError(f"{path} marks nothing on its CT.", "Give a mask of that CT, or leave it out.")
    numbers = np.unique(labels[labels > 0])
    if len(numbers) == 1:
        return label_parts(labels > 0)
    return labels


def _stored_labels(path: Path, volume: Volume) -> np.ndarray:
    """[z, y, x] on the volume's grid, whichever way the file stores its axes."""
    needs_grid = recognise(path) is Kind.DICOM  # outlines have none of their own
    mask = to_lps_axes(read_mask(path, volume.geometry if needs_grid else None))
    volume.geometry.require_same_grid(mask.require_geometry())
    return mask.labels


def _of_labels(volume: Volume, labels: np.ndarray, notes: tuple[str, ...]) -> CtNodules:
    numbers = np.unique(labels[labels > 0])
    if len(numbers) > _MOST:
        raise InputError(
            f"a CT can have {_MOST} nodules here, and {len(numbers)} are marked.", "Mark the nodules only."
        )
    own = np.zeros(labels.shape, dtype=np.uint8)
    nodules = []
    for name, number in enumerate(numbers.tolist(), start=1):
        own[labels == number] = name
        nodules.append(nodule_of(str(name), _whole(own == name, volume), 1.0, volume))
    names = {name: f"nodule {name}" for name in range(1, len(nodules) + 1)}
    return CtNodules(Mask(own, volume.geometry, names=names), tuple(nodules), (), notes)


def _of_places(volume: Volume, nodules: tuple[Nodule, ...], path: Path, reader: CtReader) -> CtNodules:
    """Each outlined at the place that a list says."""
    labels = np.zeros(volume.array.shape, dtype=np.uint8)
    notes = []
    for number, nodule in enumerate(nodules[:_MOST], start=1):
        if nodule.centre_lps_mm is None:
            raise InputError(f"{path}: nodule {nodule.id} has no centre in LPS mm.", "Give centre_lps_mm or a mask.")
        part = part_at(volume, nodule.centre_lps_mm, reader.segmenter)
        if part is None:
            notes.append(f"nodule {nodule.id} of {path.name}: nothing was outlined at its place")
            continue
        seen = labels[part.place]
        seen[part.mask & (seen == 0)] = number
    if not labels.any():
        raise MissingError(f"nothing could be outlined at the places of {path}.", "Give a mask instead.")
    return _of_labels(volume, labels, tuple(notes))


def _whole(mask: Selection, volume: Volume) -> Part:
    """A mask of the whole CT as the block around it."""
    z, y, x = (_span(np.asarray(mask.any(axis=others))) for others in ((1, 2), (0, 2), (0, 1)))
    grid = volume.geometry.crop((z.start, y.start, x.start), (z.stop - z.start, y.stop - y.start, x.stop - x.start))
    return Part((z, y, x), np.asarray(mask[z, y, x]), grid, 1.0, False, 0.0)


def _span(there: Selection) -> slice:
    places = np.flatnonzero(there)
    return slice(int(places[0]), int(places[-1]) + 1)
