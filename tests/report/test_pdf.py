"""Pages as PDF: another library reads the same words from them."""

from io import BytesIO

import numpy as np
import pytest
from pypdf import PdfReader

from hilum.io.raster import png_bytes
from hilum.report.page import NOT_A_DEVICE, Page, Picture, Section, Table
from hilum.report.pdf import to_pdf

WIDE = Picture(png_bytes(np.zeros((40, 400), np.uint8)), "a wide one")
TALL = Picture(png_bytes(np.full((900, 30), 255, np.uint8)), "a tall one")
MANY = Table(("nodule", "because"), [(f"n{number}", "some words, again and again " * 8) for number in range(120)])


def page(*sections):
    return Page("Two dates", "a < b & c", sections, [("hilum", "1.2")])


def read(document):
    return PdfReader(BytesIO(to_pdf(document)))


def words(document):
    return [" ".join(one.extract_text().split()) for one in read(document).pages]


def test_all_words_are_there_and_none_is_taken_for_markup():
    table = Table(("id", "volume, mm³"), [("1 ≤ 2", "−5 ± <b>3</b>"), ("a heading among rows",)], "caption", "folded")
    (text,) = words(page(Section("Growth", ["5 < 6 & 7 > 2"], [WIDE], [table])))
    for one in ("Two dates", "a < b & c", "Growth", "5 < 6 & 7 > 2", "a wide one", "caption", "folded", "volume, mm³"):
        assert one in text
    for one in ("1 ≤ 2", "−5 ± <b>3</b>", "a heading among rows", "Provenance", "hilum 1.2"):
        assert one in text


def test_every_page_says_what_it_is_not_and_which_one_it_is():
    texts = words(page(Section("Many", tables=[MANY])))
    assert len(texts) > 3
    for number, text in enumerate(texts, 1):
        assert NOT_A_DEVICE in text
        assert text.endswith(str(number)) or f" {number} " in text
    assert all("nodule because" in text for text in texts[:-1])


def test_pictures_fit_the_page_whatever_their_shape():
    found = read(page(Section("Pictures", pictures=[WIDE, TALL])))
    assert sum(len(one.images) for one in found.pages) == 2
    assert all(float(one.mediabox.height) == pytest.approx(842, abs=1) for one in found.pages)


def test_columns_too_wide_for_the_page_are_broken_into_lines():
    long = Table(("short", "long", "longer"), [("a", "b " * 300, "c " * 300)])
    text = " ".join(words(page(Section("Wide", tables=[long]))))
    assert text.count("b ") >= 299
    assert text.count("c ") >= 299


def test_the_same_page_gives_the_same_bytes():
    document = page(Section("Growth", ["words"], [WIDE]))
    assert to_pdf(document) == to_pdf(document)
