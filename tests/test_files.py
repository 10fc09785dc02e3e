"""Files are there whole or not at all, with the umask's mode; one writer per folder; one line for a refusal."""

import errno
import hashlib
import os
import stat
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file

from riqa.files import (
    KEPT,
    atomic_write,
    file_digest,
    only_writer,
    read_json,
    tree_digests,
    write_json,
    write_whole,
    writing,
)
from tests.data.expect import refused


def write_into(folder, prefix=(), then="pass"):
    """Be the only writer of a folder, in a process of its own; return what it complains of."""
    code = f"import os\nfrom riqa.files import *\nwith only_writer(Path({str(folder)!r})): {then}"
    command = [*prefix, sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=False).stderr


def test_a_second_writer_is_refused_until_the_first_ends_or_is_killed(tmp_path):
    folder = tmp_path / "out"
    with only_writer(folder):
        assert "out is being written by another process; wait until it ends" in write_into(folder)
    assert not list(folder.iterdir())
    write_into(folder, then="os.kill(os.getpid(), 9)")
    assert (folder / ".lock").exists()
    assert write_into(folder) == ""


def test_what_may_not_or_cannot_be_written_is_one_line(tmp_path, without_roots_power):
    (tmp_path / "file").touch()
    for place, reason in (("file", "File exists"), ("file/out", "Not a directory")):
        with (
            refused(f"{place} cannot be written ({reason}); make room or give"),
            only_writer(tmp_path / place),
        ):
            pass
    (tmp_path / "closed").mkdir(mode=0o555)
    said = write_into(tmp_path / "closed" / "out", without_roots_power)
    assert "closed/out cannot be written (Permission denied); make room or give another folder" in said


def test_a_full_disk_is_one_line_that_says_what_is_kept_and_other_errors_are_not_taken_for_it(tmp_path):
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(tmp_path / "a" / "b"))
    with refused("space left on device); what is done is kept: make room"), writing(tmp_path, KEPT):
        raise full
    for other in (OSError(errno.EACCES, "no", "/elsewhere/a"), OSError(errno.EIO, "broken")):
        with pytest.raises(OSError, match=r"no|broken"), writing(tmp_path):
            raise other


@pytest.fixture(params=[0o022, 0o027, 0o077, 0o002], ids=oct)
def umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


WRITERS = {
    "text": lambda path: path.write_text("a"),
    "numpy": lambda path: np.save(path.open("wb"), np.zeros(2)),
    "parquet": lambda path: pd.DataFrame({"a": [1]}).to_parquet(path),
    "safetensors": lambda path: save_file({"a": np.zeros(2)}, path),
    "for its owner alone": lambda path: os.close(os.open(path, os.O_CREAT)) or path.chmod(0o600),
}


@pytest.mark.parametrize("writer", WRITERS)
def test_the_mode_is_that_of_any_new_file(tmp_path, umask, writer):
    file = tmp_path / "new" / "file"
    for _ in range(2):  # the first, and one in its place
        atomic_write(file, WRITERS[writer])
        assert mode(file) == 0o666 & ~umask
        assert [path.name for path in file.parent.iterdir()] == ["file"]
        file.chmod(0o640)


def test_after_an_error_the_old_file_is_there_and_nothing_else(tmp_path):
    file = tmp_path / "file"
    file.write_text("old")
    with pytest.raises(ZeroDivisionError):
        atomic_write(file, lambda path: path.write_text("ne") / 0)
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_json_is_strict_to_write_and_none_where_it_was_cut_short(tmp_path):
    write_json(tmp_path / "x.json", {"a": [1]})
    assert read_json(tmp_path / "x.json") == {"a": [1]}
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "y.json", {"a": float("nan")})
    assert [p.name for p in tmp_path.iterdir()] == ["x.json"]
    (tmp_path / "x.json").write_text('{"a": ')
    assert read_json(tmp_path / "x.json") is None
    assert read_json(tmp_path / "missing.json") is None


def test_tree_digests_are_sha256_by_relative_path(tmp_path):
    for name, content in {"b/two": "2", "one": "1", "left_out": "0"}.items():
        write_whole(tmp_path / name, content)
    found = tree_digests(tmp_path, skip="left_out")
    wanted = {"b/two": hashlib.sha256(b"2").hexdigest(), "one": hashlib.sha256(b"1").hexdigest()}
    assert list(found.items()) == list(wanted.items())
    assert file_digest(tmp_path / "one") == wanted["one"]
    assert tree_digests(tmp_path / "missing") == {}
