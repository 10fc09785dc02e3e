"""A process that works for another one ends with it, also when that one is killed."""

import multiprocessing
import os
import threading


def end_with_parent() -> None:
    """Let this process, a worker of a pool, end when its parent does; it would go on, or wait, for ever."""

    def follow() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
