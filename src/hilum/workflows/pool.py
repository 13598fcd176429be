"""The same work on many items, in as many processes as wished."""

import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeVar

from hilum.core import InputError, OutputError

Item = TypeVar("Item")
Result = TypeVar("Result")

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def in_processes(
    work: Callable[[Item], Result], items: Sequence[Item], workers: int, *, ordered: bool = True
) -> Generator[Result, None, None]:
    """`work` of each item. Each process has one thread, unless the environment says how many it should have.

    The processes end when the iterator is closed or used up, and when this process is killed.

    Args:
        work: a function of a module, or a partial of one.
        items: what to work on.
        workers: processes; 1 works in this one.
        ordered: results come in the items' order; otherwise each as soon as it is there.

    Raises:
        InputError: fewer than one worker.
        OutputError: a process was ended from outside.
    """
    if workers < 1:
        raise InputError(f"at least one worker is needed, got {workers}.", "Give --workers 1 or more.")
    if workers == 1 or len(items) < 2:
        yield from map(work, items)
        return
    from multiprocessing import get_context

    # spawn: a forked child would share locks of threads (numba's, OpenMP's) that it doesn't have.
    pool = ProcessPoolExecutor(min(workers, len(items)), get_context("spawn"), initializer=_end_with_parent)
    try:
        yield from _started(pool, work, items, workers, ordered)
    except BrokenProcessPool as error:
        raise OutputError(
            "a worker process was ended from outside, perhaps for want of memory.", "Start again with fewer --workers."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _started(
    pool: ProcessPoolExecutor, work: Callable[[Item], Result], items: Sequence[Item], workers: int, ordered: bool
) -> Iterable[Result]:
    """All work handed over; by then every process has started, and the environment may change back."""
    with _one_thread_each():
        if ordered:
            return pool.map(work, items, chunksize=max(1, min(8, len(items) // (2 * workers))))
        futures = [pool.submit(work, item) for item in items]
    return (future.result() for future in as_completed(futures))


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Children inherit it: libraries read these names when they load, before a child can set them itself.

    Processes are the parallel part; threads within them would only compete. What the user has set stays.
    """
    added = [name for name in _THREADS if name not in os.environ]
    os.environ.update(dict.fromkeys(added, "1"))
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]


def _end_with_parent() -> None:
    """In a worker: end when the parent is killed, which nobody else would tell it."""
    from multiprocessing import parent_process
    from threading import Thread

    parent = parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    Thread(target=watch, daemon=True).start()
