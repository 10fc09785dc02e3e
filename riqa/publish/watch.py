"""A thread that watches a running chapter: how much memory it takes, and whether its build still runs."""

import os
import threading

import psutil

from riqa.publish.processes import stop_family

EVERY = 1.0  # seconds between two looks


class Watch:
    """Watches this process and its children while a ``with`` block runs.

    Attributes:
        peak_bytes: The most memory that all of them held together so far; shared pages count once.
    """

    def __init__(self, build_pid: int | None = None):
        """Prepare a watch.

        Args:
            build_pid: The process of the build that this chapter belongs to; when it dies (kill -9), the
                chapter stops too. None when nobody waits for the chapter.
        """
        self.peak_bytes = 0
        self._build_pid = build_pid
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "Watch":
        """Start watching."""
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Stop watching."""
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while True:
            self.peak_bytes = max(self.peak_bytes, _memory_of_family())
            if self._build_pid and not psutil.pid_exists(self._build_pid):
                stop_family(psutil.Process(), patience=2.0, itself=False)
                os._exit(1)
            if self._stop.wait(EVERY):
                return


def _memory_of_family() -> int:
    """Return the memory of this process and its descendants, in bytes."""
    total = 0
    own = psutil.Process()
    for process in (own, *own.children(recursive=True)):
        try:
            memory = process.memory_full_info()
            total += getattr(memory, "pss", memory.rss)
        except psutil.Error:
            continue  # ended between the listing and the look
    return total
