import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import to_rgb

from riqa import plots


def test_curves_have_one_row_per_point():
    history = pd.DataFrame({"model": "teacher", "seed": 0, "epoch": [0, 1], "train_loss": [np.nan, 0.5]})
    table = plots.curves(history.assign(val_loss=[0.7, 0.6], val_score=[0.4, 0.8]))
    assert list(table) == ["model", "seed", "epoch", "value", "panel", "images"]
    assert set(table["model"]) == {"Teacher"}
    points = table.set_index(["panel", "images", "epoch"])["value"].to_dict()
    validation = {("loss", 0): 0.7, ("loss", 1): 0.6, ("macro-F1", 0): 0.4, ("macro-F1", 1): 0.8}
    expected = {(panel, "validation", epoch): value for (panel, epoch), value in validation.items()}
    assert points == expected | {("loss", "training", 1): 0.5}


def test_findings_have_a_panel_per_question_and_open_marks_where_images_are_few():
    rows = pd.DataFrame({"title": ["a", "a", "b"], "label": ["x", "y", "z"], "value": [0.1, 0.2, -0.1]})
    rows = rows.assign(low=rows["value"] - 0.1, high=rows["value"] + 0.1, edge=[0.05, 0.05, -0.05])
    rows = rows.assign(finding=["for", "undecided", "too small"], few=[False, True, False])
    figure = plots.findings(rows, 20)
    first, second = figure.axes
    assert [axis.get_title(loc="left") for axis in figure.axes] == ["a", "b"]
    assert [label.get_text() for label in first.get_yticklabels()] == ["x", "y"]
    drawn = first.collections[1::2]
    marks = [(mark.get_offsets()[0].tolist(), mark.get_facecolor()[0].tolist()) for mark in drawn]
    assert marks == [([0.1, 0.0], [*to_rgb(plots.BLUE), 1]), ([0.2, 1.0], [1, 1, 1, 1])]
    assert second.get_xlabel() == "difference, and interval"
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()][-1] == "fewer than 20 images"
    plt.close(figure)
