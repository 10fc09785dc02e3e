"""How the C library manages memory while a network is trained."""

import ctypes

_MMAP_THRESHOLD, _TRIM_THRESHOLD = -3, -1
"""Names of two parameters of mallopt(3), from glibc's malloc.h."""


def keep_freed_memory() -> bool:
    """Let this process keep the memory that it frees, to use it again.

    A training step frees thousands of arrays that the next step asks for anew. glibc hands large ones back to
    the kernel, which must find and clear the same pages again at every step.

    Arrays above 8 MB are still given back, and of what is free at most 64 MB is kept: a process that keeps
    them, too, ends with half a gigabyte of gaps between arrays. Clearing them costs little in pages of
    2 MB, which torch asks for where the system grants them (see `riqa.learn`).

    Returns:
        Whether the C library has this setting; where it has not, nothing changes.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # other C libraries; Windows has no library without a name
        return False
    return bool(mallopt(_MMAP_THRESHOLD, 8 << 20) and mallopt(_TRIM_THRESHOLD, 64 << 20))


def give_back_freed_memory() -> bool:
    """Hand what this process has freed back to the system, before others need it.

    Returns:
        Whether the C library handed anything back.
    """
    try:
        return bool(ctypes.CDLL(None).malloc_trim(0))
    except (AttributeError, OSError, TypeError):
        return False
