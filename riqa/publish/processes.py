"""Ending processes together with everything that they started."""

import contextlib

import psutil


def stop_family(process: psutil.Process, patience: float = 10.0, itself: bool = True) -> None:
    """Terminate a process and all its descendants; kill those that remain.

    The descendants are noted before anything is asked to end, because an orphan is hard to find.

    Args:
        process: The process.
        patience: Seconds that they get to end by themselves.
        itself: Whether the process ends too, or only its descendants.
    """
    try:
        family = process.children(recursive=True)
    except psutil.Error:
        return
    if itself:
        family.insert(0, process)
    for member in family:
        with contextlib.suppress(psutil.Error):
            member.terminate()
    _, alive = psutil.wait_procs(family, timeout=patience)
    for member in alive:
        with contextlib.suppress(psutil.Error):
            member.kill()
    psutil.wait_procs(alive, timeout=patience)
