"""Flipped answers for a page: strengths in their units, and records by place."""

import numpy as np
import pandas as pd

from riqa.learn.augment import Augmentation
from riqa.learn.flips import AT_RANDOM
from riqa.report.augmentation import flip_records, flips_for_page, strength_text

AUGMENTATION = Augmentation(max_rotation=15, max_colour_change=0.02)
TABLE = pd.DataFrame(
    [
        ("contrast", -10.0, 0.2, 0.15, 0.1, 0.4, 30, 20),
        ("contrast", -1.0, 0.0, 0.0, 0.0, 0.0, 30, 20),
        ("contrast", 1.0, 0.1, 0.05, 0.05, 0.1, 30, 20),
        ("vertical_flip", 1.0, 0.3, 0.1, np.nan, 0.1, 30, 0),
        (AT_RANDOM, np.nan, 0.1, 0.1, 0.05, 0.1, 30, 20),
    ],
    columns=["transformation", "strength", "flipped", "to_bad", "flipped_clear", "largest", "n", "n_clear"],
)


def test_strengths_have_units():
    assert strength_text("rotation", -10, AUGMENTATION) == "-150°"
    assert strength_text("brightness", 1, AUGMENTATION) == "+2 %"
    assert strength_text("contrast", 10, AUGMENTATION) == "+20 %"
    assert strength_text("vertical_flip", 1, AUGMENTATION) == ""
    assert strength_text(AT_RANDOM, np.nan, AUGMENTATION) == ""


def test_records_take_the_worse_end():
    found = {item.name: item.value for item in flip_records(TABLE, "eyeq", 0)}
    assert found["augmentation.eyeq.contrast.inside.flipped"] == 0.1
    assert found["augmentation.eyeq.contrast.inside.flipped_clear"] == 0.05
    assert found["augmentation.eyeq.contrast.beyond.flipped"] == 0.2
    assert found["augmentation.eyeq.vertical_flip.inside.flipped_clear"] is None
    assert found["augmentation.eyeq.as_in_training.drawn.flipped"] == 0.1
    assert len(found) == 8


def test_the_page_says_direction_and_place():
    html = flips_for_page(TABLE, AUGMENTATION, "Flips").to_html()
    assert html.count("no, beyond") == 1
    assert "75%" in html  # of the fifth that flips, three quarters go to bad
    assert "vertical flip" in html
