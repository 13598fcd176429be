"""The same work on many items, in as many processes as wished; results come in the items' order."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from hilum.core import InputError, OutputError

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_processes(work: Callable[[Item], Result], items: Sequence[Item], workers: int) -> Iterator[Result]:
    """`work` of each item.

    Args:
        work: a function of a module, or a partial of one.
        items: what to work on.
        workers: processes; 1 works in this one.

    Raises:
        InputError: fewer than one worker.
        OutputError: a process was ended from outside.
    """
    if workers < 1:
        raise InputError(f"at least one worker is needed, got {workers}.")
    if workers == 1 or len(items) < 2:
        yield from map(work, items)
        return
    from multiprocessing import get_context

    # spawn: a forked child would share locks of threads that it doesn't have.
    pool = ProcessPoolExecutor(min(workers, len(items)), get_context("spawn"), initializer=_one_thread)
    try:
        yield from pool.map(work, items, chunksize=max(1, min(8, len(items) // (2 * workers))))
    except BrokenProcessPool as error:
        raise OutputError(
            "a worker process was ended from outside, perhaps for want of memory.", "Start again with fewer --workers."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _one_thread() -> None:
    """Processes are the parallel part; threads within them would only compete."""
    for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")
