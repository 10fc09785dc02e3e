import subprocess
import sys

import pytest

from riqa.cli import main
from tests.publish.toy import make_repository


@pytest.fixture
def toy(tmp_path, monkeypatch):
    root = make_repository(tmp_path / "toy")
    monkeypatch.chdir(root)
    monkeypatch.setenv("COLUMNS", "200")
    return root


def ends_with(status, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    assert ended.value.code == status


def test_help_teaches_by_example(capsys):
    ends_with(0, "--help")
    told = capsys.readouterr().out
    for expected in (
        "riqa book",
        "riqa run 05 -p lambda_details=0.5",
        "riqa chapters 05",
        "riqa check",
        "Exit codes",
    ):
        assert expected in told
    for command in ("book", "run", "chapters", "profiles", "serve", "fetch", "check", "curate", "assess"):
        ends_with(0, command, "--help")
        assert f"Example: riqa {command}" in capsys.readouterr().out


def test_chapters_lists_chapters_and_then_parameters(toy, capsys):
    ends_with(0, "chapters", "--profile", "toy")
    assert "04_sum_data" in capsys.readouterr().out
    ends_with(0, "chapters", "1", "--profile", "toy")
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["n", "int", "3", "4", "numbers,", "count"] in rows
    assert ["pause", "float", "0.0", "sleep,", "s"] in rows


def test_profiles_are_listed(toy, capsys):
    ends_with(0, "profiles")
    assert ["toy", "none", "A", "toy."] in [line.split() for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize(
    "arguments",
    [
        ["book", "--profile", "tony"],
        ["book", "--profile", "toy", "--jobs", "0"],
        ["chapters", "nine"],
        ["run", "1", "--profile", "toy", "-p", "m=1"],
        ["serve", "--profile", "toy"],
    ],
)
def test_bad_input_ends_with_2_and_says_why(toy, capsys, arguments):
    ends_with(2, *arguments)
    told = capsys.readouterr()
    assert told.err
    assert "Traceback" not in told.err


def test_outside_of_the_repository_one_line_says_so(tmp_path):
    command = [sys.executable, "-m", "riqa.cli", "book"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "not inside the riqa repository" in done.stderr
    assert done.stderr.count("\n") == 1


def test_help_starts_quickly():
    """Nothing heavy is imported before a command needs it."""
    program = (
        "import sys, riqa.cli; print([m for m in ('torch', 'papermill', 'snakemake') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_the_file_system_refuses_is_one_line(tmp_path, capsys):
    ends_with(2, "check", "table", "--root", str(tmp_path / ("n" * 300)))
    told = capsys.readouterr().err
    assert told.startswith("riqa: ")
    assert told.endswith("cannot be used (File name too long); name another file or folder\n")
    assert told.count("\n") == 1
