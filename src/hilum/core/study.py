"""One examination of one patient, loaded when it is needed."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from hilum.core.radiograph import Radiograph
from hilum.core.volume import Volume


class Modality(StrEnum):
    """How the images were made."""

    CT = "CT"
    XRAY = "X-ray"


@dataclass(frozen=True, eq=False)
class Study:
    """An examination: its name, day and kind, and how to load it.

    Attributes:
        key: unique and safe as a file name.
        date: the day of the examination; None when nobody says.
        modality: how the images were made.
        load: reads the image; called when the image is needed, and each time anew.
        patient: the patient's identifier, "" when nobody says.
    """

    key: str
    date: date | None
    modality: Modality
    load: Callable[[], Volume | Radiograph]
    patient: str = ""
