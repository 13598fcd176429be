"""The packed cache: nothing is lost, nothing but numpy is needed, and it is small."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from hilum.core import InputError, UnreadableError
from hilum.datasets.xray_config import AugmentConfig, InsertionConfig, SamplingConfig, XrayDataConfig
from hilum.datasets.xray_load import load_samples
from hilum.datasets.xray_pack import XrayPack, read_pack, write_pack
from tests.datasets.test_insertion import bank
from tests.xrays import chest, write_xrays

NUMPY_ONLY = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"scipy", "pydantic", "PIL", "torch", "skimage", "SimpleITK", "pydicom", "numba"}:
            raise ImportError(name)
sys.meta_path.insert(0, Refuse())
from pathlib import Path
"""


@pytest.fixture
def packed(tmp_path):
    drawn = [chest("LIDC-IDRI-0002"), chest("LIDC-IDRI-0003", (41, 33), ()), chest("LIDC-IDRI-0006", (50, 50))]
    drawn[0].nodules[0][1]["visibility"] = None
    folder = write_xrays(tmp_path / "set", drawn)
    config = XrayDataConfig(pixel_mm=0.9, visibility_floor=0.3)
    splits = {split: load_samples(folder, split, config)[0] for split in ("train", "validation")}
    write_pack(tmp_path / "set.npz", XrayPack(splits, {"data": config.plain()}))
    return splits, tmp_path / "set.npz"


def test_samples_come_back_to_the_last_bit(packed):
    splits, path = packed
    back = read_pack(path)
    assert back.about["data"]["pixel_mm"] == 0.9
    for name, samples in splits.items():
        for was, now in zip(samples, back.splits[name], strict=True):
            for array in ("image", "truth", "weight"):
                np.testing.assert_array_equal(getattr(was, array), getattr(now, array), strict=True)
            assert repr(was.nodules) == repr(now.nodules)  # NaN is not equal to itself
            assert (was.key, was.patient, was.pixel_mm, was.odd) == (now.key, now.patient, now.pixel_mm, now.odd)


DRAWN_FROM_A_PACK = """
import json
import numpy as np
from types import SimpleNamespace
from hilum.datasets.augment2d import draw_augmentation
from hilum.datasets.insertion import draw_insertions, inserted
from hilum.datasets.sampling import Purpose, epoch_order, generator
from hilum.datasets.xray_pack import read_pack
path, *configs = sys.argv[1:]
augment, insertion, sampling = (SimpleNamespace(**json.loads(one)) for one in configs)
pack = read_pack(Path(path))
train = pack.splits["train"]
order = epoch_order(train, sampling, 0, 0, np.zeros(len(train)))
drawn = draw_insertions(generator(0, Purpose.INSERT, 0, 0), pack.bank, insertion, "")
sample = inserted(train[order[0]], drawn, pack.bank)
sample = draw_augmentation(generator(0, Purpose.AUGMENT, 0, 0), augment)(sample)
print(len(order), sample.image.shape)
"""


def test_numpy_is_enough_to_learn_from_it(packed, tmp_path):
    splits, path = packed
    write_pack(path, XrayPack(splits, bank=bank()))
    configs = (AugmentConfig(crop_px=(24, 20)), InsertionConfig(share=1), SamplingConfig())
    words = [sys.executable, "-c", NUMPY_ONLY + DRAWN_FROM_A_PACK, str(path), *(json.dumps(c.plain()) for c in configs)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "2 (24, 20)", done.stderr


def test_what_would_be_lost_is_refused(packed, tmp_path):
    sample = packed[0]["train"][0]
    for changed in (replace(sample, image=sample.image * np.float32(0.999)), replace(sample, weight=sample.weight * 2)):
        with pytest.raises(InputError, match="as loaded"):
            write_pack(tmp_path / "other.npz", XrayPack({"train": [changed]}))


def test_another_file_is_no_cache(packed, tmp_path):
    (tmp_path / "cut.npz").write_bytes(packed[1].read_bytes()[:-200])
    np.savez(tmp_path / "other.npz", about=np.frombuffer(b"{}", np.uint8))
    for name in ("cut.npz", "other.npz", "none.npz"):
        with pytest.raises(UnreadableError, match="packed cache"):
            read_pack(tmp_path / name)
