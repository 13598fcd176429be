"""Line integrals to what a detector measures: absorption, several energies, scatter, quanta, blur.

Everything is relative to the open beam: 1 is what the detector sees where nothing stands in the way. The order is the
one of the room: the patient absorbs and scatters, quanta arrive one by one, and the detector blurs what they leave.
Blur after the quanta makes the noise of neighbouring pixels alike, as on a real detector.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from hilum.core import InputError
from hilum.core.geometry import Floats
from hilum.core.radiograph import PixelMm
from hilum.drr.energies import RADIOGRAPH_KEV

BEHIND_PATIENT = 0.5
"""A pixel is behind the patient when less than this share of the open beam arrives: some 35 mm of water at 65 keV."""

FAINTEST = 1e-6
"""Intensities are read no lower than this when there are no quanta to count: 0.7 m of water."""

_WIDEST_MM = 1000.0


@dataclass(frozen=True)
class Spectrum:
    """The photon energies of a beam and how much of the open beam's signal each brings.

    Attributes:
        energies_kev: one or more energies.
        weights: the share of each in the detector's signal without a patient (photons times what the detector makes
            of one of them); scaled to a sum of 1.

    Raises:
        InputError: no energy, not one weight for each, or a weight that is negative, or all of them 0.
    """

    energies_kev: tuple[float, ...] = (RADIOGRAPH_KEV,)
    weights: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        if not self.energies_kev or len(self.energies_kev) != len(self.weights):
            raise InputError(
                f"a spectrum has one weight for each energy, got {len(self.energies_kev)} energies and "
                f"{len(self.weights)} weights."
            )
        if not all(math.isfinite(weight) and weight >= 0 for weight in self.weights) or sum(self.weights) == 0:
            raise InputError(f"weights of energies are not negative and not all 0, got {list(self.weights)}.")
        total = sum(self.weights)
        object.__setattr__(self, "weights", tuple(weight / total for weight in self.weights))

    @property
    def mean_kev(self) -> float:
        """The open beam's mean energy, by its signal."""
        return sum(energy * weight for energy, weight in zip(self.energies_kev, self.weights, strict=True))


@dataclass(frozen=True)
class Exposure:
    """How a picture is taken. The default is the ideal: one energy, no scatter, no noise, no blur.

    Attributes:
        spectrum: the beam's energies.
        scatter_fraction: scattered share of all that arrives behind the patient, 0 to below 1.
        scatter_mm: sigma of the kernel that spreads it, on the detector.
        photons_per_mm2: quanta per mm² of detector in the open beam; None for no noise.
        blur_mm: sigma of the detector's Gaussian point spread.

    Raises:
        InputError: a number that no exposure has.
    """

    spectrum: Spectrum = Spectrum()
    scatter_fraction: float = 0.0
    scatter_mm: float = 40.0
    photons_per_mm2: float | None = None
    blur_mm: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.scatter_fraction < 1:
            raise InputError(f"the scattered share is from 0 to below 1, got {self.scatter_fraction:g}.")
        if not (0 < self.scatter_mm <= _WIDEST_MM and 0 <= self.blur_mm <= _WIDEST_MM):
            raise InputError(
                f"kernels have a width of up to {_WIDEST_MM:g} mm, got {self.scatter_mm:g} mm (scatter), "
                f"{self.blur_mm:g} mm (blur)."
            )
        if self.photons_per_mm2 is not None and not 0 < self.photons_per_mm2 < 1e12:
            raise InputError(f"photons per mm² are a positive number, got {self.photons_per_mm2:g}.")


def expose(integrals: Sequence[Floats], exposure: Exposure, pixel_mm: PixelMm, rng: np.random.Generator) -> Floats:
    """What the detector measures, relative to the open beam: `arriving`, then `detected`.

    Args:
        integrals: for each energy of the spectrum the line integrals of attenuation [row, column], without a unit.
        exposure: how the picture is taken.
        pixel_mm: row and column step on the detector.
        rng: where the noise is drawn from; untouched when the exposure has none.

    Returns:
        [row, column], 0 and more.

    Raises:
        InputError: there is not one picture for each energy.
    """
    passing, fog = arriving(integrals, exposure, pixel_mm)
    return detected(passing + fog, exposure, pixel_mm, rng)


