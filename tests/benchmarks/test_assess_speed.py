import json
import sys

import pytest

from benchmarks import assess_speed
from benchmarks.photographs import phantom_files


def test_every_contestant_works_through_the_folder_and_a_photograph_without_an_answer_ends_it(
    tmp_path, monkeypatch
):
    small = phantom_files(tmp_path / "phantoms", 2, 300)
    stem = assess_speed.trained_model(tmp_path / "model", small, 32)
    monkeypatch.setattr(assess_speed, "camera_files", lambda folder: small)
    monkeypatch.setattr(assess_speed, "QUICKQUAL_SIDE", 32)  # its network sees few pixels
    out = tmp_path / "assess_speed.json"
    settings = ["--model", stem, "--images", 8, "--batch-size", 4, "--rounds", 1, "--out", out]
    monkeypatch.setattr(sys, "argv", ["assess_speed", *map(str, settings)])
    assess_speed.main()
    measured = json.loads(out.read_text())
    assert [row["peer_name"] for row in measured["rows"]] == list(assess_speed.TARGETS)
    assert [row["target"] for row in measured["rows"]] == [0.8, 8.0]
    assert all(row["ours"] > 0 and row["peer"] > 0 for row in measured["rows"])
    assert "resnet18 at 32 pixels in batches of 4" in measured["conditions"]
    files = assess_speed.linked(small, tmp_path / "folder", 3)
    files[1].unlink()
    files[1].write_text("no photograph")
    with pytest.raises(SystemExit, match="not an image file"):
        assess_speed.ours(stem, tmp_path / "folder", 3, threads=1, batch_size=2)
