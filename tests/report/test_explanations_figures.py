"""Figures of explanations hold what they were given."""

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from riqa.report.explanations_figures import (
    Picture,
    defect_gallery,
    iou_curves,
    localisation_by_defect,
    perturbation_figure,
    picture_rows,
)
from riqa.report.results import record


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


IMAGE = np.zeros((8, 8, 3))
MAP = np.linspace(0, 1, 64).reshape(8, 8)


def test_a_row_shows_image_both_maps_and_details():
    picture = Picture(
        IMAGE, "truth: bad", ((MAP, "A: good 0.6"), (MAP.T, "B: bad 0.7")), (0.1, 0.6, 0.9), "dust 0.8"
    )
    figure = picture_rows([picture, picture], "a title")
    axes = np.reshape(figure.axes, (2, 4))
    assert [axis.get_title() for axis in axes[0, :3]] == ["truth: bad", "A: good 0.6", "B: bad 0.7"]
    np.testing.assert_array_equal(axes[0, 1].images[1].get_array(), MAP)
    np.testing.assert_array_equal(axes[1, 2].images[1].get_array(), MAP.T)
    assert [bar.get_width() for bar in axes[0, 3].patches] == [0.1, 0.6, 0.9]
    assert axes[0, 3].get_xlabel() == "dust 0.8"


def test_the_gallery_has_a_column_a_defect_and_a_row_a_model():
    place = MAP > 0.5
    images = {name: (IMAGE, place) for name in ("dust", "halo", "vignette")}
    maps = {model: dict.fromkeys(images, MAP) for model in ("single_task", "multi_task")}
    figure = defect_gallery(images, maps, "title", columns=2)
    axes = np.reshape(figure.axes, (6, 2))
    assert [axis.get_title() for axis in axes[:, 0]] == ["dust", "Single-task", "Multi-task"] * 1 + [
        "vignette",
        "Single-task",
        "Multi-task",
    ]
    assert axes[0, 1].get_title() == "halo"
    assert not axes[3, 1].images  # there is no fourth
    np.testing.assert_array_equal(axes[2, 0].images[1].get_array(), MAP)


def records(*models):
    found = {}
    for m, model in enumerate(models):
        for d, defect in enumerate(("dust", "any")):
            for k, metric in enumerate(("pointing", "energy", "share")):
                name = f"explanations.s.{model}.overall.{defect}.{metric}"
                value = 0.1 + 0.1 * m + 0.2 * d + 0.05 * k
                found[name] = record(name, value, low=value - 0.05, high=value + 0.05, n=9 + d)
    return found


def test_dots_stand_at_their_values_and_chance_is_drawn():
    models = ["single_task", "multi_task-x", "multi_task-y"]
    figure = localisation_by_defect(records(*models), "explanations.s", models, "overall", "title")
    left = figure.axes[0]
    assert [label.get_text() for label in left.get_yticklabels()] == ["all together (10)", "dust (9)"]
    dots = [line.get_xdata()[0] for line in left.lines if line.get_marker() == "o"]
    assert dots == pytest.approx([0.3, 0.4, 0.5, 0.1, 0.2, 0.3])
    colours = [line.get_color() for line in left.lines if line.get_marker() == "o"]
    assert len(set(colours)) == 3
    chance = [line.get_xdata()[0] for line in left.lines if line.get_color() == "black"]
    assert chance == pytest.approx([0.4, 0.2])


def test_iou_is_drawn_against_its_threshold():
    found = {}
    for threshold in (0.9, 0.1, 0.5):
        name = f"explanations.s.single_task.overall.any.iou_{threshold:g}"
        found[name] = record(name, threshold / 2, low=0.0, high=1.0)
    figure = iou_curves(found, {"single_task": "explanations.s.single_task.overall.any."}, "title")
    (line,) = figure.axes[0].lines
    assert line.get_xdata().tolist() == [0.1, 0.5, 0.9]
    assert line.get_ydata().tolist() == [0.05, 0.25, 0.45]


def test_curves_are_means_and_noise_is_mirrored_beside_insertion():
    share, rows = [0.0, 0.5, 1.0], []
    for image, shift in (("a", 0.0), ("b", 0.1)):
        for curve, values in (
            ("deletion", [0.8, 0.4, 0.2]),
            ("insertion", [0.2, 0.6, 0.8]),
            ("noise", [0.8, 0.7, 0.2]),
        ):
            for s, p in zip(share, values, strict=True):
                rows.append(("single_task", image, curve, s, p + shift))
    curves = pd.DataFrame(rows, columns=["model", "image_id", "curve", "share", "p"])
    panels = {"deletion": ("deletion", "noise"), "insertion": ("insertion", "noise")}
    figure = perturbation_figure(curves, panels, "title")
    drawn = [[line.get_ydata().tolist() for line in axis.lines] for axis in figure.axes[:2]]
    assert drawn[0] == [pytest.approx([0.85, 0.45, 0.25]), pytest.approx([0.85, 0.75, 0.25])]
    assert drawn[1] == [pytest.approx([0.25, 0.65, 0.85]), pytest.approx([0.25, 0.75, 0.85])]
