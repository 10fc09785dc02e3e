"""Threads that work ahead: files are read while a network computes."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item, Result = TypeVar("Item"), TypeVar("Result")


def work_ahead(
    function: Callable[[Item], Result], items: Iterable[Item], *, threads: int = 1, ahead: int = 2
) -> Iterator[Result]:
    """Apply a function to items in threads, ahead of the use of the results.

    Args:
        function: What to do with each item; it gains most if it mostly runs outside of Python's lock, as
            reading, decoding and copying do.
        items: The items.
        threads: How many are done side by side.
        ahead: Most items that are done, or being done, and not yet used; memory holds no more. Of these, one
            is the item that is used next.

    Yields:
        The results, in the order of the items.

    Raises:
        ValueError: If `threads` or `ahead` is below 1.
        Exception: Whatever the function raises, when the turn of its item has come.
    """
    if threads < 1 or ahead < 1:
        raise ValueError(f"threads and ahead must be at least 1, got {threads} and {ahead}")
    pool = ThreadPoolExecutor(threads, thread_name_prefix="ahead")
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            if len(waiting) == ahead:
                yield waiting.popleft().result()
            waiting.append(pool.submit(function, item))
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
