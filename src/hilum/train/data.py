"""Samples become batches of tensors; the order and everything drawn follow from the epoch alone."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from hilum.core import ConfigError
from hilum.datasets.class_sample import ClassSample
from hilum.datasets.xray_sample import Picture
from hilum.train.films import BesideFilm

Index = tuple[int, int, int]
"""Epoch (from 0), place in the epoch's order, and case."""


class Shown(Protocol):
    """A picture as it is shown, and what is to be learnt of it; `XraySample` is one."""

    @property
    def image(self) -> Picture:
        """[y, x] 0 to 1; of a piece of a CT [z, y, x], as all the rest."""

    @property
    def truth(self) -> "NDArray[Any]":
        """[y, x] 0 to 1: lesions, or a picture that is to be redrawn; of films by classes the classes' numbers."""

    @property
    def weight(self) -> Picture:
        """[y, x] of each pixel in the loss."""

    @property
    def prior(self) -> Picture | None:
        """[y, x] 0 to 1, a second image; None for none."""

    @property
    def prior_lesions(self) -> "NDArray[Any] | None":
        """[y, x] 0 or 1, what is known of it; None where that is not shown."""


class JudgedCase(Shown, Protocol):
    """One of somebody."""

    @property
    def patient(self) -> str:
        """Whose it is."""


class JudgedSample(JudgedCase, Protocol):
    """One of a data set, as it was loaded."""

    @property
    def key(self) -> str:
        """Of the case."""

    @property
    def truth(self) -> "NDArray[Any]":
        """[y, x] lesions, or classes by number."""

    @property
    def step_mm(self) -> tuple[float, ...]:
        """From pixel to pixel along each axis."""


class LearningCases(Protocol):
    """What is learnt from: everything drawn depends on the seed, the epoch and the place in its order, nothing else."""

    def order(self, epoch: int) -> Sequence[int]:
        """Which cases an epoch, counted from 0, goes through."""

    def draw(self, epoch: int, place: int, case: int) -> Shown:
        """The case as it is shown at this place of this epoch: augmented, cropped."""


class Batch(NamedTuple):
    """Pictures of one size; smaller ones are padded below and on the right with pixels of weight 0.

    Of pieces of a CT, all of it is [B, …, D, H, W].

    Attributes:
        image: [B, 1, H, W], 0 to 1.
        target: [B, 1, H, W], 0 or 1; brightness, where pictures are redrawn; numbers, of films by classes.
        weight: [B, 1, H, W].
        size: [B, axes] rows and columns before padding.
        case: [B] which case each is.
        prior: [B, 1 or 2, H, W], a second image and, where they are shown, its known lesions; None without one.
        film: [F, 1, H, W] unlabeled films beside them; None without any.
        label: [B] of films by classes, each one's label by number, -1 where nobody says; None of others.
    """

    image: Tensor
    target: Tensor
    weight: Tensor
    size: Tensor
    case: Tensor
    prior: Tensor | None = None
    film: Tensor | None = None
    label: Tensor | None = None


def collate(samples: Sequence[tuple[int, Shown]]) -> Batch:
    """Samples, each with its case's number, to a batch; images repeat their last rows in the padding."""
    largest = np.max([sample.image.shape for _, sample in samples], axis=0)

    def stack(planes: "Sequence[NDArray[Any]]", mode: Any) -> Tensor:
        fitted = [np.pad(plane, [(0, end) for end in largest - plane.shape], mode=mode) for plane in planes]
        return torch.from_numpy(np.stack(fitted)[:, None].astype(np.float32))

    every = [sample for _, sample in samples]
    return Batch(
        stack([one.image for one in every], "edge"),
        stack([one.truth for one in every], "constant"),
        stack([one.weight for one in every], "constant"),
        torch.tensor([one.image.shape for one in every]),
        torch.tensor([case for case, _ in samples]),
        _priors(every, stack),
        stack(films, "edge") if (films := [one.film for one in every if isinstance(one, BesideFilm)]) else None,
        _labels(every),
    )


