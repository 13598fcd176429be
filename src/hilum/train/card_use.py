"""What a model's card says of its input and of what it is for: by the kind of data that it learnt from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hilum.datasets.class_config import ClassDataConfig
from hilum.datasets.data_kind import CT_PATCHES, SLICES, XRAY, XRAY_CLASSES
from hilum.datasets.patch_config import PatchDataConfig
from hilum.datasets.slice_config import SliceDataConfig
from hilum.datasets.slice_point import SIGMA_MM
from hilum.datasets.xray_config import KNOWN_LESIONS, NEW_LESIONS, XrayDataConfig
from hilum.train.data_config import DataConfig, is_of_views


def shown_of(data: DataConfig) -> str:
    """What the model looks at, in a few words."""
    if is_of_views(data):
        return "frontal chest X-rays, where one was known before, if it is still there"
    if isinstance(data, XrayDataConfig) and data.view == NEW_LESIONS:
        return "frontal chest X-rays that are new since an earlier one"
    return _WORDS[data.kind].shown


def pixels_of(data: DataConfig) -> str:
    """Which pixels it looks at them on."""
    if isinstance(data, XrayDataConfig) and is_of_views(data):
        return f"views of 48 by 48 pixels, cut out of pictures with pixels of {data.pixel_mm:g} mm"
    if isinstance(data, PatchDataConfig):
        return f"voxels of {data.voxel_mm:g} mm"
    if isinstance(data, ClassDataConfig):
        return f"{data.height_px} rows of square pixels" if data.height_px else f"pixels of {data.pixel_mm:g} mm"
    return "pixels as each scan has them" if data.pixel_mm is None else f"pixels of {data.pixel_mm:g} mm"


def unit_of(data: DataConfig) -> str:
    """What is counted: pictures, views of which a picture may have several, or pieces of a CT."""
    if isinstance(data, PatchDataConfig):
        return "pieces"
    return "views" if is_of_views(data) else "pictures"


def use_of(data: DataConfig, *, finds_boxes: bool = False) -> str:
    """The section on intended use; of a detector, if the model finds boxes."""
    words = _DETECTOR if finds_boxes else _WORDS[data.kind].use(data)
    return f"## Intended use\n\n{words}"


_DETECTOR = (
    "Research on finding lung nodules on CTs. It says where there may be one, by a box and a score, and outlines "
    "nothing: `hilum predict CT OUT --detector THIS` looks at both lungs and has another model outline what it finds. "
    "Where figures of this card compare masks, its boxes are drawn as ellipsoids: Dice is of these. What counts of a "
    "detector, how many nodules it finds at how many false marks a CT, `hilum froc` says of whole scans. Not for "
    "diagnosis, not for deciding on treatment, not for children, and not as the only reader."
)


def _xray_use(data: XrayDataConfig) -> str:
    words = (
        "Research on nodule detection and follow-up. Input is an X-ray in the style of its training "
        "pictures (8 bit, contrast-equalised, dense is bright, head up, patient right on the left); `hilum predict` "
        "brings a radiograph there. Not for diagnosis, not for deciding on treatment, not for children, and not as the "
        "only reader: it misses nodules, small and hidden ones above all, and marks what is none."
    )
    return "\n\n".join((words, *_second_input(data)))


def _second_input(data: XrayDataConfig) -> list[str]:
    """What has to stand beside the X-ray."""
    if data.prior == "none":
        return []
    if data.view == KNOWN_LESIONS:
        return [
            "It looks at **one lesion at a time**, which is known from an earlier frontal X-ray of the same patient "
            "laid over the current one: views of the X-ray, of its difference to the earlier one, and of the lesion's "
            "mask. It finds nothing new, and is used beside a model of whole pictures: `hilum predict CURRENT OUT "
            "--prior EARLIER --prior-mask MASK --known-lesions THIS`. The earlier pictures it learnt with were made of "
            "the current ones (`docs/explanation/over-time.md`), not taken on another day."
        ]
    if data.view == NEW_LESIONS:
        return [
            "It marks **lesions that are new** since an earlier frontal X-ray of the same patient, whose known lesions "
            "are another input: those it leaves to a model of known lesions, which `hilum predict CURRENT OUT --prior "
            "EARLIER --prior-mask MASK` puts beside it. The earlier pictures it learnt with were made of the current "
            "ones (`docs/explanation/over-time.md`), not taken on another day."
        ]
    whose = {
        "same": "the X-ray itself, as in the sources: nothing else is to be given",
        "shuffled": "**another patient's** earlier X-ray, drawn anew each time: a control that measures what an "
        "earlier picture is worth, not a model to use",
        "earlier": "an **earlier frontal X-ray of the same patient**, laid over the current one (`hilum predict "
        "CURRENT OUT --model THIS --prior EARLIER` does both)",
    }[data.prior]
    lesions, trained = "", ""
    if data.prior_lesions:
        lesions = (
            " A third input is the mask of the lesions that are known on the earlier X-ray (`--prior-mask`), all black "
            "where there were none; in training it came from the readers' outlines."
        )
    if data.prior == "earlier":
        trained = (
            " The earlier pictures it learnt with were made of the current ones (`docs/explanation/over-time.md`), "
            "not taken on another day. One of somebody else, mirrored, lateral or of other polarity is noticed where "
            "it can be, and said in the prediction's notes."
        )
    return [f"Second input: {whose}.{lesions}{trained}"]


def _slice_use(data: SliceDataConfig) -> str:
    readers = f"that at least {data.least_readers} readers outlined" if data.least_readers > 1 else "of any reader"
    words = (
        "Research on the segmentation of a lung nodule **whose place is known**, in axial CT slices: learnt from "
        f"pieces of slices around nodules {readers}, not from whole scans, so away from nodules it marks much that is "
        "none. Input is a slice in HU or in 8 bit, front of the patient up, patient right on the left; `hilum predict` "
        "brings both to one scale. In a CT, `hilum predict CT OUT --point x,y,z` follows the nodule at that point from "
        "slice to slice. Not for diagnosis, not for deciding on treatment, not for children, and not for finding "
        "nodules."
    )
    if not data.point_share:
        return words
    return (
        f"{words}\n\nSecond input: where the nodule is, a bright spot of {2 * SIGMA_MM:g} mm across (`--point`; "
        "`--point-px` for one picture). It stands for somebody's click; in the figures of this card, for the middle of "
        "the nodule's box over all its slices. Without a point whatever looks like a nodule is marked, and more of it "
        "is wrong."
    )


def _patch_use(data: PatchDataConfig) -> str:
    words = (
        "Research on the segmentation of a lung nodule in three dimensions: learnt from pieces of CTs, resampled to "
        f"voxels of {data.voxel_mm:g} mm. `hilum predict CT OUT --point x,y,z` resamples the piece around that point, "
        "marks the nodule there and measures it on the CT's own grid. Slices of more than 3 mm show too little along "
        "z to be measured. Not for diagnosis, not for deciding on treatment, not for children, and not for finding "
        "nodules in whole scans."
    )
    if not data.point_share:
        return words
    return (
        f"{words}\n\nSecond input: where the nodule is, a bright ball of {2 * SIGMA_MM:g} mm across (`--point`). It "
        "stands for somebody's click; in the figures of this card, for the nodule's centre as the data set says it, "
        "which a click misses by some millimetres. Without a point whatever looks like a nodule is marked, and more "
        "of it is wrong."
    )


def _class_use(data: ClassDataConfig) -> str:
    return (
        "Research on chest X-rays. Input is a frontal film, head up, dense is bright, patient right on the left; "
        f"`hilum predict` brings it to {pixels_of(data)}{_LOOKS[data.look]}. What is marked, and the share of a lung "
        "that it covers, is what people would have outlined on films like those of Data, no measurement of a disease. "
        "A label, where it gives one, was learnt from films of several places, whose scanners, marks and borders "
        "differ with the label: it may tell these apart. Not for diagnosis, not for deciding on treatment, not for "
        "children, and not as the only reader."
    )


_LOOKS = {"stored": "", "published": ", with contrast equalised"}


@dataclass(frozen=True)
class _Words:
    shown: str
    use: Callable[[Any], str]


_WORDS: Mapping[str, _Words] = {
    XRAY: _Words("frontal chest X-rays", _xray_use),
    SLICES: _Words("axial CT slices", _slice_use),
    CT_PATCHES: _Words("pieces of CTs", _patch_use),
    XRAY_CLASSES: _Words("frontal chest X-rays", _class_use),
}
