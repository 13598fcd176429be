"""Training pictures for a fast device: drawn in worker processes with NumPy, changed there or on the device.

What is drawn follows from seed, epoch and place, as in `hilum.train.xrays`. Changed by NumPy, batches are the house's
own to the last bit, at 13 ms of one core a picture of 448 × 448. Changed on the device, a core's share is 3 ms:
pictures travel whole in 16 bits with the numbers that were drawn, and noise has other grains of the same size.
"""

import math
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import torch

from hilum.datasets.augment2d import _middle, draw_augmentation
from hilum.datasets.insertion import draw_insertions, inserted
from hilum.datasets.odd import is_misplaced
from hilum.datasets.sampling import Purpose, epoch_order, generator


def fields(plain):
    """A part of a configuration as an object; what is listed there, too."""
    return SimpleNamespace(
        **{
            name: [fields(one) if isinstance(one, dict) else one for one in value] if isinstance(value, list) else value
            for name, value in plain.items()
        }
    )


def learnt_from(pack, config):
    """The training pictures of a pack: as `hilum.workflows.train_data` has it, without misplaced ones."""
    leaves = config["data"]["leave_out_odd"]
    return [one for one in pack.splits["train"] if not (leaves and is_misplaced(one.odd))]


@dataclass(frozen=True, eq=False)
class Feed(torch.utils.data.Dataset):
    """Whole batches by their (epoch, first place, cases).

    Attributes:
        samples: to learn from.
        bank: nodules to insert; None where none are.
        config: of the run, plain.
        on_device: whether pictures are changed later.
    """

    samples: list
    bank: object
    config: dict
    on_device: bool

    def __getitem__(self, index):
        epoch, first, cases = index
        make = self.drawn if self.on_device else self.changed
        return stacked([make(epoch, first + number, case) for number, case in enumerate(cases)])

    def filled(self, epoch, place, case):
        """A sample with nodules inserted, and what is to become of it."""
        config, seed = self.config, self.config["trainer"]["seed"]
        sample = self.samples[case]
        if config["insertion"]["share"]:
            rng = generator(seed, Purpose.INSERT, epoch, place)
            drawn = draw_insertions(rng, self.bank, fields(config["insertion"]), sample.patient)
            data = config["data"]
            sample = inserted(sample, drawn, self.bank, data["truth"], data["visibility_floor"])
        rng = generator(seed, Purpose.AUGMENT, epoch, place)
        return sample, draw_augmentation(rng, fields(config["augment"]))

    def changed(self, epoch, place, case):
        """Planes of one picture as it is learnt from."""
        sample, augmentation = self.filled(epoch, place, case)
        sample = augmentation(sample)
        return {"image": sample.image, "truth": sample.truth.astype(np.float32), "weight": sample.weight}

    def drawn(self, epoch, place, case):
        """A picture before its change, and the numbers that decide the change."""
        sample, augmentation = self.filled(epoch, place, case)
        warp, tone, crop = augmentation.warp, augmentation.tone, augmentation.crop
        middle = _middle(sample, crop)
        angle = math.radians(warp.angle_deg)
        numbers = (
            *(math.cos(angle) / warp.scale, math.sin(angle) / warp.scale, -1.0 if warp.is_flipped else 1.0),
            *(middle[0], middle[1], *sample.image.shape),
            *(tone.gamma, tone.brightness, tone.contrast, tone.blur_mm / sample.pixel_mm, tone.noise),
        )
        lattice = np.zeros((2, 1, 1)) if warp.displacement_mm is None else warp.displacement_mm / sample.pixel_mm
        return {
            "flat_image": sample.image.astype(np.float16).ravel(),
            "flat_lesion": np.where(sample.truth, 1 + sample.weight, 0).astype(np.float16).ravel(),
            "numbers": np.array(numbers, dtype=np.float32),
            "lattice": lattice.astype(np.float32),
        }


