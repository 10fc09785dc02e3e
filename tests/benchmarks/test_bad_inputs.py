import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.bad_input_kinds import KINDS
from benchmarks.bad_input_lab import Case
from benchmarks.bad_inputs import flaws

ROOT = Path(__file__).parents[2]


def case(folder, **changes):
    return Case("an input", folder, ["check"], {0, 2}, **changes)


@pytest.mark.parametrize(
    ("code", "err", "flaw"),
    [
        (0, "", None),
        (2, "riqa: labels.csv has no column grade\n", None),
        (2, "Usage: riqa check [OPTIONS]\n", None),
        (1, "", "exit code 1, may be [0, 2]"),
        (-11, "", "exit code -11, may be [0, 2]"),
        (None, "", "hangs"),
        (2, "", "without a line that says why"),
        (0, "Traceback (most recent call last):\n", "a traceback"),
        (2, "riqa: a\nriqa: b\nriqa: c\n", "more than two lines"),
    ],
)
def test_how_a_command_ends_is_judged(tmp_path, code, err, flaw):
    found = list(flaws(case(tmp_path), code, "", err))
    assert len(found) == (flaw is not None)
    assert all(flaw in one for one in found)


def test_what_is_written_is_judged_too(tmp_path):
    (tmp_path / ".partial-1-labels.csv").touch()
    assert list(flaws(case(tmp_path), 0, "", "")) == ["left half-written: .partial-1-labels.csv"]
    unreadable = case(tmp_path, judge=lambda code, out, err: [str(int(out))])
    assert "cannot be read: ValueError" in next(flaws(unreadable, 0, "no number", ""))


def test_some_inputs_of_every_kind_end_as_they_should():
    # In a process of its own: it forks, which a process with threads must not.
    count = str(2 * len(KINDS))
    command = [sys.executable, "-m", "benchmarks.bad_inputs", "--count", count, "--seed", "1"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert told.returncode == 0, told.stdout + told.stderr
    assert f"{count} bad inputs, seed 1: 0 failed" in told.stdout