def without_padding(batch: Batch, planes: Tensor) -> dict[int, Tensor]:
    """What [B, …] of a batch lies on each picture itself, by number of the case; of channels [B, C, …] all."""
    each = zip(batch.case.tolist(), planes, batch.size.tolist(), strict=True)
    return {case: plane[(..., *(slice(size) for size in sizes))] for case, plane, sizes in each}


def _labels(samples: Sequence[Shown]) -> Tensor | None:
    """[B] of films by classes; None of others."""
    numbers = [one.label_number for one in samples if isinstance(one, ClassSample)]
    return torch.tensor(numbers) if numbers else None


def _priors(samples: Sequence[Shown], stack: "Callable[[Sequence[NDArray[Any]], str], Tensor]") -> Tensor | None:
    """[B, 1 or 2, H, W]; None where not every sample has a second image."""
    pictures = [one.prior for one in samples if one.prior is not None]
    lesions = [one.prior_lesions for one in samples if one.prior_lesions is not None]
    if len(pictures) < len(samples):
        return None
    channels = [stack(pictures, "edge")]
    if len(lesions) == len(samples):
        channels.append(stack(lesions, "constant"))
    return torch.cat(channels, 1)


class _Drawn(Dataset[tuple[int, Shown]]):
    """Cases by epoch and place, so that a worker process needs no state."""

    def __init__(self, cases: LearningCases) -> None:
        self._cases = cases

    def __getitem__(self, index: Index) -> tuple[int, Shown]:
        epoch, place, case = index
        return case, self._cases.draw(epoch, place, case)


class _Kept(Dataset[tuple[int, Shown]]):
    """Cases as they are."""

    def __init__(self, samples: Sequence[Shown]) -> None:
        self._samples = samples

    def __getitem__(self, index: int) -> tuple[int, Shown]:
        return index, self._samples[index]

    def __len__(self) -> int:
        return len(self._samples)


class EpochBatches(Sampler[list[Index]]):
    """The batches of one process in the current epoch: every process takes its share of each whole batch.

    So a step sees the same pictures, however many processes share them. What is left at the end is not shown when it
    fills no whole batch, unless an epoch has no whole batch at all.

    Args:
        cases: what is learnt from.
        batch_size: pictures over all processes.
        epoch: says which epoch it is, counted from 0.
        share: (rank, processes).

    Raises:
        ConfigError: the batch can't be shared evenly.
    """

    def __init__(
        self, cases: LearningCases, batch_size: int, epoch: Callable[[], int], share: tuple[int, int] = (0, 1)
    ) -> None:
        self._cases, self._epoch = cases, epoch
        self._rank, self._processes = share
        self._batch_size = min(batch_size, len(cases.order(0)))
        if self._batch_size % self._processes:
            raise ConfigError(
                f"a batch of {self._batch_size} can't be shared evenly by {self._processes} processes.",
                "Choose a batch_size that is a multiple.",
            )

    def __iter__(self) -> Iterator[list[Index]]:
        epoch = self._epoch()
        order = self._cases.order(epoch)
        each = self._batch_size // self._processes
        for start in range(0, len(self) * self._batch_size, self._batch_size):
            first = start + self._rank * each
            yield [(epoch, place, int(order[place])) for place in range(first, first + each)]

    def __len__(self) -> int:
        return len(self._cases.order(0)) // self._batch_size


def training_batches(batches: EpochBatches, cases: LearningCases, workers: int = 0) -> "DataLoader[Any]":
    """Batches of drawn cases; they, and what the network draws, are the same with any number of workers."""
    return DataLoader(
        _Drawn(cases),
        batch_sampler=batches,
        collate_fn=collate,
        num_workers=workers,
        persistent_workers=workers > 0,
        generator=torch.Generator(),  # else each epoch's iterator may take a number from those that dropout draws
    )


def judged_batches(samples: Sequence[Shown], batch_size: int) -> "DataLoader[Any]":
    """All samples in their order, as they are."""
    return DataLoader(_Kept(samples), batch_size=batch_size, collate_fn=collate, generator=torch.Generator())
