"""Psychometric curves: the chance of the answer "bad" as a function of true severity.

A curve's middle, where "bad" and "good" are equally likely, is the threshold of the expert or model; how
far severity must change around it to turn one answer in four into three in four tells how finely it
discriminates.
"""

import warnings
from dataclasses import dataclass

import numpy as np
import statsmodels.api as sm
from scipy.stats import norm


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
        severity: (N,) True severities in [0, 1].
        bad: (N,) 1 or True for the answer "bad"; shares in between are allowed.
        groups: (N,) Patients; rows of one group are no independent evidence.
        confidence: Coverage of the interval, in (0, 1).

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
