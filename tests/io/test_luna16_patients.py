"""Whose each series is: the published map, and tables of one's own."""

import pytest

from hilum.core import UnreadableError
from hilum.io.luna16 import read_patients

TABLES = (
    "PatientID StudyInstanceUID SeriesInstanceUID \nLIDC-IDRI-0002 9.1 1.1 \nLIDC-IDRI-0003 9.2 1.2 \n",
    "seriesuid,patient,note\n1.1,LIDC-IDRI-0002,a b\n1.2,LIDC-IDRI-0003,\n",
)


@pytest.mark.parametrize("text", TABLES, ids=("map", "csv"))
def test_columns_go_by_name_parted_by_commas_or_blanks(text, tmp_path):
    (tmp_path / "map.txt").write_text(text)
    assert read_patients(tmp_path / "map.txt") == {"1.1": "LIDC-IDRI-0002", "1.2": "LIDC-IDRI-0003"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no column"),
        ("patient,study\na,b\n", "no column"),
        ("patient,series\na\n", "line 2"),
        ("patient,series\na,1\nb,1\n", "two patients"),
    ],
)
def test_what_is_no_such_table_is_refused(text, says, tmp_path):
    (tmp_path / "map.csv").write_text(text)
    with pytest.raises(UnreadableError, match=says):
        read_patients(tmp_path / "map.csv")


def test_the_published_map_has_all_of_lunas_series(real_data):
    folder = real_data("luna16")
    found = read_patients(folder / "LIDC-IDRI-mappingLUNA16.txt")
    assert set((folder / "seriesuids.csv").read_text().split()) == set(found)
    assert all(patient.startswith("LIDC-IDRI-") for patient in found.values())
