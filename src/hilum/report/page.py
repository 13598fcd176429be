"""A page that needs nothing but itself: sections of sentences, tables and pictures, as one HTML file."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field

NOT_A_DEVICE = "Decision support for research. Not a medical device; not for diagnosis or treatment."


@dataclass(frozen=True)
class Table:
    """Rows of text under column headings.

    Attributes:
        columns: headings, with their units.
        rows: cells as they are to be read; numbers already rounded. A row of one cell is a heading among the rows.
        caption: what the table shows: data, rule, unit.
        folded: the line that opens the table; "" shows it at once.
        is_narrow: intervals stand below their values.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    folded: str = ""
    is_narrow: bool = False


@dataclass(frozen=True)
class Picture:
    """A PNG with the words under it.

    Attributes:
        png: the encoded image.
        caption: what is to be seen, colours explained; read aloud where the picture can't be seen.
    """

    png: bytes
    caption: str

    @property
    def data_uri(self) -> str:
        """The image inside the page's own text."""
        return "data:image/png;base64," + base64.b64encode(self.png).decode()


@dataclass(frozen=True)
class Link:
    """Something that lies beside the page.

    Attributes:
        words: what it is.
        path: relative to the page.
    """

    words: str
    path: str


@dataclass(frozen=True)
class Section:
    """One part of a page, shown in this order: paragraphs, pictures, tables, links."""

    title: str
    paragraphs: Sequence[str] = ()
    pictures: Sequence[Picture] = ()
    tables: Sequence[Table] = ()
    links: Sequence[Link] = ()


@dataclass(frozen=True)
class Page:
    """A report.

    Attributes:
        title: the heading.
        lead: what this is about, in a sentence or two.
        sections: the parts, in order.
        provenance: name and value of what made it: version, inputs and their hashes, command.
        alert: what nobody may overlook, above everything else; "" when there is nothing.
    """

    title: str
    lead: str
    sections: Sequence[Section]
    provenance: Sequence[tuple[str, str]] = field(default_factory=tuple)
    alert: str = ""


def render(page: Page) -> str:
    """The page as self-contained HTML: no script, no font, no picture from anywhere else. All text is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("hilum.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html").render(page=page, not_a_device=NOT_A_DEVICE)
