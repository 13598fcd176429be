"""Films in the layout of JSRT, made up."""

import numpy as np

from hilum.io import write_png

HEADER = "id,subtlety,size_mm,age,sex,x_2048,y_2048,state,position,diagnosis"
ROWS = [
    "N1.png,5,15,53,Male,1634,692,malignant,l.upper lobe,lung cancer",
    "N2.png,1,8,60,Female,10,2047,benign,r.lower lobe,",
    "E1.png,,,30,Female,,,non-nodule,,",
]


def source(folder, rows=ROWS, side=64):
    """Films of made-up grey levels, with all bits of an organ mask somewhere."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metadata.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    for row in rows:
        name = row.split(",")[0]
        write_png(rng.integers(0, 256, (side, side)).astype(np.uint8), folder / "images" / name)
        write_png(rng.integers(0, 32, (side, side)).astype(np.uint8), folder / "masks" / name)
    return folder
