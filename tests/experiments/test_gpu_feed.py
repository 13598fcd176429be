"""Pictures that a device changes are those that NumPy changes."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from experiments.gpu_feed import Changes, Feed, Order, batches, learnt_from

from hilum.datasets.odd import UPSIDE_DOWN
from hilum.datasets.xray_config import AugmentConfig, InsertionConfig
from hilum.datasets.xray_pack import XrayPack
from hilum.datasets.xray_sample import XraySample
from hilum.recipes.xray import xray
from hilum.train.data import collate
from hilum.train.xrays import Xrays
from tests.datasets.test_insertion import bank

CPU = torch.device("cpu")


def picture(number, shape):
    """Smooth, so that a place that is off by a hair changes little."""
    rows, columns = np.indices(shape)
    image = 0.5 + 0.2 * np.sin(rows / (7 + number)) * np.cos(columns / 9)
    truth = np.hypot(rows - shape[0] / 2, columns - shape[1] / 3) < 6
    weight = np.where(truth, 0.75, 1).astype(np.float32)
    return XraySample(str(number), "nobody", image.astype(np.float32), truth, weight, 0.7)


def parts(**augment):
    """A pack, and a run's configuration: its own and plain."""
    samples = [picture(number, shape) for number, shape in enumerate([(90, 80), (70, 110), (60, 64), (100, 90)])]
    config = xray().model_copy(
        update={
            "insertion": InsertionConfig(share=0.8, most=2),
            "augment": AugmentConfig(**({"crop_px": (72, 80)} | augment)),
            "trainer": xray().trainer.model_copy(update={"batch_size": 2, "epochs": 3, "seed": 4}),
        }
    )
    return XrayPack({"train": samples}, bank=bank()), config, config.plain()


def feed(pack, plain, on_device):
    return Feed(pack.splits["train"], pack.bank, plain, on_device)


def test_changed_by_numpy_they_are_the_houses_to_the_last_bit():
    pack, config, plain = parts()
    house = Xrays(pack.splits["train"], config, pack.bank)
    order = Order(pack.splits["train"], plain, 1)
    given = list(batches(feed(pack, plain, False), order, 0, CPU))
    assert len(given) == 2 * order.steps == 4
    for number, batch in enumerate(given):
        epoch, first = 1 + number // 2, 2 * (number % 2)
        places = [(place, house.order(epoch)[place]) for place in (first, first + 1)]
        expected = collate([(case, house.draw(epoch, place, case)) for place, case in places])
        for name, plane in zip(("image", "truth", "weight"), expected, strict=False):
            assert batch[name].equal(plane)


@pytest.mark.parametrize(
    "augment", [{"noise": 0}, {"noise": 0, "elastic_mm": 0, "blur": 1}, {"noise": 0, "crop_px": (120, 50)}]
)
def test_changed_on_the_device_they_are_the_same_but_for_rounding(augment):
    pack, _, plain = parts(**augment)
    order = Order(pack.splits["train"], plain, 0)
    pairs = zip(
        *(batches(feed(pack, plain, late), order, 0, CPU) for late in (False, True)),
        strict=True,
    )
    for exact, drawn in pairs:
        image, truth, weight = Changes(plain)(drawn, torch.Generator())
        # float16 has steps of a 2000th below 1; places are summed in another order.
        torch.testing.assert_close(image, exact["image"], rtol=0, atol=4e-3)
        for found, plane in ((truth, exact["truth"]), (weight, exact["weight"])):
            assert ((found - plane).abs() < 1e-3).float().mean() > 0.999


def test_noise_is_as_large_and_follows_from_the_generator():
    pack, _, plain = parts(noise=1, noise_level=0.05)
    plain["insertion"]["share"] = 0
    drawn = next(iter(batches(feed(pack, plain, True), Order(pack.splits["train"], plain, 0), 0, CPU)))
    one, again, other = (Changes(plain)(drawn, torch.Generator().manual_seed(seed))[0] for seed in (1, 1, 2))
    assert one.equal(again)
    spread = (one - other).flatten(1).std(1) / np.sqrt(2)
    torch.testing.assert_close(spread, drawn["numbers"][:, 11], rtol=0.05, atol=1e-3)


def test_a_picture_never_gets_a_nodule_of_its_own_patient():
    pack, _, plain = parts()
    plain["insertion"]["share"] = 1
    own = [replace(one, patient=pack.bank.nodules[0].patient) for one in pack.splits["train"]]
    for samples, expected in ((pack.splits["train"], True), (own, False)):
        given = Feed(samples, pack.bank, plain, False)
        filled = [given.filled(0, place, 3)[0] for place in range(12)]
        assert any(one.is_synthetic for one in filled) is expected


def test_misplaced_pictures_teach_nothing():
    pack, _, plain = parts()
    odd = replace(pack.splits["train"][1], odd=(UPSIDE_DOWN,))
    pack = XrayPack({"train": [*pack.splits["train"], odd]})
    assert len(learnt_from(pack, plain)) == 4
    plain["data"]["leave_out_odd"] = False
    assert len(learnt_from(pack, plain)) == 5


def test_workers_change_nothing():
    pack, _, plain = parts()
    order = Order(pack.splits["train"], plain, 0)
    alone, shared = (list(batches(feed(pack, plain, True), order, workers, CPU)) for workers in (0, 2))
    assert all(one[name].equal(other[name]) for one, other in zip(alone, shared, strict=True) for name in one)


def test_a_picture_of_one_row_is_read():
    pack, _, plain = parts(noise=0)
    thin = replace(picture(0, (1, 80)), truth=np.zeros((1, 80), bool), weight=np.ones((1, 80), np.float32))
    pack = XrayPack({"train": [thin, thin]})
    plain["insertion"]["share"] = 0
    drawn = next(iter(batches(feed(pack, plain, True), Order([thin, thin], plain, 0), 0, CPU)))
    assert torch.isfinite(Changes(plain)(drawn, torch.Generator())[0]).all()
