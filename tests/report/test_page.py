"""Pages carry words and pictures as they are, and nothing else."""

import io

import numpy as np
import pytest
from PIL import Image

from hilum.core import Diameters, Geometry, GeometryError, Nodule, Volume
from hilum.report.nodules import size_table
from hilum.report.page import Link, Page, Picture, Section, Table, render
from hilum.report.pictures import Layer, three_planes
from hilum.report.scans import in_scans

GRID = Geometry.regular((20, 60, 60), (2.5, 1, 1), (-30, -30, -25))


def opened(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def test_words_are_escaped_and_shown():
    table = Table(("name", "mm"), [["<script>", "3.5"]], "a & b")
    page = Page("A <b>title", "lead", [Section("Part", ["One < two"], [Picture(b"png", 'says "x"')], [table])])
    html = render(page)
    for raw in ("<script>", "<b>title"):
        assert raw not in html
    for shown in (
        "A &lt;b&gt;title",
        "One &lt; two",
        "&lt;script&gt;",
        "a &amp; b",
        "3.5",
        "data:image/png;base64,cG5n",
    ):
        assert shown in html


def test_what_lies_beside_the_page_is_linked_after_the_tables():
    section = Section("Part", tables=[Table(("mm",), [["3.5"]])], links=(Link("All of <it>", "more/report.html"),))
    html = render(Page("A title", "lead", [section]))
    link = '<a href="more/report.html">All of &lt;it&gt;</a>'
    assert html.index("3.5") < html.index(link)
    assert html.count("<a ") == 1


def test_what_is_not_known_is_a_dash():
    table = size_table(Nodule("7", reader_count=1), [Nodule("7.1", volume_mm3=0.0)], None)
    assert table.rows == [["consensus", "–", "–", "–", "–", "–", "–"], ["reader 1", "0", "–", "–", "–", "–", "–"]]
    assert "by 1 reader." in table.caption
    known = size_table(Nodule("7", (1, 2, 3), None, 33.5, Diameters(5, 3, 4), reader_count=2), [], 4)
    assert known.rows[0] == ["consensus", "34", "5.0", "3.0", "4.0", "4.0", "1.0, 2.0, 3.0"]
    assert "rounds it: 4 mm" in known.caption
    assert size_table(Nodule("7"), [], None, "It is a mass.").caption.endswith("readers. It is a mass.")


def test_the_patients_left_front_and_head_are_where_they_should_be():
    array = np.full(GRID.shape_zyx, -1300, np.int16)
    left_front_head = GRID.to_lps_mm(np.moveaxis(np.indices(GRID.shape_zyx), 0, -1)) @ np.diag([1, -1, 1]) > 5
    array[left_front_head.all(axis=-1)] = 100
    picture = opened(three_planes(Volume(array, GRID), (10.0, -10.0, 10.0), [], half_mm=20))
    height, width, _ = picture.shape
    axial, coronal, sagittal = (picture[:, n * width // 3 : (n + 1) * width // 3].mean(axis=2) for n in range(3))
    half = width // 6
    upper, lower = slice(height // 6, 2 * height // 5), slice(3 * height // 5, 5 * height // 6)
    assert axial[upper, half:].mean() > 2 * axial[lower, :half].mean(), "left and front: top right"
    assert coronal[upper, half:].mean() > 2 * coronal[lower, :half].mean(), "left and head: top right"
    assert sagittal[upper, :half].mean() > 2 * sagittal[lower, half:].mean(), "front and head: top left"


def test_outlines_have_their_colour_and_need_lps_axes():
    inside = np.zeros(GRID.shape_zyx, dtype=bool)
    inside[5:15, 20:40, 20:40] = True
    volume = Volume(np.full(GRID.shape_zyx, -600, np.int16), GRID)
    layers = [Layer("reader 1", inside, "#ff0000")]
    drawn = opened(three_planes(volume, (0, 0, 0), layers))
    red = (drawn[..., 0] > 180) & (drawn[..., 1] < 80) & (drawn[..., 2] < 80)
    assert red.sum() > 500
    with pytest.raises(GeometryError, match="outside the volume"):
        three_planes(volume, (0, 0, 300), layers)
    flipped = Geometry(GRID.shape_zyx, np.diag([-1, 1, 1, 1]) @ GRID.affine_lps)
    with pytest.raises(GeometryError, match="LPS order"):
        three_planes(Volume(volume.array, flipped), (0, 0, 0), layers)


def test_a_folded_table_opens_by_its_line_and_a_row_of_one_cell_is_a_heading():
    table = Table(("", "value"), [["Surfaces"], ["HD95", "1.0"]], folded="All 2 figures")
    text = render(Page("T", "l", [Section("S", tables=[table])]))
    assert "<details><summary>All 2 figures</summary>" in text
    assert text.count("<details>") == text.count("</details>") == 1
    assert '<th scope="rowgroup" colspan="2">Surfaces</th>' in text
    assert "<td>HD95</td>" in text


def test_in_a_narrow_table_the_interval_stands_below_and_no_number_wraps_within():
    rows = [["top (left)", "1.689 (1.453–1.920)"], ["x", "a sentence of more than forty characters may wrap"]]
    narrow, wide = (
        render(Page("T", "l", [Section("S", tables=[Table(("", "mm"), rows, is_narrow=one)])])) for one in (True, False)
    )
    assert "<td>1.689<br><small>(1.453–1.920)</small></td>" in narrow
    assert "<td>top (left)</td>" in narrow
    assert "<td>1.689 (1.453–1.920)</td>" in wide
    assert '<td class="words">a sentence' in wide


def test_a_page_about_volumes_says_scan_and_voxel():
    table = Table(("", "false positives per image"), [["all pixels together", "1"]], "What a picture has.")
    shown = in_scans(Section("S", ["2 false positives an image, on 3 images"], tables=[table]))
    assert shown.paragraphs == ("2 false positives a scan, on 3 scans",)
    (said,) = shown.tables
    assert said.columns == ("", "false positives per scan")
    assert said.rows == (("all voxels together", "1"),)
    assert said.caption == "What a scan has."
