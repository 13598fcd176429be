"""Lungs on chest X-rays: how well a model's agree with people's outlines.

    python benchmarks/lungs.py FILMS --model MODEL [--picture worst.png] [--seed 0]
                               [--hidden cardiomediastinum] [--unknown ground_glass consolidation effusion]
                               [--begins JPCLN]

FILMS is a data set of `hilum prepare cxr-masks`; its split doesn't matter, nothing is learnt or chosen here. Printed:
Dice of both lungs together, mean with 95 % by bootstrap over patients, median, worst films; and what post-processing
(the two largest parts, holes filled) changes.

Where people draw lungs through the heart and through opacities, as in `cxr-infection`, --hidden names structures that
are no lung field, and --unknown those whose pixels count nowhere; films with a quarter and more of their lungs unknown
are left out then. --begins takes only the films whose names begin so.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy import ndimage

from hilum.datasets.prepared import LUNGS, read_prepared
from hilum.evaluate.bootstrap import resample_patients
from hilum.infer.classes import ClassPredictor, load_classes
from hilum.io import read_mask, read_radiograph
from hilum.metrics.overlap import confusion, dice
from hilum.ops import label_parts, part_sizes

LUNG = 1
SHOWN = 12
MOST_UNKNOWN = 0.25


def tidied(lungs):
    """The two largest parts, their holes filled."""
    parts = label_parts(lungs)
    kept = np.argsort(-part_sizes(parts), kind="stable")[:2] + 1
    return ndimage.binary_fill_holes(np.isin(parts, kept))


def any_of(film, names, shape):
    """Where any of these structures is."""
    found = np.zeros(shape, dtype=bool)
    for name in names:
        found |= read_mask(film.masks[name]).labels > 0
    return found


def outlined(image, own, truth):
    """The film with both outlines: the model's orange, people's blue."""
    grey = (image / image.max() * 255).astype(np.uint8)
    shown = np.dstack([grey] * 3)
    for mask, colour in ((truth, (76, 201, 240)), (own, (247, 140, 107))):
        shown[mask & ~ndimage.binary_erosion(mask, iterations=2)] = colour
    return Image.fromarray(shown).resize((300, 300))


def main():
    """See the module."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("films", type=Path)
    asked.add_argument("--model", required=True)
    asked.add_argument("--picture", type=Path)
    asked.add_argument("--seed", type=int, default=0)
    asked.add_argument("--hidden", nargs="*", default=[])
    asked.add_argument("--unknown", nargs="*", default=[])
    asked.add_argument("--begins", default="")
    given = asked.parse_args()
    torch.set_num_threads(1)
    data, predictor = read_prepared(given.films), ClassPredictor(load_classes(given.model))
    cases = [one for one in data.cases("classes") if one.film is not None and LUNGS in one.film.masks]
    cases = [one for one in cases if one.key.startswith(given.begins)]
    raw, tidy, seen, judged = [], [], [], []
    for case in cases:
        film = read_radiograph(case.image)
        truth = read_mask(case.film.masks[LUNGS]).labels > 0
        known = ~any_of(case.film, given.unknown, truth.shape)
        if (truth & ~known).sum() >= MOST_UNKNOWN * truth.sum():
            continue
        truth &= ~any_of(case.film, given.hidden, truth.shape)
        own = predictor(case.key, film).mask.labels == LUNG
        raw.append(dice(confusion(own & known, truth & known)))
        tidy.append(dice(confusion(tidied(own) & known, truth & known)))
        seen.append((film.array, tidied(own), truth))
        judged.append(case)
    cases = judged
    draws = resample_patients([one.patient for one in cases], np.random.default_rng(given.seed))
    for name, values in (("as predicted", np.array(raw)), ("two parts, filled", np.array(tidy))):
        drawn = draws.weights @ values / draws.weights.sum(axis=1)
        low, high = np.percentile(drawn, (2.5, 97.5))
        print(
            f"{name}: {values.mean():.3f} ({low:.3f}-{high:.3f}), median {np.median(values):.3f}, {len(values)} films"
        )
    order = np.argsort(tidy)
    for at in order[:5]:
        print(f"  {cases[at].key}: {tidy[at]:.3f}")
    if given.picture is not None:
        chosen = [*order[: SHOWN // 2], *order[:: max(1, len(order) // (SHOWN // 2))][: SHOWN // 2]]
        sheet = Image.new("RGB", (300 * (SHOWN // 2), 600))
        for place, at in enumerate(chosen):
            sheet.paste(outlined(*seen[at]), (300 * (place % (SHOWN // 2)), 300 * (place // (SHOWN // 2))))
        sheet.save(given.picture)


if __name__ == "__main__":
    main()
