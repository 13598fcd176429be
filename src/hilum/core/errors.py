"""Every error that hilum raises on purpose.

HilumError
├── InputError            what was given can't be used
│   ├── UnreadableError   damaged, truncated, or not what its name says
│   ├── UnsupportedError  sound, but of a kind that hilum doesn't take
│   ├── AmbiguousError    it holds more than one thing, and nobody said which
│   └── SpacingError      slices are missing, doubled or unevenly spaced
├── ConfigError           a configuration has an unknown key or a value that can't be
├── TrainError            training can't go on: a loss that is not a number, no memory
├── GeometryError         grids that don't belong together, or that no grid can have
├── UnitError             millimetres were asked of something that has none
├── MeasureError          a figure that this input doesn't have
├── OutputError           the result couldn't be written
├── MissingError          a part that has to be installed is not there
└── TooManyFailuresError  more inputs failed than the run allows
"""


class HilumError(Exception):
    """The root: `message` says what was expected and what came, `remedy` what to do about it."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".rstrip()


class InputError(HilumError):
    """What was given can't be used."""


class UnreadableError(InputError):
    """Damaged, truncated, or not what its name says."""


class UnsupportedError(InputError):
    """Sound, but of a kind that hilum doesn't take here."""


class AmbiguousError(InputError):
    """The input holds more than one thing, and nobody said which is meant."""


class SpacingError(InputError):
    """Slices are missing, doubled or unevenly spaced."""


class ConfigError(HilumError):
    """A configuration has an unknown key, or a value that can't be."""


class TrainError(HilumError):
    """Training can't start or go on: nothing to learn from, a loss that is not a number, no memory left."""


class GeometryError(HilumError):
    """Grids that don't belong together, or that no grid can have."""


class UnitError(HilumError):
    """Millimetres were asked of something that has none."""


class MeasureError(HilumError):
    """A figure that this input doesn't have."""


class OutputError(HilumError):
    """The result couldn't be written; nothing half-written is left."""


class MissingError(HilumError):
    """A part that has to be installed is not there."""


class TooManyFailuresError(HilumError):
    """More inputs failed than the run allows."""
