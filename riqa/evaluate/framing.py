"""What the size and the crop of an image keep of its quality: how well simple measurements predict it.

The question is asked without a network, so that the answer is about the images: each is described by its
brightness, its spread, and how much it varies at every scale from coarse to fine (the energies of a
Laplacian pyramid; Burt and Adelson, 1983). A smaller image has fewer scales. A logistic regression on these
few numbers, judged on patients that it has not seen, says how much of a label they hold.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

_COARSEST = 8  # px, the side at which a pyramid ends
_FOLDS = 5


def shrink(images: Sequence[np.ndarray], size: int) -> np.ndarray:
    """Resize uint8 images (H, W, 3) of any shapes, averaging areas, to (N, size, size, 3)."""
    return np.stack([cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA) for image in images])


def measurements(images: np.ndarray) -> np.ndarray:
    """Describe images uint8 (N, S, S, 3) RGB, S at least 16, by brightness, spread, and each scale's energy.

    Returns:
        float (N, 2 + number of scales): mean and standard deviation of the grey values in [0, 1], then the
        natural logarithm of the mean square of each level of a Laplacian pyramid, finest first.
    """
    described = []
    for image in images:
        if min(image.shape[:2]) < 2 * _COARSEST:
            raise ValueError(f"an image of {image.shape[:2]} pixels has no scale to measure")
        level = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
        numbers = [level.mean(), level.std()]
        while min(level.shape) >= 2 * _COARSEST:
            coarse = cv2.pyrDown(level)
            detail = level - cv2.pyrUp(coarse, dstsize=level.shape[::-1])
            numbers.append(np.log(np.mean(detail**2) + 1e-8))
            level = coarse
        described.append(numbers)
    return np.array(described)


def predict_held_out(
    numbers: np.ndarray, positive: np.ndarray, groups: np.ndarray, seed: int = 0
) -> np.ndarray:
    """Predict a yes-or-no label (N,) of patients (N,) not seen before from `measurements` (N, K).

    The probability (N,) of each image is that of the regression that did not see its patient, in five folds
    by `seed`; so five images or more must have the label, and five or more not.
    """
    if min(positive.sum(), (~positive).sum()) < _FOLDS:
        raise ValueError(
            f"{positive.sum()} of {len(positive)} images have the label; {_FOLDS} folds need more"
        )
    regression = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000))
    folds = StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=seed)
    probs = cross_val_predict(regression, numbers, positive, groups=groups, cv=folds, method="predict_proba")
    return probs[:, 1]
