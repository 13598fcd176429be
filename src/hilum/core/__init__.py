"""The types that flow through hilum. Plain frozen dataclasses; nothing but numpy."""

from hilum.core.advice import Advice, Alternative, Due, MissingFact, StudyAdvice
from hilum.core.changes import ChangedLesion, ChangeKind
from hilum.core.errors import (
    AmbiguousError,
    ConfigError,
    GeometryError,
    HilumError,
    InputError,
    MeasureError,
    MissingError,
    OutputError,
    SpacingError,
    TooManyFailuresError,
    TrainError,
    UnitError,
    UnreadableError,
    UnsupportedError,
)
from hilum.core.evaluation import (
    Alarm,
    CaseMarks,
    CaseRow,
    ChangeGroup,
    Evaluation,
    Group,
    ReaderYardstick,
    Temperature,
    Threshold,
)
from hilum.core.explanation import Explanation, Sanity, SanityStep
from hilum.core.failures import Failure, Failures, FirstFailure
from hilum.core.figures import Figure
from hilum.core.films import ClassPrediction, FilmFigures
from hilum.core.geometry import Geometry
from hilum.core.growth import Change, DoublingTime, Growth, GrowthQuantity
from hilum.core.mask import Mask
from hilum.core.nodule import Diameters, Nodule
from hilum.core.outline import Outline
from hilum.core.prediction import KnownLesion, Prediction, Provenance
from hilum.core.radiograph import Radiograph, SpacingPlane, View
from hilum.core.volume import Quantity, Volume

__all__ = [
    "Advice",
    "Alarm",
    "Alternative",
    "AmbiguousError",
    "CaseMarks",
    "CaseRow",
    "Change",
    "ChangeGroup",
    "ChangeKind",
    "ChangedLesion",
    "ClassPrediction",
    "ConfigError",
    "Diameters",
    "DoublingTime",
    "Due",
    "Evaluation",
    "Explanation",
    "Failure",
    "Failures",
    "Figure",
    "FilmFigures",
    "FirstFailure",
    "Geometry",
    "GeometryError",
    "Group",
    "Growth",
    "GrowthQuantity",
    "HilumError",
    "InputError",
    "KnownLesion",
    "Mask",
    "MeasureError",
    "MissingError",
    "MissingFact",
    "Nodule",
    "Outline",
    "OutputError",
    "Prediction",
    "Provenance",
    "Quantity",
    "Radiograph",
    "ReaderYardstick",
    "Sanity",
    "SanityStep",
    "SpacingError",
    "SpacingPlane",
    "StudyAdvice",
    "Temperature",
    "Threshold",
    "TooManyFailuresError",
    "TrainError",
    "UnitError",
    "UnreadableError",
    "UnsupportedError",
    "View",
    "Volume",
]
