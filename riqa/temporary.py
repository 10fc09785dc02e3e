"""A temporary folder for this process: short enough for sockets, and removed however the process ends."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import IO

from riqa.errors import InputError

LONGEST = 57  # bytes; below it /riqa-xxxxxxxx/pymp-xxxxxxxx/listener-xxxxxxxx must fit into a socket's 104
MARK = ".owner"  # locked as long as the owner lives

# A shell that outlives this process, and removes its folder when the pipe from here ends. The folder is no
# argument, so that a kill by name does not kill this shell too.
_REMOVE_LATER = """exec 3<&0; (trap '' HUP INT TERM; read -r _ <&3
for _ in 1 2 3; do rm -rf -- "$FOLDER" && exit; sleep 1; done) >/dev/null 2>&1 &"""

_KEPT_OPEN: list[IO] = []


@cache
def own_folder() -> Path:
    """Make this process's folder, or return that of the process which started it, if it has been handed on.

    It is removed after the end of the process, a kill included; after a power cut the next call of any
    process removes it. Raises an InputError if no folder can be written, or all have names too long.
    """
    base = _short_folder()
    if (base / MARK).exists():
        return base
    for left in base.glob(f"riqa-*/{MARK}"):
        with suppress(OSError), left.open("r+") as mark:
            fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left.parent, ignore_errors=True)
    while True:
        folder = Path(tempfile.mkdtemp(prefix="riqa-", dir=base))
        mark = (folder / MARK).open("w")
        with suppress(OSError):
            fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if (folder / MARK).exists():  # else somebody took it for one that was left
            break
    environment = {"PATH": os.defpath, "FOLDER": str(folder)}
    command = ["/bin/sh", "-c", _REMOVE_LATER]
    shell = subprocess.Popen(command, stdin=subprocess.PIPE, env=environment, cwd="/", start_new_session=True)
    shell.wait()  # it leaves the rest to a child that nobody waits for
    _KEPT_OPEN.extend([mark, shell.stdin])
    return folder


def _short_folder() -> Path:
    """Return the first usable folder whose name leaves room for sockets."""
    try:
        usual = tempfile.gettempdir()
    except FileNotFoundError:
        raise InputError("no temporary folder can be written; set TMPDIR to one that can") from None
    if Path(usual, MARK).exists():
        return Path(usual)
    for folder in (usual, os.environ.get("XDG_RUNTIME_DIR", ""), "/tmp"):
        if folder and len(os.fsencode(folder)) <= LONGEST and os.access(folder, os.W_OK | os.X_OK):
            return Path(folder)
    length = len(os.fsencode(usual))
    raise InputError(f"TMPDIR is too long ({length} characters), set one of at most {LONGEST}")


@contextmanager
def in_own_folder() -> Iterator[None]:
    """Let what is temporary, of this process and of those that it starts meanwhile, lie in its own folder."""
    variable, known = os.environ.get("TMPDIR"), tempfile.tempdir
    os.environ["TMPDIR"] = tempfile.tempdir = str(own_folder())
    try:
        yield
    finally:
        tempfile.tempdir = known
        if variable is None:
            del os.environ["TMPDIR"]
        else:
            os.environ["TMPDIR"] = variable
