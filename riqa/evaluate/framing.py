"""What the size and the crop of an image keep of its quality: how well simple measurements predict it.

The question is asked without a network, so that the answer is about the images: each is described by its
brightness, its spread, and how much it varies at every scale from coarse to fine (the energies of a
Laplacian pyramid; Burt and Adelson, 1983). A smaller image has fewer scales. A logistic regression on these
few numbers, judged on patients that it has not seen, says how much of a label they hold.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from scipy.stats import t
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from riqa.evaluate.interval import Interval

_COARSEST = 8  # px, the side at which a pyramid ends
FOLDS, REPEATS = 5, 3  # parts, and how often patients are assigned to them anew


def shrink(images: Sequence[np.ndarray], size: int) -> np.ndarray:
    """Resize uint8 images (H, W, 3) of any shapes, averaging areas, to (N, size, size, 3)."""
    return np.stack([cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA) for image in images])


def measurements(images: np.ndarray) -> np.ndarray:
    """Describe images uint8 (N, S, S, 3) RGB by their brightness, spread, and variation at each scale.

    Returns float (N, 2 + number of scales): mean and standard deviation of the grey values in [0, 1], then
    the natural logarithm of the mean square of each level of a Laplacian pyramid, finest first. An S below 16
    is a ValueError.
    """
    found = []
    for image in images:
        if min(image.shape[:2]) < 2 * _COARSEST:
            raise ValueError(f"an image of {image.shape[:2]} pixels has no scale to measure")
        level = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
        found.append([level.mean(), level.std()])
        while min(level.shape) >= 2 * _COARSEST:
            coarse = cv2.pyrDown(level)
            detail = level - cv2.pyrUp(coarse, dstsize=level.shape[::-1])
            found[-1].append(np.log(np.mean(detail**2) + 1e-8))
            level = coarse
    return np.array(found)


def held_out_aucs(
    numbers: Sequence[np.ndarray], positive: np.ndarray, groups: np.ndarray, seed: int = 0
) -> np.ndarray:
    """Predict a yes-or-no label (N,) of patients (N,) not seen before from `measurements`, fold by fold.

    `numbers` are K sets of measurements of the same N images, (N, any) each. All images of a patient are in
    the same fold; `seed` is the first of `REPEATS` assignments to `FOLDS` folds, the same for all K.

    Returns:
        (K, REPEATS * FOLDS) areas under the ROC curve, each on a fold that the regression did not see; NaN
        where that fold, or the others together, hold one class only. A ValueError tells that fewer than
        `FOLDS` images have the label, or have it not.
    """
    if min(positive.sum(), (~positive).sum()) < FOLDS:
        raise ValueError(
            f"{positive.sum()} of {len(positive)} images have the label; {FOLDS} folds need more"
        )
    how = {"class_weight": "balanced", "solver": "newton-cholesky"}  # on few columns twice as fast
    regression = make_pipeline(StandardScaler(), LogisticRegression(**how))
    found = []
    for repeat in range(REPEATS):
        folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed + repeat)
        for learn, test in folds.split(positive, positive, groups):
            found.append([np.nan] * len(numbers))
            if all(0 < positive[part].sum() < len(part) for part in (learn, test)):
                for place, x in enumerate(numbers):
                    told = regression.fit(x[learn], positive[learn]).decision_function(x[test])
                    found[-1][place] = roc_auc_score(positive[test], told)
    return np.array(found).T


def interval_over_folds(values: np.ndarray, *, test_zero: bool = False) -> Interval:
    """Return the mean of a score in [0, 1] over folds, or of a difference of two, with its 95 % t interval.

    Folds share most of the images that they learn from, so that s^2 / m is too small a variance of the mean
    of m scores. Corrected it is (1 / m + n_test / n_train) s^2 (Nadeau and Bengio, 2003,
    doi:10.1023/A:1024068626366), with m - 1 degrees of freedom when folds are drawn several times (Bouckaert
    and Frank, 2004, doi:10.1007/978-3-540-24775-3_3).

    `values` (m,) come from `held_out_aucs`; NaN is left out. With `test_zero` they are differences: the
    interval may hold negative numbers and has the p-value of the hypothesis that their mean is 0.
    """
    values = values[~np.isnan(values)]
    if (m := len(values)) < 2:
        return Interval(np.nan, np.nan, np.nan)
    mean = values.mean()
    error = np.sqrt((1 / m + 1 / (FOLDS - 1)) * values.var(ddof=1))
    low, high = mean + t(m - 1).ppf([0.025, 0.975]) * error
    if not test_zero:
        return Interval(mean, max(low, 0.0), min(high, 1.0))
    p_value = 2 * t(m - 1).sf(abs(mean) / error) if error else float(mean == 0)
    return Interval(mean, low, high, p_value)
