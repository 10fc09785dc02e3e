from pathlib import Path

import pytest

from riqa.errors import InputError
from riqa.publish.layout import Build, find_root


def test_find_root_from_a_folder_inside(toy):
    assert find_root(toy / "book" / "_ext") == toy


def test_find_root_elsewhere_is_one_line(tmp_path):
    with pytest.raises(InputError, match="not inside the riqa repository"):
        find_root(tmp_path)


def test_a_build_lies_below_its_profile():
    build = Build(Path("/r"), "quick")
    assert build.html == Path("/r/_build/quick/html")
    assert build.artifacts("01_a") == Path("/r/_build/quick/work/01_a/artifacts.json")
    assert build.shown(build.executed("01_a")) == "_build/quick/executed/01_a.ipynb"
    assert build.shown(Path("/elsewhere/x")) == "/elsewhere/x"
