"""What `hilum predict` leaves, and how it gets there: one case after the other, so that a killed run goes on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from hilum import __version__
from hilum.core import Failure, HilumError
from hilum.io.json_file import read_json, write_json
from hilum.workflows.evaluate_predictions import INDEX
from hilum.workflows.journal import Journal, finished_note, journalled, was_finished
from hilum.workflows.output import Run
from hilum.workflows.track import Track

SCHEMA = "hilum.predictions/1"
FAILED = "failures.json"
_SAID = ("marked", "nodules", "notes", "prior", "known", "gone", "label", "involved_percent")
"""What the index says of a case, where a worker does."""


@dataclass(frozen=True)
class Predicted:
    """What was predicted.

    Attributes:
        folder: with `predictions.json` and a folder a case.
        model: which model it was.
        keys: of the cases that worked.
        marked: how many of them have a nodule in their mask.
        failures: inputs that could not be predicted.
        was_done: whether the folder held this result already.
        note: that other code of hilum has made some of it; "" when it hasn't.
        notes: what was assumed or is doubted, and of which cases.
        what: the cases are, in a word.
        known: how many lesions known from before were looked at again; None where none were to be.
        gone: how many of them are called gone.
    """

    folder: Path
    model: str
    keys: tuple[str, ...]
    marked: int
    failures: tuple[Failure, ...] = field(default=())
    was_done: bool = False
    note: str = ""
    notes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    what: str = "X-rays"
    known: int | None = None
    gone: int = 0


@dataclass(frozen=True)
class Worker:
    """A model, ready for one case after another.

    Attributes:
        model: its name.
        predict: writes a case's folder, by its key; what the index says of it.
        inputs: the file of each case by key, for failures.
    """

    model: str
    predict: Callable[[str], Mapping[str, object]]
    inputs: Mapping[str, Path]

    def one(self, key: str) -> Mapping[str, object]:
        """What the index says of a case, or why it failed."""
        try:
            return self.predict(key)
        except HilumError as error:
            return {"failure": Failure(str(self.inputs[key]), error.message, error.remedy)}


def work_through(
    keys: Sequence[str], run: Run, out: Path, ready: Callable[[], Worker], *, force: bool, track: Track
) -> Predicted:
    """Predict every case that isn't there yet.

    Args:
        keys: of the cases.
        run: what determines the result.
        out: folder to fill.
        ready: loads the model; called when there is something to do.
        force: replace what an earlier run of hilum left there.
        track: shows how far it is.

    Raises:
        OutputError: `out` holds something else, or can't be written.
    """
    if was_finished(out, run) and not force:
        return replace(_as_left(out), note=finished_note(out, run))
    worker = ready()
    with journalled(out, run, force=force) as journal:
        done = journal.entries()
        for key in track([one for one in keys if one not in done], "predicting"):
            journal.add(key, worker.one(key))
        _finish(out, journal, keys, worker.model)
        journal.finish(run)
    return replace(_as_left(out), was_done=False, note=journal.note)


def _finish(out: Path, journal: Journal, keys: Sequence[str], model: str) -> None:
    entries = journal.entries()
    done = {key: entries[key] for key in keys if "failure" not in entries[key]}
    cases = [{"key": key, **{name: entry[name] for name in _SAID if name in entry}} for key, entry in done.items()]
    provenance = next((entry["provenance"] for entry in done.values()), {"model": model, "version": __version__})
    write_json(out / FAILED, [entry["failure"] for entry in entries.values() if "failure" in entry])
    write_json(out / INDEX, {"schema": SCHEMA, "provenance": provenance, "cases": cases})


def _as_left(out: Path) -> Predicted:
    """What a finished run's folder says."""
    index = read_json(out / INDEX)
    failures = tuple(Failure(one["input"], one["error"], one["remedy"]) for one in read_json(out / FAILED))
    cases = index["cases"]
    marked = sum(case["marked"] for case in cases)
    keys = tuple(case["key"] for case in cases)
    every = dict.fromkeys(note for case in cases for note in case["notes"])
    notes = {note: tuple(case["key"] for case in cases if note in case["notes"]) for note in every}
    looked = [case for case in cases if "known" in case]
    known = sum(case["known"] for case in looked) if looked else None
    gone = sum(case["gone"] for case in looked)
    model = index["provenance"]["model"]
    return Predicted(out, model, keys, marked, failures, was_done=True, notes=notes, known=known, gone=gone)
