"""The words of a page about volumes: scans of voxels, where the same sentences speak of images and pixels else."""

import re
from dataclasses import replace

from hilum.report.page import Picture, Section, Table

_WORDS = {"images": "scans", "image": "scan", "pictures": "scans", "picture": "scan", "pixels": "voxels"}
_ANY = re.compile(rf"\b({'|'.join(_WORDS)})\b")


def in_scans(section: Section) -> Section:
    """A section of hilum's own words in those of volumes; not for one that shows names of files."""
    return replace(
        section,
        title=_said(section.title),
        paragraphs=tuple(map(_said, section.paragraphs)),
        pictures=tuple(Picture(one.png, _said(one.caption)) for one in section.pictures),
        tables=tuple(map(_table, section.tables)),
    )


def _table(table: Table) -> Table:
    rows = tuple(tuple(map(_said, row)) for row in table.rows)
    return replace(table, columns=tuple(map(_said, table.columns)), rows=rows, caption=_said(table.caption))


def _said(words: str) -> str:
    """“an image” is “a scan”, too."""
    return _ANY.sub(lambda found: _WORDS[found[0]], words.replace("an image", "a scan"))
