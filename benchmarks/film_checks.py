"""How well `hilum prepare covid-qu-ex` and `cxr-masks` tell inverted films and copies.

    python benchmarks/film_checks.py DATA

DATA holds the films of cxr-infection, cxr-serial and jsrt (images/) and the pairs of lidc-drr. Prints, of each
collection, how many films are refused as inverted as they are and when inverted; how many bits of the difference hash
differ between different films, and between a film and the same one in another form.
"""

import io
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from hilum.core import UnsupportedError
from hilum.core.radiograph import Pixels
from hilum.datasets.film_hash import BITS, NEAR_BITS, content_hash, difference_hash, twins
from hilum.io import read_radiograph
from hilum.workflows.class_picture import require_upright_greys


def looks_inverted(film: Pixels) -> bool:
    try:
        require_upright_greys(Path("film"), film)
    except UnsupportedError:
        return True
    return False


def jpeg(film: Pixels) -> Pixels:
    stored = io.BytesIO()
    Image.fromarray(film).save(stored, "JPEG", quality=60)
    return np.asarray(Image.open(stored))


def cropped(film: Pixels) -> Pixels:
    edge = max(1, round(0.02 * len(film)))
    return film[edge:-edge, edge:-edge]


FORMS: Mapping[str, Callable[[Pixels], Pixels]] = {
    "JPEG 60": jpeg,
    "256 × 256": lambda film: np.asarray(Image.fromarray(film).resize((256, 256), Image.Resampling.BICUBIC)),
    "gamma .8": lambda film: (255 * (film / 255) ** 0.8).astype(np.uint8),
    "cropped by 2 %": cropped,
}


def bits_apart(one: Pixels, other: Pixels) -> int:
    first, second = (np.frombuffer(bytes.fromhex(difference_hash(film)), np.uint8) for film in (one, other))
    return int(np.bitwise_count(first ^ second).sum())


def main(data: Path) -> None:
    pairs = sorted((data / "lidc-drr" / "1-200").glob("*_drr.png"))[::4]
    names = {name: sorted((data / name / "images").iterdir()) for name in ("cxr-infection", "cxr-serial", "jsrt")}
    films = {name: {path.name: read_radiograph(path).array for path in paths} for name, paths in names.items()}
    upright = {name: films[name] for name in ("cxr-infection", "jsrt")}
    upright["lidc-drr"] = {path.name: read_radiograph(path).array for path in pairs}
    for name, own in upright.items():
        as_is, turned = (sum(map(looks_inverted, each)) for each in (own.values(), [255 - one for one in own.values()]))
        print(f"{name}: refused as inverted {as_is} of {len(own)} as they are, {turned} when inverted")
    every = {f"{name}/{key}": film for name, own in films.items() for key, film in own.items()}
    content, perceptual = ({key: of(one) for key, one in every.items()} for of in (content_hash, difference_hash))
    found = twins(content, perceptual, most=BITS)
    near = [pair for pair in found if pair.bits <= NEAR_BITS]
    print(f"{len(every)} films, {len(found)} pairs: {len(near)} within {NEAR_BITS} bits of {BITS}")
    print(f"the nearest of the others: {min(pair.bits for pair in found if pair.bits > NEAR_BITS)} bits")
    for form, change in FORMS.items():
        apart = [bits_apart(film, change(film)) for film in list(every.values())[::3]]
        print(f"{form}: median {np.median(apart):.0f}, at most {max(apart)} bits")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
