"""Flips between two models, counted and chosen, against cases by hand."""

import numpy as np
import pandas as pd

from riqa.labels import DETAILS
from riqa.report.explanations_flips import (
    answer_pairs,
    choose_flips,
    count_flips,
    detail_pairs,
    flip_results,
    flips_for_page,
)


def predictions(answers, model, seed=0):
    """Rows for images a, b, ...: (truth, probabilities of three classes)."""
    frame = pd.DataFrame({"image_id": list("abcde")[: len(answers)], "overall": [t for t, _ in answers]})
    probs = np.array([p for _, p in answers], float)
    return frame.assign(model=model, seed=seed, **{f"p_overall_{k}": probs[:, k] for k in range(3)})


BEFORE = [
    (0, [0.2, 0.7, 0.1]),
    (0, [0.4, 0.5, 0.1]),
    (1, [0.1, 0.8, 0.1]),
    (2, [0, 0, 1]),
    (np.nan, [1, 0, 0]),
]
AFTER = [
    (0, [0.6, 0.3, 0.1]),
    (0, [0.9, 0.1, 0]),
    (1, [0.5, 0.4, 0.1]),
    (2, [0, 0.1, 0.9]),
    (np.nan, [0, 1, 0]),
]


def pairs():
    both = [predictions(BEFORE, "single_task"), predictions(AFTER, "multi_task").iloc[::-1]]
    return answer_pairs(pd.concat(both), "single_task", "multi_task", 3)


def test_answers_stand_side_by_side():
    found = pairs().set_index("image_id")
    assert list(found.index) == ["a", "b", "c", "d"]  # e has no grade
    assert found.loc["a", ["truth", "before", "after"]].tolist() == [0, 1, 0]
    assert found.loc["a", ["p_before", "p_after"]].tolist() == [0.2, 0.6]
    assert found.loc["c", ["truth", "before", "after"]].tolist() == [1, 1, 0]


def test_flips_are_counted_by_class_and_averaged_over_seeds():
    second = pairs().assign(seed=1)
    second["after"] = second["before"]  # in the second seed nobody changed
    counts = count_flips(pd.concat([pairs(), second]))
    assert counts["truth"].tolist() == [0, 1, 2]
    assert counts["n"].tolist() == [2, 1, 1]
    assert counts["wrong_to_right"].tolist() == [1, 0, 0]
    assert counts["right_to_wrong"].tolist() == [0, 0.5, 0]
    results = {r.name: r for r in flip_results(counts, "explanations.s.flips", 3, [0, 1])}
    assert results["explanations.s.flips.overall.reject.wrong_to_right"].value == 1
    assert results["explanations.s.flips.overall.usable.right_to_wrong"].n == 1
    assert len(results) == 6
    shown = flips_for_page(counts, 3, "caption").to_html()
    assert "usable" in shown
    assert "wrong → right" in shown


def test_the_largest_change_is_chosen_in_either_direction():
    right = choose_flips(pairs(), 0, to_right=True)
    assert right["image_id"].tolist() == ["b"]  # 0.4 to 0.9, against 0.2 to 0.6
    wrong = choose_flips(pairs(), 0, to_right=False)
    assert wrong["image_id"].tolist() == ["c"]
    assert choose_flips(pairs(), 1, to_right=True).empty


def test_equal_changes_are_settled_by_name():
    tied = pairs()
    tied.loc[tied["image_id"] == "a", ["p_before", "p_after"]] = [0.4, 0.9]
    assert choose_flips(tied, 0, to_right=True)["image_id"].tolist() == ["a"]
    assert choose_flips(tied.iloc[::-1], 0, to_right=True)["image_id"].tolist() == ["a"]


def test_details_are_questions_of_their_own():
    columns = [f"p_{detail}" for detail in DETAILS]
    one = pd.DataFrame({"image_id": ["a", "b"], "seed": 0})
    one[list(DETAILS)] = [[0, 1, np.nan], [1, 1, 0]]
    teacher, student = one.copy(), one.copy()
    teacher[columns] = [[0.8, 0.9, 0.5], [0.7, 0.2, 0.1]]
    student[columns] = [[0.3, 0.4, 0.5], [0.9, 0.6, 0.2]]
    found = detail_pairs(teacher, student.iloc[::-1])
    assert len(found) == 5  # one label is unknown
    first = found[(found["question"] == "illumination") & (found["image_id"] == "a")].iloc[0]
    assert first[["truth", "before", "after"]].tolist() == [0, 1, 0]
    np.testing.assert_allclose(first[["p_before", "p_after"]].tolist(), [0.2, 0.7])
    counts = count_flips(found).set_index(["question", "truth"])
    assert list(dict.fromkeys(counts.index.get_level_values(0))) == list(DETAILS)
    assert counts.loc[("illumination", 0), "wrong_to_right"] == 1
    assert counts.loc[("clarity", 1), ["wrong_to_right", "right_to_wrong"]].tolist() == [1, 1]
    assert len(flip_results(counts.reset_index(), "x.s.flips", 3, [0])) == 2 * len(counts)
