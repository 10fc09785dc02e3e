"""Predictions of imaginary models that are right with a given probability."""

import numpy as np
import pandas as pd

from riqa.labels import DETAILS

CLASSES = ["p_overall_0", "p_overall_1", "p_overall_2"]
GRADES = np.random.default_rng(0).integers(3, size=60)
JUDGED = np.random.default_rng(1).integers(2, size=(40, 3)).astype(float)


def graded(rng: np.random.Generator, right: float, **columns: object) -> pd.DataFrame:
    """Return predictions of sixty images of thirty patients with a grade, of three classes."""
    said = np.where(rng.random(60) < right, GRADES, (GRADES + 1) % 3)
    frame = pd.DataFrame(np.eye(3)[said] * 0.7 + 0.1, columns=CLASSES)
    frame = frame.assign(image_id=[f"i{k:02d}" for k in range(60)], overall=GRADES.astype(float))
    frame = frame.assign(patient_id=[f"p{k // 2}" for k in range(60)], eye="left", **columns)
    return frame.assign(**dict.fromkeys(DETAILS, np.nan), **{f"p_{d}": np.nan for d in DETAILS})


def judged(rng: np.random.Generator, right: float, **columns: object) -> pd.DataFrame:
    """Return predictions of forty images whose details are judged."""
    said = np.where(rng.random(JUDGED.shape) < right, JUDGED, 1 - JUDGED) * 0.6 + 0.2
    frame = pd.DataFrame(np.hstack([JUDGED, said]), columns=[*DETAILS, *(f"p_{d}" for d in DETAILS)])
    names = [f"d{k:02d}" for k in range(40)]
    frame = frame.assign(image_id=names, patient_id=names, eye="left", overall=np.nan, **columns)
    return frame.assign(**dict.fromkeys(CLASSES, np.nan))
