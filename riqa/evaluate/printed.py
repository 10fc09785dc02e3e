"""What printed scores give away: the counts that they can have been computed from.

A recall is a fraction TP / P of whole numbers, a precision TP / (TP + FP), and a printed score is such a
fraction, rounded. On few images few fractions round to the same three digits, so precision, recall and F1
together often leave one table of counts, or none (the idea of the GRIM test; Brown and Heathers, 2017,
doi:10.1177/1948550616673876).
"""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

ROUNDED = 0.5
"""Largest distance of a score from its printed value, in units of the last digit, if it was rounded once."""

_UNITS = 1_000  # of the last digit in one: print has three digits after the point
_COUNTS = ["n_positive", "true_positive", "false_positive"]


def possible_tables(
    n_images: int, printed: Mapping[str, float], *, within: float = ROUNDED, n_positive: int | None = None
) -> pd.DataFrame:
    """Find every table of counts whose scores agree with printed ones.

    `printed` are scores of the positive class on `n_images`, shares in [0, 1]: any of `precision`, `recall`,
    `f1` and `accuracy`; a dictionary or a series. `within` is the largest distance allowed between a score
    and what is printed, in units of the last digit. `n_positive` says how many images are truly positive,
    where this is known; else 1 to `n_images` are tried.

    Returns:
        One row per table, by rising counts: `n_positive`, `true_positive`, `false_positive` (images); `off`,
        the largest distance among the scores, in units of the last digit. A ValueError tells that no score is
        given, an unknown one, or one outside [0, 1]; or more positive images than images.
    """
    printed = dict(printed)
    if not printed or not printed.keys() <= {"precision", "recall", "f1", "accuracy"}:
        raise ValueError(f"printed must hold precision, recall, f1 or accuracy, got {[*printed]}")
    if not all(0 <= score <= 1 for score in printed.values()):
        raise ValueError(f"printed scores must lie between 0 and 1, got {printed}")
    if n_positive is not None and not 1 <= n_positive <= n_images:
        raise ValueError(f"n_positive must lie between 1 and {n_images}, got {n_positive}")
    found = []
    for positive in [n_positive] if n_positive else range(1, n_images + 1):
        hits = np.arange(positive + 1)
        if "recall" in printed:  # most cannot be: a large set then takes no long search
            hits = hits[np.abs(hits / positive - printed["recall"]) * _UNITS <= within + 1]
        hits, wrong = np.meshgrid(hits, np.arange(n_images - positive + 1), indexing="ij")
        called = hits + wrong
        scores = {
            "precision": np.divide(hits, called, out=np.zeros(hits.shape), where=called > 0),
            "recall": hits / positive,
            "f1": 2 * hits / (positive + called),
            "accuracy": (n_images - positive - wrong + hits) / n_images,
        }
        far = np.max([np.abs(scores[score] - value) for score, value in printed.items()], axis=0)
        far = np.round(far * _UNITS, 9)  # a tie, which may be rounded either way, stays one
        here = far <= within
        found.append(np.column_stack([np.full(here.sum(), positive), hits[here], wrong[here], far[here]]))
    table = pd.DataFrame(np.concatenate(found), columns=[*_COUNTS, "off"])
    return table.astype(dict.fromkeys(_COUNTS, int))


def possible_truths(
    n_images: int, printed: Iterable[Mapping[str, float]], *, within: float = ROUNDED
) -> pd.Series:
    """Find how many images can be positive, if several models were scored against the same truth.

    `printed` are the scores of each model; for the rest, and for errors, see `possible_tables`. Returns by
    number of positive images, rising, the largest distance from print, in units of the last digit, over the
    models' tables that fit best. A number that some model does not allow is left out.
    """
    offs = [
        possible_tables(n_images, one, within=within).groupby("n_positive")["off"].min() for one in printed
    ]
    return pd.concat(offs, axis=1, join="inner").max(axis=1).rename("off").sort_index()
