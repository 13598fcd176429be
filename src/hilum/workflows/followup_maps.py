"""Registrations of a follow-up, kept in its folder: who edits `corrections.json` doesn't wait for them again.

`registrations/1-2/` holds the bend as half floats (`bend.npz`), all the rest as text (`registration.json`) and, written
last, `run.json`: both CTs' hashes and the settings. What was kept is also what the first run goes on with, so that the
second one comes to the same figures.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hilum.core import Geometry, HilumError, Volume
from hilum.followup.ct_misfit import CtMisfit
from hilum.followup.ct_registration import CtRegistration, CtRegistrationConfig, register_ct
from hilum.io.atomic import atomic_file
from hilum.io.json_file import read_json, write_json
from hilum.ops import Deformation
from hilum.workflows.arrays_file import read_arrays
from hilum.workflows.followup_studies import DatedCt
from hilum.workflows.output import Run, is_done, write_run
from hilum.workflows.track import Track

MAPS = "registrations"
_BEND, _REST = "bend.npz", "registration.json"
_ARRAYS = ("bend_mm", "disagreement_mm")


class DatedVolume(NamedTuple):
    """A CT that has been read, its nodules not known yet."""

    ct: DatedCt
    volume: Volume


def registered(
    studies: Sequence[DatedVolume], threads: int, folder: Path, track: Track
) -> dict[tuple[int, int], CtRegistration]:
    """Each CT laid over the next, or as it was laid over it before.

    Args:
        studies: the earliest first.
        threads: of SimpleITK; they change no result.
        folder: where registrations are kept.
        track: shows how far it is.

    Raises:
        InputError: two show different regions, or can't be laid over each other.
    """
    pairs = list(zip(range(len(studies)), range(1, len(studies)), strict=False))
    return {
        (one, other): _registered(studies[one], studies[other], threads, folder / f"{one + 1}-{other + 1}")
        for one, other in track(pairs, "Registration")
    }


def _registered(prior: DatedVolume, current: DatedVolume, threads: int, folder: Path) -> CtRegistration:
    config = CtRegistrationConfig()
    run = Run("followup registration", {"prior": prior.ct.hash, "current": current.ct.hash}, config.model_dump())
    known = _kept(folder, run, (prior.volume.geometry, current.volume.geometry), config)
    if known is not None:
        return known
    found = register_ct(prior.volume, current.volume, config=config, threads=threads)
    _keep(found, folder)
    write_run(folder, run)
    return _kept(folder, run, (found.prior_field, found.current_field), config) or found


def _keep(found: CtRegistration, folder: Path) -> None:
    with atomic_file(folder / _BEND) as path, path.open("wb") as stream:
        np.savez_compressed(
            stream,
            bend_mm=found.forward.bend_mm.astype(np.float16),
            disagreement_mm=found.disagreement_mm.astype(np.float16),
        )
    write_json(
        folder / _REST,
        {
            "affine": found.forward.affine,
            "grid": _plain(found.forward.geometry),
            "inverse_grid": _plain(found.inverse_grid),
            "misfit": found.misfit.figures(),
            "doubts": found.doubts,
            "notes": found.notes,
        },
    )


def _kept(
    folder: Path, run: Run, shown: tuple[Geometry, Geometry], config: CtRegistrationConfig
) -> CtRegistration | None:
    """What is kept of this very registration; None where nothing is, or it is damaged."""
    if not is_done(folder, run):
        return None
    try:
        arrays, rest = read_arrays(folder / _BEND, _ARRAYS), read_json(folder / _REST)
        bend, apart = (arrays[name].astype(np.float32) for name in _ARRAYS)
        forward = Deformation(np.array(rest["affine"]), bend, _geometry(rest["grid"]))
        told = [tuple(str(one) for one in rest[name]) for name in ("doubts", "notes")]
        grid = _geometry(rest["inverse_grid"])
        return CtRegistration(forward, grid, apart, *shown, _misfit(rest["misfit"]), config, told[0], told[1])
    except (HilumError, KeyError, TypeError, ValueError):
        return None


def _misfit(figures: Mapping[str, float | None]) -> CtMisfit:
    """Undefined figures are null in the file."""
    values = {one.name: figures[one.name] for one in fields(CtMisfit)}
    return CtMisfit(**{name: math.nan if value is None else float(value) for name, value in values.items()})


def _plain(grid: Geometry) -> dict[str, object]:
    return {"shape_zyx": grid.shape_zyx, "affine_lps": grid.affine_lps}


def _geometry(words: Mapping[str, Any]) -> Geometry:
    z, y, x = (int(one) for one in words["shape_zyx"])
    return Geometry((z, y, x), np.array(words["affine_lps"], dtype=np.float64))
