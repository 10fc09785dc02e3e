"""What a figure shows is checked by the numbers and words it holds."""

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from riqa.evaluate.metrics import reliability_table
from riqa.report import figures
from riqa.report.style import model_name


def texts(figure: Figure) -> list[str]:
    return [found.get_text() for found in figure.findobj(plt.Text) if found.get_text()]


@pytest.fixture(autouse=True)
def no_figure_is_left():
    yield
    plt.close("all")


@pytest.fixture
def by_class():
    return pd.DataFrame(
        {
            "overall": [0, 0, 1, 1, 2, 2, np.nan],
            "p_illumination": [0.1, 0.2, 0.6, 0.4, 0.9, 0.8, 0.9],
            "p_clarity": [0.1, 0.1, 0.1, 0.1, 0.9, 0.7, 0.9],
            "p_contrast": [0.5, 0.5, 0.6, 0.6, 0.9, 0.8, 0.9],
        }
    )


def test_a_contact_sheet_holds_each_image_and_title():
    images = [np.full((4, 4 + i, 3), i, dtype=np.uint8) for i in range(5)]
    figure = figures.contact_sheet(images, [f"image {i}" for i in range(5)], columns=3, title="Sheet")
    shown = [axis.images[0].get_array() for axis in figure.axes if axis.images]
    assert [found.shape for found in shown] == [image.shape for image in images]
    assert set(texts(figure)) == {"Sheet", *(f"image {i}" for i in range(5))}
    assert len(figure.axes) == 6
    with pytest.raises(ValueError, match="a title for each"):
        figures.contact_sheet(images, ["one"])


def test_training_curves_mark_the_epoch_kept():
    history = pd.DataFrame(
        {
            "model": "multi_task",
            "trained_on": "fake",
            "seed": np.repeat([0, 1], 3),
            "epoch": [1, 2, 3] * 2,
            "train_loss": [3, 2, 1, 3.5, 2.5, 1.5],
            "val_loss": 2.0,
            "val_score": [0.5, 0.9, 0.7, 0.4, 0.5, 0.6],
        }
    )
    loss, score = figures.training_curves(history, "Curves").axes
    assert len(loss.lines) == 4
    dots = [line for line in score.lines if line.get_marker() == "o"]
    assert [(dot.get_xdata()[0], dot.get_ydata()[0]) for dot in dots] == [(2, 0.9), (3, 0.6)]
    kept = history.assign(best=[True, False, False, False, True, False])
    dots = [line for line in figures.training_curves(kept).axes[1].lines if line.get_marker() == "o"]
    assert [dot.get_xdata()[0] for dot in dots] == [1, 2]


def test_confusion_matrices_print_every_share():
    matrix = np.array([[0.8, 0.2, 0.0], [0.1, 0.7, 0.2], [np.nan] * 3])
    figure = figures.confusion_matrices({"single_task": matrix, "multi_task": matrix})
    assert texts(figure).count("0.70") == 2
    assert texts(figure).count("–") == 6
    assert {"Single-task", "Multi-task", "reject", "usable", "good"} <= set(texts(figure))


def test_an_interval_plot_draws_what_it_is_given():
    frame = pd.DataFrame(
        {
            "set": ["a", "a", "b"],
            "label": ["one", "two", "three"],
            "value": [0.02, 0.01, -0.1],
            "low": [0.01, -0.01, -0.2],
            "high": [0.03, 0.04, -0.05],
            "p_value": [0.0001, 0.25, np.nan],
        }
    )
    axis = figures.interval_plot(frame, "Title", "difference", group="set").axes[0]
    drawn = [tuple(line.get_xdata()) for line in axis.lines if len(line.get_xdata()) == 2]
    assert drawn[:3] == [(0.01, 0.03), (-0.01, 0.04), (-0.2, -0.05)]
    colours = [line.get_color() for line in axis.lines if line.get_marker() == "o"]
    assert colours[0] == colours[2] != colours[1]  # only the second interval holds zero
    assert {"a", "b", "p < 0.001", "p = 0.250"} <= {text.get_text() for text in axis.texts}
    assert [label.get_text() for label in axis.get_yticklabels()] == ["one", "two", "three"]


def test_prevalence_counts_one_half_as_good_and_skips_unknown_quality(by_class):
    axis = figures.prevalence_by_overall_class(by_class, 3).axes[0]
    heights = [[bar.get_height() for bar in bars] for bars in axis.containers]
    assert heights == [[0, 0.5, 1], [0, 0, 1], [1, 1, 1]]


def test_probability_distributions_mark_medians(by_class):
    figure = figures.probabilities_by_overall_class(by_class, 3)
    medians = [line.get_ydata()[0] for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert medians == pytest.approx([0.15, 0.5, 0.85])
    assert len(figure.axes[1].collections) == 1  # equal values have no violin


def test_the_reliability_diagram_draws_filled_bins_and_all_counts():
    table = reliability_table(np.array([0, 1, 1]), np.array([0.05, 0.95, 0.95]))
    top, bottom = figures.reliability_diagram({"clarity": table}).axes
    curve = top.lines[1]
    assert list(curve.get_xdata()) == pytest.approx([0.05, 0.95])
    assert list(curve.get_ydata()) == pytest.approx([0, 1])
    assert sum(bar.get_height() for bar in bottom.patches) == 3


def test_a_figure_is_known_to_pyplot_once_and_changes_no_setting():
    before = dict(plt.rcParams)
    figure = figures.confusion_matrices({"a": np.eye(2)})
    assert [plt.figure(number) for number in plt.get_fignums()] == [figure]  # so that plt.show() shows it
    assert dict(plt.rcParams) == before


def test_model_names():
    assert model_name("multi_task-single_task") == "Multi-task minus Single-task"
    assert model_name("somebody else's") == "somebody else's"
    assert figures.p_text(0.0004) == "p < 0.001"
    assert figures.p_text(0.04) == "p = 0.040"
