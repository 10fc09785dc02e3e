"""Phantoms know how bad a detail is: labels from true severities, and psychometric curves.

A psychometric curve is the chance of the answer "bad" as a function of true severity. Its middle, where "bad"
and "good" are equally likely, is the threshold of whoever answers; how far severity must change around it to
turn one answer in four into three in four tells how finely they discriminate.
"""

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import statsmodels.api as sm
from scipy.stats import norm

from riqa.labels import DETAILS
from riqa.phantom.raters import THRESHOLD
from riqa.report.details import interval_text, reader_name
from riqa.report.results import Result, record
from riqa.report.seeds import stack_seeds

GROUPS = (*DETAILS, "artifact")


def read_severities(truth_file: Path) -> pd.DataFrame | None:
    """Read a phantom's true severities; None if the set has no such file, as real sets have none.

    Args:
        truth_file: the set's ``truth.parquet``.

    Returns:
        Index image_id, columns `GROUPS`, each in [0, 1]: how strongly each detail is spoilt, before any noise
        of experts.
    """
    if not truth_file.is_file():
        return None
    truth = pd.read_parquet(truth_file).set_index("image_id")
    return truth[[f"perceived_{group}" for group in GROUPS]].set_axis(list(GROUPS), axis=1)


def planted_labels(predictions: pd.DataFrame, severities: pd.DataFrame) -> pd.DataFrame:
    """Replace the experts' labels by the truth: good up to an unbiased expert's threshold of severity.

    Where a model is silent about a detail, nothing is asked of it.
    """
    good = (severities.loc[predictions["image_id"], list(DETAILS)] <= THRESHOLD).astype(float)
    asked = predictions[[f"p_{detail}" for detail in DETAILS]].notna().to_numpy()
    return predictions.assign(**good.where(asked).set_index(predictions.index))


def as_predictions(labelled: pd.DataFrame, model: str = "experts") -> pd.DataFrame:
    """Turn the experts' labels into the answers of one more model, so that everything can score them, too.

    Args:
        labelled: rows of `riqa.learn.predict.predict` of one dataset with the experts' labels.
        model: its name in records.

    Returns:
        A row an image that has all three labels, with p_<detail> 0 or 1 and seed 0.
    """
    rows = labelled.drop_duplicates("image_id").dropna(subset=list(DETAILS))
    return rows.assign(model=model, seed=0, **{f"p_{detail}": rows[detail].to_numpy() for detail in DETAILS})


def score_against_severity(predictions: pd.DataFrame, severities: pd.DataFrame, score) -> list[Result]:
    """Score answers against true severities, under names of their own.

    Args:
        predictions: rows of one dataset and model.
        severities: `read_severities`.
        score: a function from such rows to records, e.g. `riqa.report.details_table4.score_details`.

    Returns:
        Its records, with ``planted_`` before the metric: ``details.<dataset>.<model>.<detail>.planted_f1``.
    """
    results = []
    for item in score(planted_labels(predictions, severities)):
        place, metric = item.name.rsplit(".f1.", 1) if ".f1." in item.name else item.name.rsplit(".", 1)
        metric = f"f1.{metric}" if ".f1." in item.name else metric
        results.append(Result(**{**vars(item), "name": f"{place}.planted_{metric}"}))
    return results


@dataclass(frozen=True)
class Psychometric:
    """A fitted curve: the chance of "bad" is 1 / (1 + exp(-slope (severity - threshold)))."""

    threshold: float  # severity at which "bad" and "good" are equally likely
    low: float  # lower end of the threshold's interval
    high: float  # upper end
    width: float  # severity from one "bad" in four to three in four
    slope: float

    def chance_of_bad(self, severity: np.ndarray) -> np.ndarray:
        """Return the chance of "bad" in [0, 1] at severities."""
        return 1 / (1 + np.exp(-self.slope * (np.asarray(severity) - self.threshold)))


