"""What a file or folder is, in words and in numbers."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Description:
    """One thing that was found at a path: a CT series, a radiograph, a mask and so on.

    Attributes:
        path: the file, or the folder that holds it.
        kind: what it is in two or three words: "CT series", "radiograph", "volume", "mask", "RT structure set", ….
        summary: one line for people: patient, date, grid, size in mm.
        odd: what a person should know before trusting it, one line each; empty when nothing is odd.
        facts: the same and more for programs (JSON-ready): shape_zyx, spacing_zyx_mm, size_zyx_mm, affine_lps,
            orientation, modality, patient, date, series_uid, kernel, …, those that are known. Where one series UID
            holds several volumes, `series` tells them apart ("UID#2", as `--series` takes it).
    """

    path: str
    kind: str
    summary: str
    odd: tuple[str, ...] = ()
    facts: Mapping[str, object] = field(default_factory=dict)
