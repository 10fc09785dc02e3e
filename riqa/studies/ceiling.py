"""The ceiling on phantoms: what somebody who knows the truth would score, as two further models.

Labels are opinions of several experts, each with a bias and with noise: nobody agrees with all of them.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

from riqa.labels import DETAILS
from riqa.phantom.raters import THRESHOLD, true_grade
from riqa.predictions import OVERALL, with_answers

MODELS = ("truth_known", "details_known")
"""Both know how severe the defects of each photograph are, the second of details only."""


def knowing(predictions: pd.DataFrame, photographs: Path) -> pd.DataFrame:
    """Answer as two models do that know the truth of a phantom's photographs.

    `truth_known` grades and judges as an expert without bias and without noise (`riqa.phantom.raters`), who
    sees every defect. `details_known` knows what experts perceive of the three details but not of artifacts,
    and has learned from the graded training photographs what the grade is then: a logistic regression on
    squared severities, because a grader's score is the root of their weighted sum.

    Returns:
        Rows in the format of `predictions`, of both models, for the same test images of one set and the same
        seeds; probabilities are 0 and 1. `details_known` has none for sets without grades. No rows where the
        truth is not known: the folder of the set's photographs has no `truth.parquet`.
    """
    if not (photographs / "truth.parquet").is_file():
        return predictions[:0]
    images = predictions.drop_duplicates(["image_id", "seed"])
    truth = pd.read_parquet(photographs / "truth.parquet").set_index("image_id")
    severities = truth[[f"perceived_{detail}" for detail in DETAILS]]
    graded = pd.read_parquet(photographs / "manifest.parquet").set_index("image_id")
    graded = graded[graded["overall"].notna() & (graded["split"] != "test")]
    shown = severities.loc[images["image_id"]].to_numpy()
    details = dict(zip([f"p_{d}" for d in DETAILS], (shown <= THRESHOLD).T.astype(float), strict=True))
    n_classes, found = graded["overall"].nunique(), []
    if n_classes:
        score = truth.loc[images["image_id"], "overall_score"].to_numpy()
        fitted = LogisticRegression(C=1e3, max_iter=1_000)
        fitted.fit(np.square(severities.loc[graded.index].to_numpy()), graded["overall"].astype(int))
        called = fitted.predict(np.square(shown))
        answers = {"truth_known": true_grade(score, n_classes), "details_known": called}
    else:
        answers = {"truth_known": np.full(len(images), np.nan)}
    for model, called in answers.items():
        certain = [np.where(k < n_classes, called == k, np.nan) for k in range(len(OVERALL))]
        probs = dict(zip(OVERALL, certain, strict=True)) | details
        found.append(images.assign(model=model, **probs))
    return with_answers(pd.concat(found, ignore_index=True))
