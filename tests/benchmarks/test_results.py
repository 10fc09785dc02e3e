import json

import numpy as np
import pytest

from benchmarks.results import compare, interleave, keep, report
from riqa.publish.measured import read_measured


def test_contestants_take_turns_and_the_round_to_warm_up_is_left_out():
    calls = []

    turns = {name: lambda name=name: calls.append(name) or len(calls) for name in "abc"}
    values = interleave(turns, rounds=3)
    assert "".join(calls) == "abc" + "bca" + "cab" + "abc"
    expected = {"a": [6, 8, 10], "b": [4, 9, 11], "c": [5, 7, 12]}
    assert {name: given.tolist() for name, given in values.items()} == expected


def test_a_ratio_is_taken_within_rounds_and_says_how_many_times_as_good_we_are():
    rates = {"ours": np.array([10.0, 20.0, 90.0]), "peer": np.array([5.0, 5.0, 30.0])}
    (row,) = compare(rates, {"peer": 3.0}, "work", "images/s", more_is_better=True)
    assert row["ratio"] == {"median": 3.0, "low": 2.0, "high": 4.0}
    assert (row["ours"], row["peer"], row["met"]) == (20.0, 5.0, True)
    (row,) = compare(rates, {"peer": 1 / 3}, "work", "s", more_is_better=False)
    assert row["ratio"] == {"median": pytest.approx(1 / 3), "low": 0.25, "high": 0.5}
    assert not compare(rates, {"peer": 3.01}, "work", "images/s", more_is_better=True)[0]["met"]


def test_a_report_can_be_read_and_kept_and_other_results_are_left_out(tmp_path, capsys):
    rates = {"ours": np.array([2.0]), "peer": np.array([1.0])}
    rows = compare(rates, {"peer": 4.0}, "work", "images/s", more_is_better=True)
    report(tmp_path / "built" / "toy.json", "one thread", rows, packages=("pytest",))
    assert "MISSED" in capsys.readouterr().out
    (tmp_path / "built" / "other.json").write_text(json.dumps({"peak_mb": 3}))
    assert keep(tmp_path / "built", tmp_path / "kept") == ["toy"]
    assert "other.json" in capsys.readouterr().out
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["toy.json"]
    kept = read_measured(tmp_path / "kept" / "toy.json")
    assert (kept.conditions, kept.rows[0].ratio.median, kept.rows[0].met) == ("one thread", 2.0, False)
    assert kept.versions["pytest"] == pytest.__version__
    assert kept.hardware["cores"] >= 1
