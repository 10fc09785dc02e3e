import json
import sys

import numpy as np

from benchmarks import fov_accuracy
from benchmarks.fov_accuracy import SURROUNDS, cases, summarise, truth_mask, verdicts
from riqa.phantom.fundus import Field


def table(**by):
    """Return a summary of the values of intersection over union of each contestant, alike on both margins."""
    rows = [
        {"by": name, "surround": surround, "iou": value}
        for name, values in by.items()
        for surround in SURROUNDS
        for value in values
    ]
    return summarise(rows)


def test_every_camera_meets_every_defect_at_every_severity():
    grid = cases((0.5, 1.0))
    assert len(grid) == len({case[1:] for case in grid}) == 8 * 13 * 2
    assert [case[0] for case in grid] == list(range(len(grid)))


def test_true_field_is_a_circle_between_its_cuts():
    mask = truth_mask(Field(100, 80, 50.0, 40.0, 30.0, 0.5))
    assert mask.any(axis=1).sum() == 31
    assert abs(truth_mask(Field(100, 80, 50.0, 40.0, 30.0, 1.0)).sum() - np.pi * 900) < 20


def test_summary_counts_what_was_set_aside():
    row = table(ours=[0.0, 0.98, 1.0])[0]
    assert (row["n"], row["median"], row["set_aside"]) == (3, 0.98, 1)
    assert row["first_percentile"] == np.quantile([0, 0.98, 1], 0.01)


def test_verdicts_ask_for_levels_and_for_no_better_peer():
    assert all(met for _, met in verdicts(table(ours=[0.995] * 3, peer=[0.99] * 3)))
    failed = [words for words, met in verdicts(table(ours=[0.995] * 3, peer=[0.999] * 3)) if not met]
    assert failed == ["median at least the best peer's", "first percentile at least the best peer's"]
    failed = [words for words, met in verdicts(table(ours=[0.0, 0.98, 0.98])) if not met]
    assert len(failed) == 3
    assert len(verdicts(table(ours=[1.0]))) == 3  # no peer to compare with


def test_results_do_not_depend_on_the_number_of_processes(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(fov_accuracy, "CAMERAS", {"portable": None})
    monkeypatch.setattr(fov_accuracy, "cases", lambda severities: cases(severities, ("portable",))[:2])
    monkeypatch.setattr(fov_accuracy, "installed_peers", lambda: [])
    results = []
    for jobs in ("1", "2"):
        out = tmp_path / f"{jobs}.json"
        command = ["fov_accuracy", "--seeds", "7", "--size", "128", "--severities", "0.5", "--jobs", jobs]
        monkeypatch.setattr(sys, "argv", [*command, "--out", str(out)])
        fov_accuracy.main()
        results.append(json.loads(out.read_text()))
    assert len(results[0]["photographs"]) == 2 * len(SURROUNDS)
    assert results[0]["photographs"] == results[1]["photographs"]
    assert "our worst:" in capsys.readouterr().out
