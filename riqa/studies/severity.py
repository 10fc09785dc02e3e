"""Labels from true severities of phantoms, and from which severity on experts and models say bad.

Severities are columns `severity_<detail>` and `severity_artifact` beside predictions, each in [0, 1]: how
strongly a photograph is spoilt, before any noise of experts.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from riqa.evaluate.calibration import fit_psychometric
from riqa.evaluate.interval import Interval
from riqa.labels import DETAILS
from riqa.phantom.raters import THRESHOLD
from riqa.results import rows
from riqa.studies.details import by_image

GROUPS = (*DETAILS, "artifact")


def read_severities(truth_files: Mapping[str, Path]) -> pd.DataFrame:
    """Read the true severities of all phantoms among some datasets; real sets have no such file.

    Args:
        truth_files: Dataset -> where its `truth.parquet` would be.

    Returns:
        dataset, image_id, and the columns `severity_<group>`, one row per image; empty without phantoms.
    """
    columns = {f"perceived_{group}": f"severity_{group}" for group in GROUPS}
    found = [
        pd.read_parquet(path)[["image_id", *columns]].rename(columns=columns).assign(dataset=dataset)
        for dataset, path in truth_files.items()
        if path.is_file()
    ]
    nothing = pd.DataFrame(columns=["image_id", *columns.values(), "dataset"])
    return pd.concat(found, ignore_index=True) if found else nothing


def planted_labels(predictions: pd.DataFrame) -> pd.DataFrame:
    """Replace the experts' labels by the truth: good up to an unbiased expert's threshold of severity.

    Where a model is silent about a detail, nothing is asked of it.
    """
    severity = predictions[[f"severity_{detail}" for detail in DETAILS]].to_numpy(dtype=float)
    asked = predictions[[f"p_{detail}" for detail in DETAILS]].notna().to_numpy()
    good = np.where(asked, severity <= THRESHOLD, np.nan)
    return predictions.assign(**dict(zip(DETAILS, good.T, strict=True)))


def experts(labelled: pd.DataFrame) -> pd.DataFrame:
    """Turn the experts' labels into the answers of one more model, so that everything can score them, too.

    Returns:
        One row per image that has all three labels, with p_<detail> 0 or 1, seed 0 and model "experts".
    """
    images = labelled.drop_duplicates(["dataset", "image_id"]).dropna(subset=list(DETAILS))
    answers = {f"p_{detail}": images[detail].to_numpy() for detail in DETAILS}
    return images.assign(model="experts", seed=0, **answers).reset_index(drop=True)


def curves(predictions: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """Fit each model's psychometric curve of each detail, all seeds together; a patient is one group.

    Args:
        predictions: Of one or more phantoms and models, with severities.
        confidence: Coverage of the intervals, in (0, 1).

    Returns:
        Rows of the metrics `severity_threshold` and `severity_width`; none where no curve can be fitted.
    """
    found = []
    for (dataset, model), own in predictions.groupby(["dataset", "model"], sort=False):
        images, probs = by_image(own)
        bad = np.where(np.isnan(probs), np.nan, probs < 0.5).mean(axis=0)  # NaN: a silent model
        keys = {"dataset": dataset, "model": model, "seeds": sorted(own["seed"].unique()), "n": len(images)}
        patients = images["patient_id"].to_numpy()
        for k, detail in enumerate(DETAILS):
            severity = images[f"severity_{detail}"].to_numpy()
            curve = fit_psychometric(severity, bad[:, k], patients, confidence)
            if curve is not None:
                threshold = Interval(curve.threshold, curve.low, curve.high)
                numbers = {("severity_threshold",): threshold, ("severity_width",): curve.width}
                how = {"method": "psychometric", "confidence": confidence, "target": detail}
                found.append(rows(numbers, ("metric",), **keys, **how))
    return pd.concat(found, ignore_index=True) if found else rows({})
