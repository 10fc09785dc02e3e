"""Two recipes of training on the page: what they had reached at which cost."""

import pytest

from benchmarks.recipes_report import best_so_far, recipe_figure, recipe_table


def told(scores, cost, seconds):
    """Return what a recipe's runs tell: scores by seed, one an epoch of `cost` image passes."""
    curve = [
        {"seed": seed, "epoch": epoch, "cost": cost * epoch, "score": score}
        for seed, own in scores.items()
        for epoch, score in enumerate(own, start=1)
    ]
    best = {seed: {"epoch": own.index(max(own)) + 1, "score": max(own)} for seed, own in scores.items()}
    return {"curve": curve, "best": best, "seconds": seconds}


@pytest.fixture
def comparison():
    return {
        "name": "phantoms",
        "backbone": "resnet10",
        "side": 64,
        "recipes": {
            "paper": told({0: [0.5, 0.7, 0.6, 0.8], 1: [0.4, 0.6, 0.9, 0.8]}, 1000, 80.0),
            "faster": told({0: [0.7, 0.8], 1: [0.9, 0.6]}, 250, 10.0),
        },
        "difference": {"value": 0.0, "low": -0.02, "high": 0.03},
        "passes": 0.125,
        "met": True,
    }


def test_a_seed_keeps_its_best_until_a_better_one_comes(comparison):
    best = best_so_far(comparison["recipes"]["paper"]["curve"])
    assert best.index.tolist() == [1000, 2000, 3000, 4000]
    assert best[0].tolist() == [0.5, 0.7, 0.7, 0.8]
    assert best[1].tolist() == [0.4, 0.6, 0.9, 0.9]


def test_a_seed_that_stopped_early_keeps_its_best(comparison):
    curve = comparison["recipes"]["paper"]["curve"][:-2]
    assert best_so_far(curve)[1].tolist() == [0.4, 0.6, 0.6, 0.6]


def test_the_table_says_what_was_reached_and_for_how_much(comparison):
    (row,) = recipe_table(comparison).to_dict("records")
    assert row["the paper's"] == "0.850"  # of 0.8 and 0.9
    assert row["the faster"] == "0.850"
    assert row["difference"] == "+0.000 [-0.020, +0.030]"
    assert row["passes"] == "0.125"
    assert row["target"] == "met"
    assert recipe_table(comparison | {"met": False})["target"].item() == "missed"


def test_the_figure_ends_where_the_recipes_end(comparison):
    (axis,) = recipe_figure(comparison).axes
    assert axis.get_title() == "phantoms"
    ends = {line.get_label(): (line.get_xdata()[-1], line.get_ydata()[-1]) for line in axis.lines}
    assert ends["the paper's"] == (4000, pytest.approx(0.85))
    assert ends["the faster"] == (500, pytest.approx(0.85))
