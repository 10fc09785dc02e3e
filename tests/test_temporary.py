"""A process's own temporary folder: short, and gone with the process."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from riqa.temporary import LONGEST, MARK

TELL = "import time\nfrom riqa.temporary import own_folder\nprint(own_folder(), flush=True)\n"


def start(code, **variables):
    return subprocess.Popen(
        [sys.executable, "-c", code], text=True, env=os.environ | variables, stdout=subprocess.PIPE
    )


def gone(folder, seconds=20.0):
    """Tell whether a folder vanishes within some seconds."""
    until = time.monotonic() + seconds
    while os.path.exists(folder) and time.monotonic() < until:
        time.sleep(0.1)
    return not os.path.exists(folder)


@pytest.fixture
def short(tmp_path):
    """A folder with a short name; pytest's own are long."""
    folder = Path("/tmp") / f"t{os.getpid()}"
    folder.mkdir()
    yield folder
    subprocess.run(["rm", "-rf", str(folder)], check=True)


@pytest.mark.parametrize("end", [None, signal.SIGTERM, signal.SIGKILL])
def test_it_is_gone_with_the_process_however_that_ends(short, end):
    process = start(TELL + ("time.sleep(60)" if end else ""), TMPDIR=str(short))
    folder = Path(process.stdout.readline().strip())
    assert folder.parent == short
    if end:
        assert folder.is_dir()
        (folder / "socket").touch()
        process.send_signal(end)
    process.communicate()
    assert gone(folder)
    assert not any(short.iterdir())


def test_a_process_that_was_started_with_it_uses_the_same(short):
    code = (
        "import subprocess, sys, tempfile\nfrom riqa.temporary import in_own_folder, own_folder\n"
        "with in_own_folder():\n    print(own_folder(), tempfile.gettempdir())\n"
        "    print(subprocess.check_output([sys.executable, '-c', sys.argv[1]], text=True), end='')\n"
        "print(tempfile.gettempdir())"
    )
    command = [sys.executable, "-c", code, TELL]
    told = subprocess.check_output(command, text=True, env=os.environ | {"TMPDIR": str(short)}).split()
    assert len(set(told[:3])) == 1
    assert told[3] == str(short)


def test_what_a_dead_owner_left_is_removed_and_what_has_an_owner_or_is_none_stays(short):
    for name in ("riqa-left", "riqa-held", "riqa-models"):
        (short / name).mkdir()
    (short / "riqa-models" / "model").touch()
    (short / "riqa-left" / MARK).touch()
    with (short / "riqa-held" / MARK).open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        start(TELL, TMPDIR=str(short)).communicate()
        assert gone(short / "riqa-left", seconds=0.1)
        assert (short / "riqa-held" / MARK).is_file()
        assert (short / "riqa-models" / "model").is_file()


def test_a_usual_folder_that_is_missing_or_too_long_for_sockets_is_no_obstacle(short):
    """The TMPDIR of a cluster's job, LMCache/LMCache#3529."""
    long = short / "users" / ("x" * 80)
    long.mkdir(parents=True)
    (short / "run").mkdir()
    told = start(TELL, TMPDIR=str(long), XDG_RUNTIME_DIR=str(short / "run")).communicate()[0]
    assert told.startswith(str(short / "run" / "riqa-"))
    told = start(TELL, TMPDIR=str(short / "missing")).communicate()[0]
    assert Path(told).name.startswith("riqa-")
    for socket in ("/riqa-12345678/pymp-12345678/listener-12345678", "/riqa-12345678/kernel-ipc-99"):
        assert LONGEST + len(socket) < 104
