"""The same pages as PDF, for the record and for printing: A4, with the same words, pictures and tables as the HTML."""

from collections.abc import Iterator, Sequence
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from hilum.report.page import NOT_A_DEVICE, Page, Picture, Section, Table

if TYPE_CHECKING:
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.platypus import Flowable

_PAGE_MM, _MARGIN_MM = (210.0, 297.0), 16.0
_PICTURE_MM = 190.0
"""Height of a picture at most, so that its words fit below."""
_PT_A_MM = 72 / 25.4
_REGULAR, _BOLD = "DejaVuSans", "DejaVuSans-Bold"
_INK, _SOFT, _LINE, _ACCENT, _ALERT = "#1d2733", "#5b6876", "#d8dee5", "#0b6e8a", "#b3261e"
_LEADING = 1.35
"""From line to line, as a share of the letters' height."""
_CELL_PT, _PAD_PT = 7.5, 6.0


def to_pdf(page: Page) -> bytes:
    """The page as a PDF file; the same page gives the same bytes."""
    from reportlab.platypus import SimpleDocTemplate

    _register_fonts()
    stream, margin = BytesIO(), _MARGIN_MM * _PT_A_MM
    document = SimpleDocTemplate(
        stream,
        pagesize=tuple(side * _PT_A_MM for side in _PAGE_MM),
        leftMargin=margin,
        rightMargin=margin,
        topMargin=margin,
        bottomMargin=margin,
        title=page.title,
        author="hilum",
        invariant=1,
    )
    document.build(list(_flow(page)), onFirstPage=_foot, onLaterPages=_foot)
    return stream.getvalue()


@cache
def _register_fonts() -> None:
    """Letters that have ≤, ± and −: those that come with matplotlib (Bitstream Vera licence)."""
    import matplotlib
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    for name in (_REGULAR, _BOLD):
        pdfmetrics.registerFont(TTFont(name, str(folder / f"{name}.ttf")))


def _foot(canvas: Any, document: Any) -> None:
    """On every page, since pages get parted: what this is not, and the page's number."""
    canvas.saveState()
    canvas.setFont(_REGULAR, 7)
    canvas.setFillColor(_SOFT)
    width, place = _PAGE_MM[0] * _PT_A_MM, 0.6 * _MARGIN_MM * _PT_A_MM
    canvas.drawString(_MARGIN_MM * _PT_A_MM, place, NOT_A_DEVICE)
    canvas.drawRightString(width - _MARGIN_MM * _PT_A_MM, place, str(document.page))
    canvas.restoreState()


def _style(size: float, *, bold: bool = False, colour: str = _INK, above: float = 0.0) -> "ParagraphStyle":
    from reportlab.lib.colors import HexColor
    from reportlab.lib.styles import ParagraphStyle

    return ParagraphStyle(
        f"{size}-{bold}-{colour}-{above}",
        fontName=_BOLD if bold else _REGULAR,
        fontSize=size,
        leading=size * _LEADING,
        textColor=HexColor(colour),
        spaceBefore=above,
        spaceAfter=0.4 * size,
        splitLongWords=True,
    )


def _words(text: str, style: "ParagraphStyle") -> "Flowable":
    from reportlab.platypus import Paragraph

    return Paragraph(escape(text), style)


def _flow(page: Page) -> Iterator["Flowable"]:
    if page.alert:
        yield _words(page.alert, _style(11, bold=True, colour=_ALERT))
    yield _words(page.title, _style(17, bold=True))
    yield _words(page.lead, _style(10.5, colour=_SOFT))
    yield _words(NOT_A_DEVICE, _style(9.5, bold=True, colour=_ACCENT))
    for section in page.sections:
        yield from _section(section)
    if page.provenance:
        rows = [(name, value) for name, value in page.provenance]
        yield from _section(Section("Provenance", tables=[Table(("what", "value"), rows)]))


def _section(section: Section) -> Iterator["Flowable"]:
    yield _words(section.title, _style(12.5, bold=True, colour=_ACCENT, above=12))
    for paragraph in section.paragraphs:
        yield _words(paragraph, _style(9.5))
    for picture in section.pictures:
        yield _picture(picture)
    for table in section.tables:
        yield from _table(table)
    for link in section.links:
        yield _words(f"{link.words}: {link.path}", _style(9.5))


def _picture(picture: Picture) -> "Flowable":
    from reportlab.lib.utils import ImageReader
    from reportlab.platypus import Image, KeepTogether

    width, height = ImageReader(BytesIO(picture.png)).getSize()
    scale = min(_room_pt() / width, _PICTURE_MM * _PT_A_MM / height)
    image = Image(BytesIO(picture.png), width * scale, height * scale)
    return KeepTogether([image, _words(picture.caption, _style(8, colour=_SOFT))])


def _room_pt() -> float:
    return (_PAGE_MM[0] - 2 * _MARGIN_MM) * _PT_A_MM - 2 * _PAD_PT


def _table(table: Table) -> Iterator["Flowable"]:
    from reportlab.platypus import LongTable

    if table.folded:
        yield _words(table.folded, _style(9.5, bold=True))
    if table.caption:
        yield _words(table.caption, _style(8, colour=_SOFT))
    body, heading = _style(_CELL_PT), _style(_CELL_PT, bold=True, colour=_SOFT)
    count = len(table.columns)
    rows = [[_words(one, heading) for one in table.columns]]
    rows += [
        [_words(one, body if len(row) == count else heading) for one in row] + [_words("", body)] * (count - len(row))
        for row in table.rows
    ]
    drawn = LongTable(rows, colWidths=_widths(table), repeatRows=1, hAlign="LEFT")
    drawn.setStyle(_lines(table))
    yield drawn


def _lines(table: Table) -> list[tuple[Any, ...]]:
    """Thin lines below rows; a heading among the rows goes over all columns."""
    spans = [("SPAN", (0, at), (-1, at)) for at, row in enumerate(table.rows, 1) if len(row) == 1]
    return [
        ("LINEBELOW", (0, 0), (-1, -1), 0.5, _LINE),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LEFTPADDING", (0, 0), (-1, -1), 0),
        ("RIGHTPADDING", (0, 0), (-1, -1), _PAD_PT),
        ("TOPPADDING", (0, 0), (-1, -1), 2),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 1),
        *spans,
    ]


def _widths(table: Table) -> list[float]:
    """What each column asks for, in points; where the page is narrower, the widest are pressed to one width."""
    asked = [_asked_pt([column, *_cells(table, at)]) for at, column in enumerate(table.columns)]
    room, most = _room_pt(), 0.0
    for at, one in enumerate(sorted(asked)):
        most = room / (len(asked) - at)
        if one > most:
            break
        room -= one
    else:
        return asked
    return [min(one, most) for one in asked]


def _cells(table: Table, column: int) -> list[str]:
    return [row[column] for row in table.rows if 1 < len(row) > column]


def _asked_pt(cells: Sequence[str]) -> float:
    from reportlab.pdfbase.pdfmetrics import stringWidth

    return float(max(stringWidth(one, _BOLD, _CELL_PT) for one in cells)) + _PAD_PT + 2
