"""Processes that a build starts: followed to their end, and ended together with everything they started."""

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil

from riqa.files import read_json, write_json

LOOK_EVERY = 0.25  # seconds between two looks at what a command has done
WATCH_EVERY = 1.0  # seconds between two looks at memory
RISE = 1.02  # by which the family's memory must rise before it is measured anew


def stop_family(process: psutil.Process, patience: float = 10.0, itself: bool = True) -> None:
    """Terminate a process (`itself`) and all its descendants; kill those left after `patience` seconds.

    The descendants are noted before anything is asked to end, because an orphan is hard to find.
    """
    try:
        family = [*([process] if itself else []), *process.children(recursive=True)]
    except psutil.Error:
        return
    for end in ("terminate", "kill"):
        for member in family:
            with suppress(psutil.Error):
                getattr(member, end)()
        _, family = psutil.wait_procs(family, timeout=patience)


def attend(command: Sequence[str], log: Path, look: Callable[[], object], note: Path, **options: Any) -> int:
    """Run a command to its end and return its exit status; whatever ends this process ends its whole family.

    Its output goes into `log`. `look` is called now and then meanwhile, and at the end. The file `note` names
    its process meanwhile, for `stop_noted` after a kill -9 of this one. `options` are those of Popen.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as stream:
        options |= {"stdin": subprocess.DEVNULL, "stdout": stream, "stderr": subprocess.STDOUT}
        process = subprocess.Popen(command, start_new_session=True, **options)
    child = psutil.Process(process.pid)
    write_json(note, {"pid": child.pid, "created": child.create_time()})
    try:
        while process.poll() is None:
            look()
            time.sleep(LOOK_EVERY)
        look()
        return process.returncode
    finally:
        if process.poll() is None:
            stop_family(child)
            process.wait()
        note.unlink(missing_ok=True)


def stop_noted(note: Path) -> None:
    """End what a killed process left running, see `attend`."""
    noted = read_json(note)
    if noted and psutil.pid_exists(noted["pid"]):
        left = psutil.Process(noted["pid"])
        if left.create_time() == noted["created"]:  # and not another process that was given its number
            stop_family(left)


@contextmanager
def watching(*needed: int) -> Iterator[SimpleNamespace]:
    """Watch this process and its children in a thread; when a process that is needed dies, end all of them.

    `needed` are the numbers of processes such as the one of its build. Yields an object whose `peak_bytes` is
    the most memory that they held together; shared pages count once.
    """
    seen, stop = SimpleNamespace(peak_bytes=0), threading.Event()

    def look() -> None:
        highest = 0.0
        while True:
            # What is exact takes a sixth of a second for a chapter that trains; what is not, next to nothing.
            if (held := _memory_of_family(exact=False)) > highest:
                highest = RISE * held
                seen.peak_bytes = max(seen.peak_bytes, _memory_of_family())
            if not all(map(psutil.pid_exists, needed)):
                stop_family(psutil.Process(), patience=2.0, itself=False)
                os._exit(1)
            if stop.wait(WATCH_EVERY):
                return

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()


def _memory_of_family(exact: bool = True) -> int:
    """Return the memory of this process and its descendants, in bytes; shared pages count once if `exact`."""
    total, own = 0, psutil.Process()
    for process in (own, *own.children(recursive=True)):
        with suppress(psutil.Error):  # one may end between the listing and the look
            memory = process.memory_full_info() if exact else process.memory_info()
            total += getattr(memory, "pss", memory.rss)
    return total
