"""Which films are the same picture: copies are found whatever was done to their file, others aren't taken for them."""

import io

import numpy as np
import pytest
from PIL import Image

from hilum.datasets.film_hash import BITS, NEAR_BITS, content_hash, difference_hash, groups, twins
from tests.classes import chest

FILMS = {f"f{number}": chest(number, 200)[0] for number in range(12)}


def jpeg(film):
    stored = io.BytesIO()
    Image.fromarray(film).save(stored, "JPEG", quality=60)
    return np.asarray(Image.open(stored))


CHANGES = {
    "JPEG": jpeg,
    "smaller": lambda film: np.asarray(Image.fromarray(film).resize((128, 128), Image.Resampling.BICUBIC)),
    "gamma": lambda film: (255 * (film / 255) ** 0.8).astype(np.uint8),
    "16 bits": lambda film: film.astype(np.uint16) * 257,
}


def apart(one, other):
    bits = [np.unpackbits(np.frombuffer(bytes.fromhex(difference_hash(film)), np.uint8)) for film in (one, other)]
    return int(np.sum(bits[0] != bits[1]))


@pytest.mark.parametrize("change", CHANGES)
def test_the_same_film_in_another_form_is_near(change):
    assert max(apart(film, CHANGES[change](film)) for film in FILMS.values()) <= NEAR_BITS


def test_pairs_are_those_of_a_plain_double_loop():
    films = FILMS | {"copy": FILMS["f3"], "other": jpeg(FILMS["f5"])}
    content = {key: content_hash(film) for key, film in films.items()}
    found = twins(content, {key: difference_hash(film) for key, film in films.items()})
    expected = [
        (one, other)
        for one in sorted(films)
        for other in sorted(films)
        if one < other and apart(films[one], films[other]) <= NEAR_BITS
    ]
    assert [(pair.first, pair.second) for pair in found] == expected == [("copy", "f3"), ("f5", "other")]
    assert [pair.is_exact for pair in found] == [True, False]
    assert found[1].bits == apart(films["f5"], films["other"])


def test_content_is_pixels_and_shape_not_type():
    film = FILMS["f0"]
    assert content_hash(film) == content_hash(film.astype(np.uint16))
    assert content_hash(film) != content_hash(film.reshape(100, 400))


def test_the_hash_has_as_many_bits_as_it_says():
    assert len(bytes.fromhex(difference_hash(FILMS["f0"]))) * 8 == BITS


def test_groups_are_what_pairs_connect():
    assert groups("abcde", [("d", "b"), ("b", "e")]) == {"a": "a", "b": "b", "c": "c", "d": "b", "e": "b"}


def test_real_films_that_two_collections_share_are_found_and_no_others(real_data):
    """The annotations name the file that each film came from, and so does the other collection."""
    names = sorted(path.name for path in (real_data("cxr-infection") / "images").iterdir())[:16]
    serial = {path.stem: path for path in (real_data("cxr-serial") / "images").iterdir()}
    rows = (real_data("cxr-infection") / "metadata.csv").read_text().splitlines()[1:]
    source = {row.split(",")[0]: row.split(",")[1].rsplit(".", 1)[0] for row in rows}
    films = {name: real_data("cxr-infection") / "images" / name for name in names}
    films |= {f"s {source[name]}": serial[source[name]] for name in names if source[name] in serial}
    arrays = {key: np.asarray(Image.open(path).convert("L")) for key, path in films.items()}
    found = twins(
        {key: content_hash(film) for key, film in arrays.items()},
        {key: difference_hash(film) for key, film in arrays.items()},
    )
    across = {pair.first: pair.second for pair in found if not pair.first.startswith("s ") and pair.second[:2] == "s "}
    known = {name: f"s {source[name]}" for name in names if source[name] in serial}
    one_patient = {"cxr014.png", "cxr017.png"}  # two days, nearly one picture
    assert {name: across.get(name) for name in known if name not in one_patient} == {
        name: other for name, other in known.items() if name not in one_patient
    }
    assert set(across) <= set(known)