def fit_psychometric(
    severity: np.ndarray, bad: np.ndarray, groups: np.ndarray, confidence: float = 0.95
) -> Psychometric | None:
    """Fit a logistic psychometric curve, with an interval that knows which answers belong together.

    The interval of the threshold comes by the delta method from the covariance clustered by group.

    Args:
        severity: (N,) true severities in [0, 1].
        bad: (N,) 1 or True for the answer "bad"; shares in between are allowed.
        groups: (N,) patients; rows of one group are no independent evidence.
        confidence: coverage of the interval, in (0, 1).

    Returns:
        The curve, or None where there is none: one answer only, answers that a severity separates perfectly,
        fewer than three groups, or "bad" not getting likelier with severity.
    """
    severity, bad = np.asarray(severity, dtype=float), np.asarray(bad, dtype=float)
    codes = np.unique(groups, return_inverse=True)[1]
    if np.isnan(bad).any() or np.ptp(bad) == 0 or np.ptp(severity) == 0 or codes.max() < 2:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        warnings.simplefilter("error", sm.tools.sm_exceptions.PerfectSeparationWarning)
        try:
            model = sm.GLM(bad, sm.add_constant(severity), family=sm.families.Binomial())
            fit = model.fit(cov_type="cluster", cov_kwds={"groups": codes})
        except (RuntimeWarning, sm.tools.sm_exceptions.PerfectSeparationWarning, np.linalg.LinAlgError):
            return None
    intercept, slope = fit.params
    if slope <= 0:
        return None
    threshold = -intercept / slope
    gradient = np.array([-1, -threshold]) / slope
    reach = norm.ppf((1 + confidence) / 2) * np.sqrt(gradient @ fit.cov_params() @ gradient)
    return Psychometric(threshold, threshold - reach, threshold + reach, 2 * np.log(3) / slope, slope)


def severity_curves(
    predictions: pd.DataFrame, severities: pd.DataFrame, confidence: float = 0.95
) -> dict[str, tuple[np.ndarray, np.ndarray, Psychometric | None]]:
    """Fit a model's psychometric curves on one dataset, all seeds together; a patient is one group.

    Args:
        predictions: rows of one dataset and model.
        severities: `read_severities`.
        confidence: coverage of the intervals, in (0, 1).

    Returns:
        Detail -> true severities (N,), share of seeds that call each image bad (N,), and the curve.
    """
    found = {}
    for detail in DETAILS:
        images, probs = stack_seeds(predictions, [f"p_{detail}"])
        severity = severities.loc[images["image_id"], detail].to_numpy()
        bad = np.where(np.isnan(probs), np.nan, probs < 0.5)[..., 0].mean(axis=0)  # NaN: a silent model
        patients = images["patient_id"].to_numpy()
        found[detail] = severity, bad, fit_psychometric(severity, bad, patients, confidence)
    return found


def severity_results(predictions: pd.DataFrame, curves: dict) -> list[Result]:
    """Make records ``details.<dataset>.<model>.<detail>.`` ``severity_threshold`` and ``severity_width``."""
    (dataset,), (model,) = predictions["dataset"].unique(), predictions["model"].unique()
    seeds, results = sorted(predictions["seed"].unique()), []
    for detail, (severity, _, curve) in curves.items():
        prefix, shared = f"details.{dataset}.{model}.{detail}", {"n": len(severity), "seeds": seeds}
        if curve is None:
            why = "no curve: one answer only, or separated perfectly"
            names = ("severity_threshold", "severity_width")
            results += [record(f"{prefix}.{name}", None, method=why, **shared) for name in names]
            continue
        ends = {"low": curve.low, "high": curve.high}
        method = "logistic curve; delta method, clustered by patient"
        results.append(
            record(f"{prefix}.severity_threshold", curve.threshold, method=method, **ends, **shared)
        )
        method = "logistic curve, from a quarter to three quarters called bad"
        results.append(record(f"{prefix}.severity_width", curve.width, method=method, **shared))
    return results


def severity_table(results: list[Result]) -> pd.DataFrame:
    """Lay `severity_results` of several models out: a row a model and detail, threshold and width as text."""
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for item in results:
        _, _, model, detail, metric = item.name.split(".")
        cells = rows.setdefault((model, detail), {"model": reader_name(model), "detail": detail})
        cells[metric.removeprefix("severity_")] = interval_text(item)
    return pd.DataFrame(rows.values())
