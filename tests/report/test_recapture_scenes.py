from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from riqa.phantom.grades import true_grade
from riqa.phantom.repair import repaired_scores
from riqa.report.recapture_scenes import (
    Scene,
    choose_scenes,
    overall_answer,
    policies_figure,
    scenes_figure,
)
from tests.report.recapture_cases import advice, students, truth


@pytest.fixture
def grades():
    return true_grade(repaired_scores(truth()), 3)


def test_scenes_are_chosen_by_their_rules(grades):
    """The first Student asks for a, b and c; following it raises a and b, and c has nothing but dust."""
    own = np.stack([grades, grades]).astype(float)
    chosen = choose_scenes(advice(), [0, 1, 2, 3], grades, own, 3)
    assert chosen == {"illumination": 1, "clarity": 0, "no word for it": 2}


def test_what_the_student_does_not_notice_is_no_success(grades):
    own = np.zeros((2, *grades.shape))
    chosen = choose_scenes(advice(), [1, 0, 2], grades, own, 3)
    assert chosen == {"no word for it": 2, "not noticed": 1}  # b comes before a in this order


def test_the_wrong_detail_and_the_false_alarm(grades):
    given = advice()
    second = type(given)(
        given.images,
        given.seeds[1:],
        given.asked[1:],
        given.worst[1:],
        given.named[1:],
        {name: policy[1:] for name, policy in given.policies.items()},
    )
    chosen = choose_scenes(second, [3, 2, 1, 0], grades, grades[None].astype(float), 3)
    assert chosen == {"wrong detail": 0, "no word for it": 2, "false alarm": 3}


def test_the_first_in_the_order_is_taken_and_others_never(grades):
    own = np.stack([grades, grades]).astype(float)
    assert choose_scenes(advice(), [2], grades, own, 3) == {"no word for it": 2}
    assert choose_scenes(advice(), [], grades, own, 3) == {}


def test_without_truth_there_is_a_scene_a_named_detail():
    assert choose_scenes(advice(known=False), [0, 1, 2]) == {"illumination": 1, "clarity": 0}


def test_the_overall_answer_is_the_most_probable_class():
    row = students().set_index(["seed", "image_id"]).loc[(0, "b")]
    assert overall_answer(row, 3) == ("reject", 0.9)


def scene(again=True):
    image = np.full((20, 20, 3), 90, np.uint8)
    rows = students().set_index(["seed", "image_id"])
    before, after = rows.loc[(0, "b")], rows.loc[(1, "b")]
    later = (image, after, "usable", "illumination") if again else ()
    return Scene(
        "illumination", image, np.zeros((5, 5)), before, "badly lit", "reject" if again else "", *later
    )


def texts(axis):
    return axis.get_title() + "|" + axis.get_xlabel()


def test_a_scene_shows_both_photographs_with_what_was_said_and_what_is_true():
    figure = scenes_figure([scene()], 3, "title")
    photograph, heat, again, dots = figure.axes
    assert texts(photograph) == "Student:\nreject (0.90)|truth: reject\n“badly lit”"
    assert "“reject”" in texts(heat)
    assert texts(again) == "illumination repaired:\ngood (0.90)|truth: usable"
    shown = sorted(float(line.get_xdata()[0]) for line in dots.lines if len(line.get_xdata()) == 1)
    assert shown == pytest.approx(sorted([0.0, 0.2, 0.3, 0.9, 0.9, 0.9, 0.8, 0.95]))
    plt.close(figure)


def test_where_nothing_can_be_taken_again_the_panel_stays_empty():
    figure = scenes_figure([scene(again=False)], 3, "title")
    photograph, _, again, dots = figure.axes
    assert "truth" not in texts(photograph)
    assert not again.images
    assert sum(len(line.get_xdata()) == 1 for line in dots.lines) == 4
    plt.close(figure)


def test_policies_are_drawn_in_their_order_and_gaps_left_out():
    rows = pd.DataFrame(
        [("x", "truth", 0.2, 0.1, 0.3), ("x", "own", np.nan, np.nan, np.nan), ("y", "truth", 0.6, 0.5, 0.7)],
        columns=["policy", "judge", "value", "low", "high"],
    )
    figure = policies_figure(rows, "title", "share")
    (axis,) = figure.axes
    assert [label.get_text() for label in axis.get_yticklabels()] == ["x", "y"]
    assert [list(line.get_xdata()) for line in axis.lines] == [[0.2, 0.6], []]
    plt.close(figure)


def test_a_long_advice_does_not_run_into_the_next_row():
    long = "overall quality is reject, and no detail is bad: look for what the heat map marks, and retake"
    figure = scenes_figure([replace(scene(), advice=long)] * 3, 3, "title")
    figure.canvas.draw()
    photographs = figure.axes[::4]
    for above, below in pairwise(photographs):
        assert above.xaxis.label.get_window_extent().y0 > below.title.get_window_extent().y1
