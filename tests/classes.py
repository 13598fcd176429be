"""Chest X-rays by classes, made of drawn shapes: the published folders of COVID-QU-Ex, and films with bit masks."""

from pathlib import Path

import numpy as np
from scipy import ndimage

from hilum.io import write_png

SIDE = 64
LABEL_FOLDERS = {"COVID-19": "covid", "Non-COVID": "non-covid", "Normal": "healthy"}
HALVES = {"Infection Segmentation Data": True, "Lung Segmentation Data": False}
HEADER = "image,patientid,offset,finding,view,license"


def chest(number, side=SIDE):
    """A film [y, x] that looks like no other, and its lungs: air beside the body is dark, as it is on films."""
    rng = np.random.default_rng(number)
    y, x = np.mgrid[:side, :side] / side
    left = ((x - 0.31) / 0.13) ** 2 + ((y - 0.5) / 0.3) ** 2 < 1
    right = ((x - 0.69) / 0.13) ** 2 + ((y - 0.5) / 0.3) ** 2 < 1
    grain = ndimage.gaussian_filter(rng.normal(size=(side, side)), side / 20)
    film = np.where(left | right, 90, 170) + 35 * grain / grain.std()
    film[:, : side // 12] = film[:, -(side // 12) :] = 8
    return np.clip(film, 0, 255).astype(np.uint8), left, right


def infection_of(left):
    """The lower half of a lung."""
    found = left.copy()
    found[: len(left) // 2] = False
    return found


def covid_qu_ex(folder, per_place=2):
    """The published layout: `per_place` images of each label, split and half, all of them different."""
    number = 0
    for half, has_infection in HALVES.items():
        for split in ("Train", "Val", "Test"):
            for label in LABEL_FOLDERS:
                for _ in range(per_place):
                    add_image(folder / half / split / label, f"{label} ({number})", number, has_infection=has_infection)
                    number += 1
    return folder


def add_image(place: Path, stem, number, *, has_infection):
    """One image with its masks; only COVID-19 has an infection."""
    film, left, right = chest(number)
    write_png(film, place / "images" / f"{stem}.png")
    write_png(left | right, place / "lung masks" / f"{stem}.png")
    if has_infection:
        drawn = infection_of(left) if place.name == "COVID-19" else np.zeros_like(left)
        write_png(drawn, place / "infection masks" / f"{stem}.png")


def bit_films(folder, films=20, films_of_one=2):
    """Films with the bits of `cxr-infection`: ground glass in every other left lung, consolidation in every third."""
    rows = [HEADER]
    for number in range(films):
        film, left, right = chest(1000 + number)
        bits = left * np.uint8(1) | right * np.uint8(2)
        bits |= infection_of(left) * np.uint8(16) * np.uint8(number % 2)
        bits |= infection_of(infection_of(left)) * np.uint8(32) * np.uint8(number % 3 == 0)
        write_png(film, folder / "images" / f"f{number:02}.png")
        write_png(bits.astype(np.uint8), folder / "masks" / f"f{number:02}.png")
        finding = ("COVID-19", '"COVID-19, ARDS"', "Streptococcus", "No Finding")[number % 4]
        rows.append(f"f{number:02}.png,{number // films_of_one},{number % films_of_one},{finding},PA,")
    (folder / "metadata.csv").write_text("\n".join(rows) + "\n")
    return folder


def change_row(folder, old, new):
    path = folder / "metadata.csv"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
