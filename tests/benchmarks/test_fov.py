"""How well the field of view is found: against true fields of phantoms, and by the margins of real crops."""

import json
import sys

import cv2
import numpy as np
import pytest

from benchmarks import fov_accuracy, fov_margins
from benchmarks.fov_accuracy import SURROUNDS, cases, summarise, truth_mask, verdicts
from benchmarks.fov_margins import empty_margin
from riqa.data.fov import FieldOfView
from riqa.phantom.fundus import Field


def table(**by):
    """Return a summary of the values of intersection over union of each contestant, alike on both margins."""
    rows = [{"by": name, "iou": value} for name, values in by.items() for value in values]
    return summarise([row | {"surround": surround} for surround in SURROUNDS for row in rows])


def test_every_camera_meets_every_defect_at_every_severity_and_its_true_field_is_a_circle_between_cuts():
    grid = cases((0.5, 1.0))
    assert len(grid) == len({case[1:] for case in grid}) == 8 * 13 * 2
    assert [case[0] for case in grid] == list(range(len(grid)))
    assert truth_mask(Field(100, 80, 50.0, 40.0, 30.0, 0.5)).any(axis=1).sum() == 31
    assert abs(truth_mask(Field(100, 80, 50.0, 40.0, 30.0, 1.0)).sum() - np.pi * 900) < 20


def test_summary_counts_what_was_set_aside_and_verdicts_ask_for_levels_and_for_no_better_peer():
    row = table(ours=[0.0, 0.98, 1.0])[0]
    assert (row["n"], row["median"], row["set_aside"]) == (3, 0.98, 1)
    assert row["first_percentile"] == np.quantile([0, 0.98, 1], 0.01)
    peers = ["median at least the best peer's", "first percentile at least the best peer's"]
    for peer, expected in ((0.99, []), (0.999, peers)):
        found = verdicts(table(ours=[0.995] * 3, peer=[peer] * 3))
        assert [words for words, met in found if not met] == expected
    assert [met for _, met in verdicts(table(ours=[0.0, 0.98, 0.98]))] == [False] * 3
    assert len(verdicts(table(ours=[1.0]))) == 3  # no peer to compare with


def test_every_surround_of_a_case_is_measured_and_the_worst_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(fov_accuracy, "CAMERAS", {"portable": None})
    monkeypatch.setattr(fov_accuracy, "cases", lambda severities: cases(severities, ("portable",))[:2])
    monkeypatch.setattr(fov_accuracy, "installed_peers", lambda: [])
    command = ["fov_accuracy", "--seeds", "7", "--size", "128", "--severities", "0.5"]
    monkeypatch.setattr(sys, "argv", [*command, "--out", str(tmp_path / "found.json")])
    fov_accuracy.main()
    assert len(json.loads((tmp_path / "found.json").read_text())["photographs"]) == 2 * len(SURROUNDS)
    assert "our worst:" in capsys.readouterr().out


def photograph(cut=160):
    """Return a disc of radius 60 in the middle, black from row `cut` on, uint8 (160, 200, 3)."""
    ys, xs = np.mgrid[:160, :200]
    image = np.zeros((160, 200, 3), np.uint8)
    image[((xs - 100) ** 2 + (ys - 80) ** 2 <= 60**2) & (ys < cut)] = (150, 80, 50)
    return image


def field(bottom=160, y=80.0):
    return FieldOfView((160, 200), (100.0, y), 60.0, (0, 0, 200, bottom), 1.0)


def test_margin_is_the_widest_on_any_side_as_part_of_the_longer_one():
    assert empty_margin(photograph(), field()) < 0.01
    # Rows 120 to 140 of a crop 121 pixels wide are black; in turned photographs they are on other sides.
    image = photograph(cut=120)
    assert empty_margin(image, field()) == pytest.approx(21 / 121)
    assert empty_margin(image[::-1], field(y=79.0)) > 0.16
    assert empty_margin(image, field(bottom=120)) < 0.01
    image[120:] = 10  # specks and faint light are no retina
    image[130, 100:104] = 255
    assert empty_margin(image, field()) == pytest.approx(21 / 121)
    assert empty_margin(np.zeros_like(image), field()) == 1


def test_wide_margins_are_listed(tmp_path, capsys, monkeypatch):
    for name, image in (("good", photograph()), ("bad", photograph(120)), ("blank", np.zeros((90, 90, 3)))):
        cv2.imwrite(str(tmp_path / f"{name}.jpg"), image[..., ::-1])
    monkeypatch.setattr(sys, "argv", ["fov_margins", str(tmp_path)])
    with monkeypatch.context() as wide:
        wide.setattr(fov_margins, "read_and_crop", lambda path, size: (None, field()))
        with pytest.raises(SystemExit, match="True"):
            fov_margins.main()
    said = capsys.readouterr().out
    assert ("bad.jpg" in said, "good.jpg" in said) == (True, False)
    (tmp_path / "bad.jpg").unlink()
    with pytest.raises(SystemExit, match="False"):
        fov_margins.main()
    assert "blank.jpg: no field of view found" in capsys.readouterr().out
