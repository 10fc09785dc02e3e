"""Four photographs, two Students and two Teachers, small enough to work out by hand.

Severities are chosen so that the true classes (thresholds 0.42 and 0.62 on the score) are easy: clarity
weighs 0.44, illumination 0.54, artifacts 0.5. So a scores 0.443, b 0.656, c 0.45; b without one of its two
defects 0.44 or 0.486.
"""

import numpy as np
import pandas as pd

from riqa.labels import DETAILS
from riqa.phantom.degrade import DEFECTS
from riqa.report.recapture import Advice, give_advice

IDS = ("a", "b", "c", "d")
PATIENTS = ("p1", "p1", "p2", "p3")

# a: blurred and a little dark, b: blurred and dark, c: nothing but dust, d: flawless
SEVERITIES = {"defocus": [1, 1, 0, 0], "vignette": [0.1, 0.9, 0, 0], "dust": [0, 0, 0.9, 0]}

# p(good) of illumination, clarity, contrast, and of overall reject, usable, good
STUDENTS = {
    0: [
        ((0.8, 0.1, 0.9), (0.1, 0.8, 0.1)),  # a: usable, clarity named
        ((0.2, 0.3, 0.9), (0.9, 0.1, 0.0)),  # b: reject, illumination named, clarity bad too
        ((0.9, 0.8, 0.7), (0.1, 0.6, 0.3)),  # c: usable, contrast lowest but not named
        ((0.9, 0.9, 0.9), (0.0, 0.1, 0.9)),  # d: good, nobody asks
    ],
    1: [
        ((0.3, 0.4, 0.9), (0.6, 0.3, 0.1)),  # a: reject, illumination named
        ((0.9, 0.8, 0.95), (0.0, 0.1, 0.9)),  # b: good
        ((0.4, 0.8, 0.7), (0.6, 0.3, 0.1)),  # c: reject, illumination named
        ((0.45, 0.9, 0.9), (0.0, 0.6, 0.4)),  # d: usable, illumination named: a false alarm
    ],
}
TEACHERS = {0: (0.9, 0.2, 0.8), 1: (0.6, 0.7, 0.1)}  # the same for every photograph


def truth() -> pd.DataFrame:
    """Return the truth table, index image_id."""
    table = pd.DataFrame(0.0, index=pd.Index(IDS, name="image_id"), columns=list(DEFECTS))
    return table.assign(**{name: np.array(values, dtype=float) for name, values in SEVERITIES.items()})


def students() -> pd.DataFrame:
    """Return rows as of `riqa.learn.predict.predict`, in no particular order."""
    rows = []
    for seed, answers in STUDENTS.items():
        for image_id, patient, (details, overall) in zip(IDS, PATIENTS, answers, strict=True):
            row = {"image_id": image_id, "patient_id": patient, "eye": "left", "seed": seed, "split": "test"}
            row |= {f"p_overall_{k}": p for k, p in enumerate(overall)}
            row |= {f"p_{d}": p for d, p in zip(DETAILS, details, strict=True)}
            rows.append(row | dict.fromkeys(("overall", *DETAILS), np.nan))
    return pd.DataFrame(rows).iloc[[3, 1, 7, 0, 2, 6, 4, 5]]


def teachers() -> pd.DataFrame:
    """Return the Teachers' answers on the test photographs and on some for training."""
    rows = []
    for seed, probs in TEACHERS.items():
        answers = {f"p_{d}": p for d, p in zip(DETAILS, probs, strict=True)}
        rows += [{"image_id": one, "seed": seed, "split": "test", **answers} for one in IDS]
        trained = [(0.1, 0.9, 0.2), (0.1, 0.9, 0.9), (0.9, 0.1, 0.9)] if seed else [(0.9, 0.9, 0.4)]
        rows += [
            {"image_id": f"t{k}", "seed": seed, "split": "train"}
            | {f"p_{d}": p for d, p in zip(DETAILS, one, strict=True)}
            for k, one in enumerate(trained)
        ]
    return pd.DataFrame(rows)


def advice(known: bool = True) -> Advice:
    """Return everybody's advice, with or without the truth."""
    frequent = {0: "contrast", 1: "illumination"}
    return give_advice(students(), teachers(), frequent, truth() if known else None)