def arriving(integrals: Sequence[Floats], exposure: Exposure, pixel_mm: PixelMm) -> tuple[Floats, Floats]:
    """What reaches the detector, expected: (primary, scatter), each [row, column]; arguments as in `expose`."""
    passing = primary(integrals, exposure.spectrum)
    return passing, scattered(passing, exposure.scatter_fraction, exposure.scatter_mm, pixel_mm)


def detected(expected: Floats, exposure: Exposure, pixel_mm: PixelMm, rng: np.random.Generator) -> Floats:
    """What the detector makes of it: whole quanta first, then its blur; arguments as in `expose`."""
    if exposure.photons_per_mm2 is not None:
        expected = quanta(expected, exposure.photons_per_mm2 * pixel_mm[0] * pixel_mm[1], rng)
    return blurred(expected, exposure.blur_mm, pixel_mm)


def primary(integrals: Sequence[Floats], spectrum: Spectrum) -> Floats:
    """The share that passes unscattered: Σ w(E) exp(−∫μ(E) dl) (Beer–Lambert, energy by energy).

    The softer energies are absorbed first, so a spectrum's −log grows more slowly than its mean energy's: the beam
    hardens.

    Raises:
        InputError: there is not one picture for each energy.
    """
    if len(integrals) != len(spectrum.weights):
        raise InputError(
            f"a spectrum of {len(spectrum.weights)} energies needs as many pictures, got {len(integrals)}."
        )
    passing = (
        weight * np.exp(-np.asarray(one, dtype=np.float64))
        for weight, one in zip(spectrum.weights, integrals, strict=True)
    )
    return np.asarray(sum(passing))


def scattered(passing: Floats, fraction: float, sigma_mm: float, pixel_mm: PixelMm) -> Floats:
    """The fog that photons leave which were turned aside in the patient.

    Photons that scatter once forward arise in proportion to P·(−ln P) (Ohnesorge 1999, Eur. Radiol. 9:563), where P is
    what passes; a broad kernel spreads them (Love and Kruger 1987, Med. Phys. 14:178). The strength is set so that
    scatter is `fraction` of all signal behind the patient (`BEHIND_PATIENT`); nothing scatters without a patient.

    Args:
        passing: the primary picture [row, column], relative to the open beam.
        fraction: scatter / (scatter + primary) behind the patient.
        sigma_mm: sigma of the kernel on the detector.
        pixel_mm: row and column step.
    """
    behind = passing < BEHIND_PATIENT
    if fraction == 0 or not behind.any():
        return np.zeros_like(passing)
    born = -passing * np.log(np.clip(passing, FAINTEST, 1))
    spread = blurred(born, sigma_mm, pixel_mm)
    strength = fraction / (1 - fraction) * passing[behind].sum() / spread[behind].sum()
    return np.asarray(strength * spread)


def quanta(picture: Floats, photons_per_pixel: float, rng: np.random.Generator) -> Floats:
    """The same picture counted in whole photons: Poisson, so the variance of a count is its mean.

    Args:
        picture: [row, column], relative to the open beam.
        photons_per_pixel: expected count in the open beam.
        rng: where the counts are drawn from.
    """
    return np.asarray(rng.poisson(picture * photons_per_pixel) / photons_per_pixel)


def blurred(picture: Floats, sigma_mm: float, pixel_mm: PixelMm) -> Floats:
    """The picture through a Gaussian point spread: MTF(f) = exp(−2 π² σ² f²), with f in 1/mm on the detector."""
    if sigma_mm == 0:
        return picture
    return np.asarray(gaussian_filter(picture, [sigma_mm / step for step in pixel_mm], mode="nearest"))


def log_signal(picture: Floats, faintest: float = FAINTEST) -> Floats:
    """−ln of the picture: the attenuation that a film or detector shows, dense is high.

    Args:
        picture: [row, column], relative to the open beam.
        faintest: what is darker counts as this; a pixel without a photon has no logarithm.
    """
    return np.asarray(-np.log(np.maximum(picture, faintest)))


def faintest_of(exposure: Exposure, pixel_mm: PixelMm) -> float:
    """The faintest signal that an exposure can tell from nothing: half a photon on a pixel."""
    if exposure.photons_per_mm2 is None:
        return FAINTEST
    return max(FAINTEST, 0.5 / (exposure.photons_per_mm2 * pixel_mm[0] * pixel_mm[1]))
