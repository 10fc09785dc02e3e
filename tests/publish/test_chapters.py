from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

import riqa
from riqa.errors import InputError
from riqa.publish.chapters import find_chapter, imported_names, modules_used, read_chapters

PACKAGE = Path(riqa.__file__).parent


def notebook_with(tmp_path, *sources):
    path = tmp_path / "x.ipynb"
    nbformat.write(
        new_notebook(cells=[new_markdown_cell("import riqa.cli"), *map(new_code_cell, sources)]), path
    )
    return path


def used(tmp_path, *sources):
    return {p.relative_to(PACKAGE).as_posix() for p in modules_used(notebook_with(tmp_path, *sources))}


def test_chapters_in_reading_order(toy):
    chapters = read_chapters(toy)
    assert list(chapters) == ["01_make_data", "02_scale_data", "03_shift_data", "04_sum_data"]
    assert chapters["04_sum_data"].needs == ("02_scale_data", "03_shift_data")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("01_make_data: {needs: [02_scale_data], threads: 1}", "is not listed before it"),
        ("09_gone: {needs: [], threads: 1}", "does not exist"),
    ],
)
def test_a_wrong_list_of_chapters_is_refused(toy, text, complaint):
    (toy / "notebooks" / "chapters.yaml").write_text(text)
    with pytest.raises(InputError, match=complaint):
        read_chapters(toy)


@pytest.mark.parametrize("text", ["02_scale_data", "02", "2", "02_sc", "notebooks/02_scale_data.ipynb"])
def test_find_chapter(toy, text):
    assert find_chapter(read_chapters(toy), text).name == "02_scale_data"


@pytest.mark.parametrize("text", ["07", "0", "", "02_scal_dta"])
def test_an_unknown_chapter_is_refused_with_all(toy, text):
    with pytest.raises(InputError, match="there are 01_make_data, 02_scale_data"):
        find_chapter(read_chapters(toy), text)


def test_the_nearest_chapter_is_named(toy):
    with pytest.raises(InputError, match="did you mean 02_scale_data"):
        find_chapter(read_chapters(toy), "02_scal_dta")


def test_imported_names_come_from_code_alone(tmp_path):
    path = notebook_with(
        tmp_path, "%matplotlib inline\nimport json, riqa.labels", "from riqa.data import store as s"
    )
    assert imported_names(path) == {"riqa.labels", "riqa.data.store"}


def test_modules_used_follows_imports_and_leaves_other_rooms_out(tmp_path):
    found = used(tmp_path, "from riqa.publish.profiles import Profile")
    assert {"__init__.py", "errors.py", "publish/__init__.py", "publish/profiles.py"} <= found
    assert "publish/parameters.py" in found  # imported by profiles
    assert not {"publish/run.py", "publish/stage.py", "cli.py"} & found
    assert not {name for name in found if name.startswith(("learn/", "phantom/"))}


def test_modules_used_takes_a_name_in_a_package_for_the_package(tmp_path):
    assert used(tmp_path, "from riqa import __version__") == {"__init__.py"}
    assert used(tmp_path, "import json") == set()
