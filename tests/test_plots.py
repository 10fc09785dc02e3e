import numpy as np
import pandas as pd

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
