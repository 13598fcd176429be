"""Whether an earlier X-ray belongs to the current one: what speaks against it, in sentences.

Another patient's, a mirrored, a lateral picture, and one with bright and dark exchanged fit badly, whatever the
registration does. How often that is noticed: `docs/explanation/prior-misfit.md`.
"""

import numpy as np

from hilum.datasets.chest import layout_doubts
from hilum.datasets.xray_grid import PixelGrid
from hilum.datasets.xray_sample import Picture
from hilum.followup.misfit import body_of, local_correlation
from hilum.followup.xray_registration import XrayRegistration, XrayRegistrationConfig, register_xray

LEAST_LIKENESS = 0.7
"""Local correlation after registration, below which an earlier picture is doubted: the 95 % quantile of other patients'
pictures on 36 training patients, .71, rounded (`benchmarks/bad_priors.py --split train`)."""

_SURE = 0.9
"""Local correlation from which no mirror image is tried; a patient's own simulated earlier pictures lie above."""

_CLEARLY = 0.05
"""By how much better a mirror image has to fit to be believed."""

_COPIED = "the earlier X-ray is the current one, or a copy of it"

_COPY = 1.5 / 255
"""Mean difference below which one picture is a copy of the other: a step of grey and a little rounding."""


def prior_doubts(prior: Picture, current: Picture, registration: XrayRegistration) -> tuple[str, ...]:
    """What speaks against an earlier picture, one sentence each; empty when nothing does.

    Args:
        prior: the earlier picture [y, x] in the published style, 0 to 1, as it was before registration.
        current: the current one, on pixels of the same size.
        registration: of the two.
    """
    layout = tuple(f"the earlier X-ray: {doubt}" for doubt in layout_doubts(prior, registration.pixel_mm))
    if layout:
        return layout
    if _is_copy(prior, current):
        return (_COPIED,)
    likeness = registration.misfit.correlation
    if likeness >= _SURE:
        return ()
    mirrored = register_xray(np.ascontiguousarray(prior[:, ::-1]), current, registration.pixel_mm).misfit.correlation
    if mirrored >= max(LEAST_LIKENESS, likeness + _CLEARLY):
        return (
            f"the earlier X-ray looks mirrored: its mirror image fits by {mirrored:.2f}, it itself by {likeness:.2f}",
        )
    return _unlike(likeness)


def laid_over_doubts(prior: Picture, current: Picture, pixel_mm: float) -> tuple[str, ...]:
    """What speaks against an earlier picture that lies over the current one already; empty when it fits.

    Args:
        prior: the earlier picture [y, x] in the published style, 0 to 1, on the current one's pixels; 0 beyond its
            edge.
        current: the current one.
        pixel_mm: side of the pixels.
    """
    if _is_copy(prior, current):
        return (_COPIED,)
    shape = (current.shape[0], current.shape[1])
    cell_mm = XrayRegistrationConfig().cell_mm
    grid = PixelGrid(shape, (pixel_mm, pixel_mm), cell_mm)
    before, now = grid.mean(prior), grid.mean(current)
    return _unlike(local_correlation(before, now, body_of(now) & (before > 0), cell_mm))


def _is_copy(prior: Picture, current: Picture) -> bool:
    return prior.shape == current.shape and float(np.abs(prior - current).mean()) < _COPY


def _unlike(likeness: float) -> tuple[str, ...]:
    if likeness >= LEAST_LIKENESS:
        return ()
    return (
        f"the earlier X-ray fits the current one by {likeness:.2f} only ({LEAST_LIKENESS:g} or more is usual of "
        "simulated ones; most real pairs lie below): it may be another patient's, or show the chest from another side "
        "or much changed",
    )
