"""What a figure shows is checked by the points, numbers and words it holds."""

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex

from riqa.labels import DETAILS
from riqa.report import latent_figures as figures
from riqa.report.style import CLASS_COLOURS

POSITIONS = np.arange(12.0).reshape(6, 2)
LABELS = np.array([0, 1, 2, 2, np.nan, 1])


@pytest.fixture(autouse=True)
def no_figure_is_left():
    yield
    plt.close("all")


def points(axis):
    """Return legend label -> rows of positions, colour."""
    return {
        dots.get_label(): (dots.get_offsets().tolist(), to_hex(dots.get_facecolor()[0]))
        for dots in axis.collections
    }


def test_a_map_colours_labels_and_numbers_cases():
    cases = pd.DataFrame({"number": ["1", "4a"], "rule": "", "row": [1, 3]})
    images = [np.zeros((4, 4, 3), np.uint8)] * 2
    figure = figures.map_with_cases(POSITIONS, LABELS, 3, cases, images, ["usable", "good"], "Map")
    shown = points(figure.axes[0])
    assert shown["good"] == (POSITIONS[[2, 3]].tolist(), CLASS_COLOURS["good"].lower())
    assert shown["not labelled"] == (POSITIONS[[4]].tolist(), figures.UNKNOWN.lower())
    marks = {text.get_text(): text.xy for text in figure.axes[0].texts}
    assert {name: tuple(place) for name, place in marks.items()} == {"1": (2, 3), "4a": (6, 7)}
    assert [axis.get_title() for axis in figure.axes[1:]] == ["(1) usable", "(4a) good"]


def test_without_grades_all_points_are_grey_and_without_cases_only_the_map_is_there():
    figure = figures.map_with_cases(
        POSITIONS, np.full(6, np.nan), None, pd.DataFrame(columns=["number", "rule", "row"]), [], [], "Map"
    )
    assert len(figure.axes) == 1
    (dots,) = figure.axes[0].collections
    assert len(dots.get_offsets()) == 6
    assert to_hex(dots.get_facecolor()[0]) == figures.UNKNOWN.lower()


def test_labels_stand_above_predictions():
    labels = pd.DataFrame(dict.fromkeys(DETAILS, np.array([0.0, 1, 1, 1, 1, 1])))
    predicted = pd.DataFrame({f"predicted_{d}": np.array([0.0, 0, 1, 1, 1, 1]) for d in DETAILS})
    figure = figures.maps_by_detail(POSITIONS, labels, predicted, "Details")
    assert [axis.get_title() for axis in figure.axes[:3]] == list(DETAILS)
    assert [len(points(figure.axes[k])["bad"][0]) for k in (0, 3)] == [1, 2]
    assert [figure.axes[k].get_ylabel() for k in (0, 3)] == ["labelled", "predicted"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["bad", "good"]


def test_panels_have_a_map_each_and_empty_places_are_off():
    maps = {"one": POSITIONS, "two": -POSITIONS}
    codes = {"one": LABELS, "two": np.full(6, np.nan)}
    colours = {"reject": "#000000", "usable": "#111111", "good": "#222222"}
    figure = figures.map_panels(maps, codes, colours, "Maps", columns=3)
    assert [axis.axison for axis in figure.axes] == [True, True, False]
    assert points(figure.axes[0])["usable"] == (POSITIONS[[1, 5]].tolist(), "#111111")
    assert points(figure.axes[1])["not labelled"][0] == (-POSITIONS).tolist()
    assert len(figures.map_panels(maps, codes, colours, "Maps", columns=1).axes) == 2
