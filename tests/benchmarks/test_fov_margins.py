import sys

import cv2
import numpy as np
import pytest

from benchmarks import fov_margins
from benchmarks.fov_margins import empty_margin
from riqa.data.fov import FieldOfView


def photograph(cut=160):
    """Return a disc of radius 60 in the middle, black from row `cut` on, uint8 (160, 200, 3)."""
    ys, xs = np.mgrid[:160, :200]
    image = np.zeros((160, 200, 3), np.uint8)
    image[((xs - 100) ** 2 + (ys - 80) ** 2 <= 60**2) & (ys < cut)] = (150, 80, 50)
    return image


def field(bottom=160):
    return FieldOfView((160, 200), (100.0, 80.0), 60.0, (0, 0, 200, bottom), 1.0)


def test_margin_is_the_widest_on_any_side_as_part_of_the_longer_one():
    assert empty_margin(photograph(), field()) < 0.01
    # Rows 120 to 140 of a crop 121 pixels wide are black; in turned photographs they are on other sides.
    image, fov = photograph(cut=120), field()
    assert empty_margin(image, fov) == pytest.approx(21 / 121)
    assert empty_margin(image[::-1], FieldOfView((160, 200), (100.0, 79.0), 60.0, fov.box, 1.0)) > 0.16
    assert empty_margin(photograph(cut=120), field(bottom=120)) < 0.01


def test_specks_and_faint_light_are_no_retina():
    image = photograph(cut=120)
    image[120:] = 10
    image[130, 100:104] = 255
    assert empty_margin(image, field()) == pytest.approx(21 / 121)
    assert empty_margin(np.zeros_like(image), field()) == 1


def test_wide_margins_are_listed(tmp_path, capsys, monkeypatch):
    for name, cut in (("good", 160), ("bad", 120)):
        cv2.imwrite(str(tmp_path / f"{name}.jpg"), photograph(cut)[..., ::-1])
    cv2.imwrite(str(tmp_path / "blank.jpg"), np.zeros((90, 90, 3), np.uint8))
    monkeypatch.setattr(fov_margins, "read_and_crop", lambda path, size: (None, field()))
    monkeypatch.setattr(sys, "argv", ["fov_margins", str(tmp_path)])
    with pytest.raises(SystemExit) as stopped:
        fov_margins.main()
    assert stopped.value.code == 1
    said = capsys.readouterr().out
    assert "bad.jpg" in said
    assert "good.jpg" not in said
    monkeypatch.undo()
    (tmp_path / "bad.jpg").unlink()
    monkeypatch.setattr(sys, "argv", ["fov_margins", str(tmp_path)])
    with pytest.raises(SystemExit) as stopped:
        fov_margins.main()
    assert stopped.value.code == 0
    assert "blank.jpg: no field of view found" in capsys.readouterr().out
