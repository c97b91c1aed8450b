"""Read the next item and write the one before while the present one is computed.

One thread reads, one writes, the caller's thread computes. At most one item is ahead and one
behind, so memory does not grow with their number.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

Item = TypeVar("Item")
Shown = TypeVar("Shown")
Made = TypeVar("Made")
Kept = TypeVar("Kept")


def overlapped(
    items: Iterable[Item],
    *,
    read: Callable[[Item], Shown],
    compute: Callable[[Shown], Made],
    write: Callable[[Made], Kept],
) -> Generator[Future[Kept], None, None]:
    """Yield, for each item in order, a finished future: what `write` returned, or the first error.

    An error of one item does not touch the others; whoever stops iterating leaves nothing half
    written, because the writer finishes what it has begun.

    Args:
        items: taken one ahead, in the caller's thread.
        read: runs in the reader's thread.
        compute: runs in the caller's thread.
        write: runs in the writer's thread.
    """
    with ThreadPoolExecutor(1, "reader") as reader, ThreadPoolExecutor(1, "writer") as writer:
        behind: Future[Kept] | None = None
        for shown in _one_ahead(items, lambda item: reader.submit(read, item)):
            made = _done(compute, shown)
            if behind is not None:
                wait([behind])
                yield behind
            behind = writer.submit(_then, write, made)
        if behind is not None:
            wait([behind])
            yield behind


def _one_ahead(
    items: Iterable[Item], begin: Callable[[Item], Future[Shown]]
) -> Iterator[Future[Shown]]:
    """Begin the item after the present one before the present one is given out."""
    coming: Future[Shown] | None = None
    for item in items:
        present, coming = coming, begin(item)
        if present is not None:
            yield present
    if coming is not None:
        yield coming


def _done(work: Callable[[Item], Made], given: Future[Item]) -> Future[Made]:
    """Do it now, and keep the error if there is one."""
    done: Future[Made] = Future()
    try:
        done.set_result(_then(work, given))
    except Exception as error:  # whatever it is, it is raised again where the item is asked for
        done.set_exception(error)
    return done


def _then(work: Callable[[Item], Made], given: Future[Item]) -> Made:
    return work(given.result())