def stacked(samples):
    """Planes of several samples of one size [B, 1, H, W], numbers [B, n], and flat planes one after another."""
    batch = {}
    for name in samples[0]:
        arrays = [sample[name] for sample in samples]
        if name.startswith("flat"):
            batch[name] = torch.from_numpy(np.concatenate(arrays))
            batch["first"] = torch.tensor([0, *np.cumsum([len(one) for one in arrays])[:-1]])
        elif name in ("numbers", "lattice"):
            batch[name] = torch.from_numpy(np.stack(arrays))
        else:
            batch[name] = padded(arrays, "edge" if name == "image" else "constant")
    return batch


def padded(planes, mode):
    """[B, 1, H, W] of planes of several sizes, padded below and on the right."""
    height, width = np.max([plane.shape for plane in planes], axis=0)
    margins = [((0, height - plane.shape[0]), (0, width - plane.shape[1])) for plane in planes]
    joined = [np.pad(plane, margin, mode=mode) for plane, margin in zip(planes, margins, strict=True)]
    return torch.from_numpy(np.stack(joined)[:, None])


class Order(torch.utils.data.Sampler):
    """Every batch of the epochs that are left, one after another, so that no worker waits for an epoch's end."""

    def __init__(self, samples, config, first_epoch):
        # What the order depends on, found once: an epoch takes the device less time than looking through all truths.
        self.known = [SimpleNamespace(has_lesion=one.has_lesion, nodules=one.nodules) for one in samples]
        self.config, self.first_epoch = config, first_epoch
        draws = len(self.of(0))
        self.batch_size = min(config["trainer"]["batch_size"], draws)
        self.steps = draws // self.batch_size  # what fills no batch is not shown

    def of(self, epoch):
        """Which samples an epoch, counted from 0, shows at its places."""
        sampling = fields(self.config["sampling"])
        seed = self.config["trainer"]["seed"]
        return epoch_order(self.known, sampling, seed, epoch, np.zeros(len(self.known)))

    def __iter__(self):
        for epoch in range(self.first_epoch, self.config["trainer"]["epochs"]):
            order = self.of(epoch)
            for first in range(0, self.steps * self.batch_size, self.batch_size):
                yield epoch, first, [int(one) for one in order[first : first + self.batch_size]]


def batches(feed, order, workers, device):
    """Batches in their order, whatever the number of workers."""
    return torch.utils.data.DataLoader(
        feed,
        batch_size=None,
        sampler=order,
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        pin_memory=device.type == "cuda",
        generator=torch.Generator(),
    )


def can_be_changed_on_device(config):
    """Only pieces of one size, and not what `Changes` lacks."""
    augment = config["augment"]
    return augment["crop_px"] is not None and not (augment["shear_deg"] or augment["flip_up_down"])


