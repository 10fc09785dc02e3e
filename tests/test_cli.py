"""The command line as a whole: help that teaches, refusals in one line, and no heavy import before its time."""

import subprocess
import sys

import pytest

from tests.publish.toy import make_repository


@pytest.fixture
def toy(tmp_path, monkeypatch):
    monkeypatch.chdir(make_repository(tmp_path / "toy"))


def rows(told):
    return [line.split() for line in told.out.splitlines()]


def test_help_teaches_by_example(riqa):
    told = riqa(0, "--help").out
    for expected in ("riqa book", "riqa run 05 -p lambda_details=0.5", "riqa chapters 05", "Exit codes"):
        assert expected in told
    for command in ("book", "run", "chapters", "profiles", "serve", "fetch", "check", "curate", "assess"):
        assert f"Example: riqa {command}" in riqa(0, command, "--help").out


def test_chapters_parameters_and_profiles_are_listed(toy, riqa):
    assert "04_sum_data" in riqa(0, "chapters", "--profile", "toy").out
    told = rows(riqa(0, "chapters", "1", "--profile", "toy"))
    assert ["n", "int", "3", "4", "numbers,", "count"] in told
    assert ["pause", "float", "0.0", "sleep,", "s"] in told
    assert ["toy", "none", "A", "toy."] in rows(riqa(0, "profiles"))


def test_what_the_file_system_refuses_and_a_place_outside_are_one_line(tmp_path, monkeypatch, riqa):
    monkeypatch.chdir(tmp_path)
    told = riqa(2, "check", "table", "--root", tmp_path / ("n" * 300)).err
    assert told.endswith("cannot be used (File name too long); name another file or folder\n")
    outside = riqa(2, "book").err
    assert "not inside the riqa repository" in outside
    for line in (told, outside):
        assert (line[:6], line.count("\n")) == ("riqa: ", 1)


@pytest.mark.parametrize(
    ("modules", "heavy"),
    [
        ("riqa.cli", ("torch", "papermill", "snakemake", "pandas")),
        ("riqa.data.audit, riqa.data.fetch, riqa.data.inspection", ("torch", "matplotlib", "snakemake")),
    ],
)
def test_nothing_heavy_is_imported_before_a_command_needs_it(modules, heavy):
    program = f"import sys, riqa.cli, {modules}; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
