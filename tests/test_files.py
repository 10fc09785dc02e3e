"""One writer a folder, and one line where nothing can be written."""

import errno
import os
import subprocess
import sys

import pytest

from riqa.errors import InputError
from riqa.files import KEPT, only_writer, writing


def write_into(folder, place, prefix=(), then="pass"):
    """Be the only writer of a folder, in a process of its own; return what it complains of."""
    code = f"import os\nfrom riqa.files import *\nwith only_writer(Path({folder!r})): {then}"
    command = [*prefix, sys.executable, "-c", code]
    return subprocess.run(command, cwd=place, capture_output=True, text=True, check=False).stderr


def test_a_second_writer_is_refused_until_the_first_ends(tmp_path):
    folder = tmp_path / "out"
    command = [
        sys.executable,
        "-c",
        f"from riqa.files import *\nwith only_writer(Path({str(folder)!r})): pass",
    ]
    with only_writer(folder):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert "out is being written by another process; wait until it ends" in done.stderr
    assert subprocess.run(command, check=False).returncode == 0
    assert list(folder.iterdir()) == []


def test_what_a_killed_writer_left_stands_in_nobodys_way(tmp_path):
    write_into("out", tmp_path, then="os.kill(os.getpid(), 9)")
    assert (tmp_path / "out" / ".lock").exists()
    with only_writer(tmp_path / "out"):
        pass


def test_a_file_in_the_way_and_a_folder_below_a_file_are_one_line(tmp_path):
    (tmp_path / "file").touch()
    for place, reason in (("file", "File exists"), ("file/out", "Not a directory")):
        with pytest.raises(InputError, match=rf"{place} cannot be written \({reason}\); make room or give"):  # noqa: SIM117
            with only_writer(tmp_path / place):
                pass


def test_a_folder_that_may_not_be_written_is_one_line(tmp_path, without_roots_power):
    (tmp_path / "closed").mkdir(mode=0o555)
    said = write_into("closed/out", tmp_path, without_roots_power)
    assert "closed/out cannot be written (Permission denied); make room or give another folder" in said


def test_a_full_disk_is_one_line_that_says_what_is_kept(tmp_path):
    with pytest.raises(InputError, match=r"space left on device\); what is done is kept: make room"):  # noqa: SIM117
        with writing(tmp_path, KEPT):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(tmp_path / "a" / "b"))


@pytest.mark.parametrize("error", [OSError(errno.EACCES, "no", "/elsewhere/a"), OSError(errno.EIO, "broken")])
def test_other_errors_are_not_taken_for_that(tmp_path, error):
    with pytest.raises(OSError, match=r"no|broken"), writing(tmp_path):
        raise error
