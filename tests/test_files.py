"""Files are there whole or not at all, with the mode that the umask gives, whoever writes them."""

import os
import stat
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file

from riqa.files import atomic_write
from tests.learn.chain import a_run, write_toy_store


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

    def write(path):
        path.write_text("ne")
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        atomic_write(file, write)
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_every_file_of_a_training_has_it(tmp_path, umask):
    from riqa.learn.runs import execute

    store = write_toy_store(tmp_path)
    execute(a_run(store, tmp_path, checkpoints=tmp_path / "kept"))
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    kinds = {Path(*path.relative_to(tmp_path).parts[:1], path.suffix).as_posix() for path in files}
    assert {"store/.npy", "models/.safetensors", "models/.json", "kept/.safetensors"} <= kinds
    assert {path.name: mode(path) for path in files} == {path.name: 0o666 & ~umask for path in files}
