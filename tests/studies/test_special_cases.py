import numpy as np
import pandas as pd
import pytest

from riqa.labels import DETAILS
from riqa.studies.special_cases import BORDER_CASES, RULES, special_cases, words

GOOD, USABLE, REJECT = (0.1, 0.1, 0.8), (0.1, 0.8, 0.1), (0.8, 0.1, 0.1)


def made(rows):
    """Make images from (overall label, probabilities of grades, labels of details, probabilities of good)."""
    frame = pd.DataFrame({"overall": [float(row[0]) for row in rows]})
    frame[[f"p_overall_{code}" for code in range(3)]] = [row[1] for row in rows]
    frame[list(DETAILS)] = np.array([row[2] for row in rows], dtype=float)
    frame[[f"p_{detail}" for detail in DETAILS]] = np.array([row[3] for row in rows], dtype=float)
    return frame


FINE, SURE = (1, 1, 1), (0.9, 0.9, 0.9)
IMAGES = made(
    [
        (1, GOOD, FINE, SURE),  # 0: usable called good, neighbours all good
        (1, (0.05, 0.05, 0.9), FINE, SURE),  # 1: the same, surer, but fewer good neighbours
        (0, (0.0, 0.95, 0.05), FINE, SURE),  # 2: the surest of the other wrong grades
        (2, GOOD, (1, 0, 1), (0.9, 0.97, 0.9)),  # 3: graded right, clarity contradicted
        (2, GOOD, (1, 0, 1), (0.9, 0.6, 0.9)),  # 4: the same, less sure; half of its neighbours good
        (2, USABLE, FINE, SURE),  # 5: good on the border
        (2, GOOD, FINE, SURE),  # 6: good among good
        (0, REJECT, (0, 0, 0), (0.1, 0.1, 0.1)),  # 7: all right
    ]
)
NEIGHBOURS = np.array([[3, 4], [3, 7], [3, 4], [4, 6], [6, 7], [6, 7], [3, 4], [0, 1]])


def rows(cases):
    return dict(zip(cases["number"], cases["row"], strict=True))


def test_each_rule_finds_its_image():
    cases = special_cases(IMAGES, NEIGHBOURS, 3)
    assert rows(cases) == {"1": 0, "2": 2, "3": 3, "4a": 5, "4b": 4}  # of equally mixed the less sure first
    assert cases["rule"].tolist() == [RULES["1"], RULES["2"], RULES["3"], RULES["4"], RULES["4"]]
    assert cases["words"][2] == words(IMAGES.iloc[3], 3)


def test_a_taken_image_is_not_taken_again():
    alone, neighbours = IMAGES.iloc[[0, 3, 6]].reset_index(drop=True), np.array([[1, 2], [0, 2], [1, 0]])
    assert rows(special_cases(alone, neighbours, 3)) == {"1": 0, "3": 1, "4": 2}


def test_at_most_so_many_on_the_border():
    many = made([(2, GOOD, FINE, SURE)] * 8 + [(1, USABLE, FINE, SURE)])
    cases = special_cases(many, np.tile([0, 8], (9, 1)), 3)
    assert cases["number"].tolist() == ["4a", "4b", "4c"]
    assert len(cases) == BORDER_CASES


def test_without_grades_only_details_are_left():
    ungraded = IMAGES.assign(overall=np.nan)
    cases = special_cases(ungraded, NEIGHBOURS, None)
    assert cases[["number", "row", "rule"]].to_numpy().tolist() == [["3", 3, RULES["3 (no grades)"]]]
    assert special_cases(ungraded, NEIGHBOURS, 3).empty
    assert special_cases(ungraded.assign(**dict.fromkeys(DETAILS, np.nan)), NEIGHBOURS, None).empty


def test_two_grades_work_alike():
    binary = IMAGES.assign(overall=IMAGES["overall"].clip(upper=1), p_overall_0=0.3, p_overall_1=0.7)
    cases = special_cases(binary, NEIGHBOURS, 2)
    assert cases["number"].iloc[0] == "1"
    assert binary["overall"][cases["row"].iloc[0]] == 0


@pytest.mark.parametrize(
    ("image", "n_classes", "expected"),
    [
        ((1, GOOD, FINE, SURE), 3, "usable, called good (0.80); details as labelled"),
        (
            (2, GOOD, (1, 0, 1), (0.9, 0.97, 0.9)),
            3,
            "good, called good (0.80); clarity: bad, called good (0.97)",
        ),
        ((0, REJECT, (1, 0, 1), (0.2, 0.1, 0.5)), None, "illumination: good, called bad (0.80)"),
        ((np.nan, GOOD, (np.nan, 1, 1), SURE), None, "details as labelled"),
        ((0, (0.3, 0.7, 0.0), FINE, SURE), 2, "bad, called good (0.70); details as labelled"),
    ],
)
def test_words_say_label_answer_and_contradictions(image, n_classes, expected):
    assert words(made([image]).iloc[0], n_classes) == expected
