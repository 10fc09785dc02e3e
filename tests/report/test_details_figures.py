"""What a figure shows is checked by the numbers and words it holds."""

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from riqa.labels import DETAILS
from riqa.report import details_figures as figures
from riqa.report.details_calibration import detail_calibration
from riqa.report.details_errors import called_bad, defect_patterns, error_rates
from riqa.report.details_severity import Psychometric
from tests.report.details_cases import answers, drawn

STUDENT = "multi_task-grades"


@pytest.fixture(autouse=True)
def no_figure_is_left():
    yield
    plt.close("all")


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_reliability_has_a_dot_a_filled_bin_and_model():
    measured = {
        model: detail_calibration(drawn(0.4, model=model), n_resamples=20) for model in ("teacher", STUDENT)
    }
    figure = figures.reliability_by_model(measured, "Reliability")
    assert legend(figure) == ["Teacher", "Student of grades"]
    for axis, detail in zip(figure.axes, DETAILS, strict=True):
        table = measured["teacher"][detail].table
        filled = table[table["count"] > 0]
        assert axis.lines[0].get_ydata().tolist() == filled["fraction_positive"].tolist()
        assert axis.get_title() == detail


def test_reliability_leaves_out_a_detail_that_nobody_judged():
    nobody = answers([[1, 0, np.nan]] * 4, np.full((4, 3), 0.7))
    figure = figures.reliability_by_model({"teacher": detail_calibration(nobody, n_resamples=5)}, "")
    assert [len(axis.lines) for axis in figure.axes] == [2, 2, 1]  # the diagonal is always there


def test_errors_by_source_name_the_sources_once_with_their_images():
    predictions = drawn(0.2)
    sources = pd.Series(np.repeat(["b", "a"], 40), index=predictions["image_id"].unique())
    rates = {model: error_rates(drawn(0.2, model=model), sources, 20) for model in ("teacher", STUDENT)}
    figure = figures.errors_by_source(rates, "Errors")
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["a (n = 40)", "b (n = 40)"]
    shown = figure.axes[1].lines[1].get_xdata()
    own = rates[STUDENT]
    assert shown.tolist() == own.loc[own["detail"] == "clarity", "value"].tolist()


def test_a_curve_goes_through_one_half_at_its_threshold_and_none_is_drawn_without():
    curve = Psychometric(threshold=0.6, low=0.5, high=0.7, width=0.2, slope=2 * np.log(3) / 0.2)
    severity, bad = np.array([0.05, 0.06, 0.95]), np.array([0.0, 1.0, 1.0])
    one = dict.fromkeys(DETAILS, (severity, bad, curve)) | {"contrast": (severity, bad, None)}
    figure = figures.psychometric_curves({"experts": one}, 0.45, "Curves")
    line, dots = figure.axes[0].lines[:2]
    assert np.interp(0.6, line.get_xdata(), line.get_ydata()) == pytest.approx(0.5, abs=0.01)
    assert np.interp(0.7, line.get_xdata(), line.get_ydata()) == pytest.approx(0.75, abs=0.01)
    assert dots.get_ydata().tolist() == [0.5, 1.0]  # two images in the first of eight bins
    assert len(figure.axes[2].lines) == 2  # dots and the threshold
    assert legend(figure) == ["Experts"]


def test_the_confusion_of_details_is_written_into_its_cells():
    labels = [[1, 1, 1], [1, 0, 1], [1, 0, 1]]
    predictions = answers(labels, [[0.9, 0.9, 0.9], [0.9, 0.1, 0.1], [0.9, 0.1, 0.9]])
    patterns = defect_patterns(pd.DataFrame(labels, columns=list(DETAILS), index=["i000", "i001", "i002"]))
    other = called_bad(predictions[predictions["image_id"] == "i000"], patterns)
    figure = figures.confusion_of_details({"teacher": called_bad(predictions, patterns), STUDENT: other}, "")
    teacher, student = ([text.get_text() for text in axis.texts] for axis in figure.axes)
    assert teacher == ["0%", "0%", "0%", "0%", "100%", "50%"]
    assert student == ["0%", "0%", "0%", "–", "–", "–"]
    names = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert names == ["nothing bad (n = 1)", "only clarity bad (n = 2)"]


def test_students_never_share_a_colour_or_a_marker():
    styles = figures.model_styles(["experts", "teacher", "multi_task-a", "multi_task-b"])
    assert len({colour for colour, _ in styles.values()}) == 4
    assert len({marker for _, marker in styles.values()}) == 4
