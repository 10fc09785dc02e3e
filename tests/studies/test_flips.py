"""Flips between two models, counted against cases by hand."""

import numpy as np
import pandas as pd
import pytest

from riqa.labels import DETAILS
from riqa.predictions import with_answers
from riqa.studies.flips import count_flips, flips

PAIR = ("single_task", "multi_task")
# image -> truth, probabilities of the first model, of the second
ANSWERS = {
    "a": (0, [0.2, 0.7, 0.1], [0.6, 0.3, 0.1]),
    "b": (0, [0.4, 0.5, 0.1], [0.9, 0.1, 0.0]),
    "c": (1, [0.1, 0.8, 0.1], [0.5, 0.4, 0.1]),
    "d": (2, [0.0, 0.0, 1.0], [0.0, 0.1, 0.9]),
    "e": (np.nan, [1, 0, 0], [0, 1, 0]),
}


def predictions(*seeds):
    found = []
    for seed, sides in seeds:
        for model, side in zip(PAIR, sides, strict=True):
            for image, answer in ANSWERS.items():
                row = {"dataset": "s", "model": model, "seed": seed, "image_id": image, "overall": answer[0]}
                found.append(row | {f"p_overall_{k}": p for k, p in enumerate(answer[side])})
    return with_answers(pd.DataFrame(found).iloc[::-1].reset_index(drop=True))


def test_answers_stand_side_by_side():
    found = flips(predictions((0, (1, 2))), PAIR, ["overall"]).set_index("image_id")
    assert list(found.index) == ["a", "b", "c", "d"]  # e has no grade
    assert found["flip"].tolist() == ["wrong_to_right", "wrong_to_right", "right_to_wrong", ""]
    np.testing.assert_allclose(found["moved"], [0.4, 0.5, 0.4, 0.1])
    assert found["group"].tolist() == ["reject", "reject", "usable", "good"]


def test_flips_are_counted_by_class_and_averaged_over_seeds():
    table = predictions((0, (1, 2)), (1, (1, 1)))  # in the second seed nobody changed
    counts = count_flips(flips(table, PAIR, ["overall"]), "multi_task", "single_task")
    wide = counts.pivot(index="group", columns="metric", values="value")
    assert wide["wrong_to_right"].to_dict() == {"reject": 1, "usable": 0, "good": 0, "all": 1}
    assert wide["right_to_wrong"].to_dict() == {"reject": 0, "usable": 0.5, "good": 0, "all": 0.5}
    assert counts.groupby("group")["n"].first().to_dict() == {"reject": 2, "usable": 1, "good": 1, "all": 4}
    assert set(counts["seeds"]) == {(0, 1)}
    assert set(counts["method"]) == {"count_mean"}


def test_details_are_questions_of_their_own():
    columns = [f"p_{detail}" for detail in DETAILS]
    one = pd.DataFrame({"image_id": ["a", "b"], "seed": 0, "dataset": "s", "p_overall_2": np.nan})
    one = one.assign(called=np.nan, p_true=np.nan, overall=np.nan)
    one[list(DETAILS)] = [[0, 1, np.nan], [1, 1, 0]]
    teacher, student = one.assign(model="teacher"), one.assign(model="multi_task")
    teacher[columns] = [[0.8, 0.9, 0.5], [0.7, 0.2, 0.1]]
    student[columns] = [[0.3, 0.4, 0.5], [0.9, 0.6, 0.2]]
    found = flips(pd.concat([teacher, student.iloc[::-1]]), ("teacher", "multi_task"), DETAILS)
    assert len(found) == 5  # one label is unknown
    assert list(dict.fromkeys(found["target"])) == list(DETAILS)
    first = found.set_index(["target", "image_id"]).loc[("illumination", "a")]
    assert (first["group"], first["flip"]) == ("bad", "wrong_to_right")
    assert first["moved"] == pytest.approx(0.5)  # bad from 0.2 to 0.7
    counts = count_flips(found, "multi_task", "teacher").set_index(["target", "group", "metric"])["value"]
    assert counts["clarity", "good", "wrong_to_right"] == counts["clarity", "good", "right_to_wrong"] == 1