class Changes:
    """`hilum.datasets.augment2d.Augmentation` for a whole batch on its device.

    Args:
        config: of the run, plain.
    """

    def __init__(self, config):
        augment, pixel_mm = config["augment"], config["data"]["pixel_mm"]
        self.shape = tuple(augment["crop_px"])
        self.step_px = augment["elastic_lattice_mm"] / pixel_mm
        self.reach = max(1, math.ceil(3 * augment["blur_mm"] / pixel_mm))

    def __call__(self, batch, generator):
        """Image, truth and weight [B, 1, h, w] of what `Feed.drawn` gave, moved to a device."""
        numbers = batch["numbers"].T[..., None, None]  # each [B, 1, 1]
        rows, columns = self.places(numbers, batch["lattice"])
        where = rows, columns, numbers[5:7], batch["first"][:, None, None]
        seen = read_linearly(batch["flat_image"], *where)
        code, inside = nearest(batch["flat_lesion"], *where)
        truth = (code > 0) & inside
        weight = torch.where(truth, code - 1, 1.0) * inside
        return self.toned(seen, numbers[7:], generator)[:, None], truth.float()[:, None], weight[:, None]

    def places(self, numbers, lattice):
        """[B, h, w] rows and columns of the old pictures."""
        cosine, sine, mirror, row, column = numbers[:5]
        height, width = self.shape
        down = (torch.arange(height, device=lattice.device) - (height - 1) / 2)[None, :, None]
        right = (torch.arange(width, device=lattice.device) - (width - 1) / 2)[None, None]
        rows = cosine * down + row + sine * right
        columns = -sine * mirror * down + column + cosine * mirror * right
        if lattice.shape[-1] > 1:
            across = splines(height, self.step_px, lattice), splines(width, self.step_px, lattice)
            moved = across[0] @ lattice @ across[1].T
            rows, columns = rows + moved[:, 0], columns + moved[:, 1]
        return rows, columns

    def toned(self, image, numbers, generator):
        """Images [B, h, w] with another tone, cut to 0 to 1."""
        gamma, brightness, contrast, sigma, noise = numbers
        image = self.blurred(image, sigma).clamp(min=0) ** gamma
        image = image * contrast + brightness + 0.5 - 0.5 * contrast
        grain = torch.randn(image.shape, generator=generator, device=image.device)
        return (image + noise * grain).clamp(0, 1)

    def blurred(self, image, sigma):
        """Gaussian blur, each picture's own, cut off at three sigma; of sigma 0 none."""
        taps = torch.arange(-self.reach, self.reach + 1, device=image.device)
        own = torch.ceil(3 * sigma[..., 0]).clamp(min=1) * (sigma[..., 0] > 0)
        kernel = torch.exp(-0.5 * (taps / sigma[..., 0].clamp(min=1e-6)) ** 2) * (taps.abs() <= own)
        kernel = kernel / kernel.sum(1, keepdim=True)
        padded = torch.nn.functional.pad(image[:, None], (self.reach,) * 4, mode="replicate")[:, 0]
        for axis in (1, 2):
            size = padded.shape[axis] - 2 * self.reach
            pieces = (kernel[:, k, None, None] * padded.narrow(axis, k, size) for k in range(len(taps)))
            padded = sum(pieces)
        return padded


def splines(size, step_px, lattice):
    """[size, n] weights of the lattice's points at each pixel: uniform cubic B-splines, points repeated."""
    place = torch.arange(size, device=lattice.device, dtype=torch.float32) / step_px
    first = place.long()
    t = (place - first)[:, None]
    pieces = torch.cat(((1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3), 1) / 6
    points = (first[:, None] + torch.arange(4, device=lattice.device)) % lattice.shape[-1]
    return torch.zeros((size, lattice.shape[-1]), device=lattice.device).scatter_add_(1, points, pieces)


def read_linearly(values, rows, columns, sizes, first):
    """[B, h, w] of flat pictures between pixels; beyond a picture's own edge, the edge.

    Args:
        values: all pictures' pixels, one after another.
        rows: [B, h, w] places.
        columns: [B, h, w] places.
        sizes: rows and columns of each picture, [B, 1, 1] both.
        first: [B, 1, 1] where each picture begins.
    """
    row, down = whole_and_rest(rows, sizes[0])
    column, right = whole_and_rest(columns, sizes[1])
    width = sizes[1].long()
    below, beside = (sizes[0] > 1).long() * width, (sizes[1] > 1).long()
    place = first + row * width + column
    upper = torch.lerp(values[place].float(), values[place + beside].float(), right)
    place = place + below
    return torch.lerp(upper, torch.lerp(values[place].float(), values[place + beside].float(), right), down)


def whole_and_rest(places, size):
    clipped = torch.minimum(places.clamp(min=0), size - 1)
    whole = torch.minimum(clipped.floor(), (size - 2).clamp(min=0))
    return whole.long(), clipped - whole


def nearest(values, rows, columns, sizes, first):
    """[B, h, w] at the nearest pixel, and whether that is within the picture; arguments as in `read_linearly`."""
    row, column = rows.round(), columns.round()
    inside = (row >= 0) & (row < sizes[0]) & (column >= 0) & (column < sizes[1])
    place = first + (row * sizes[1] + column).long() * inside
    return values[place].float(), inside
