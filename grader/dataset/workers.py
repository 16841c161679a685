"""Runs chunks of work in several processes, so that Ctrl-C, a kill and a script without a guard end as they should."""

import multiprocessing
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from types import ModuleType
from typing import Final

from grader.child import begin
from grader.dataset.chunks import Chunk, Record

_SMALLEST_POOL: Final = 1000
"""Fewer pictures than this are drawn in this process: starting others would take longer."""


@contextmanager
def _without_main() -> Iterator[None]:
    """Hides the caller's main module while processes are spawned.

    A spawned process begins by importing its parent's main file: it would run a script that has no `if __name__ == "__main__"` a second
    time, and fail where the program came from standard input. Ours needs this module only.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def run_chunks(work: Callable[[Chunk], Record], chunks: list[Chunk], workers: int) -> Iterator[tuple[Chunk, Record]]:
    """Runs the chunks, in this process or in several, and gives each with its record as it is finished.

    Args:
        work: makes a chunk; a function of a module, or a `partial` of one, so that it can be named to another process.
        chunks: what to make.
        workers: how many processes.

    Yields:
        Each chunk with its record, in the order in which they are finished.

    Raises:
        OSError: a file cannot be written.
        BrokenProcessPool: a process ended by itself.
    """
    if workers == 1 or sum(chunk.images for chunk in chunks) < _SMALLEST_POOL:
        for chunk in chunks:
            yield chunk, work(chunk)
        return
    # "spawn": a fork would copy the threads' locks of whatever the caller has loaded, TensorFlow's included.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=begin) as pool:
        running: dict[Future[Record], Chunk] = {}
        waiting = iter(chunks)
        try:
            while True:
                for chunk in waiting:
                    with _without_main():
                        running[pool.submit(work, chunk)] = chunk
                    if len(running) >= 2 * workers:
                        break
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    yield running.pop(future), future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
