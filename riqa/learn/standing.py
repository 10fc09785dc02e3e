"""The rank of a photograph in each detail among the training photographs of the best and the worst class.

A threshold says whether a detail is bad; a rank says how unusual it is. The worst rank names the likeliest
reason even where no detail falls below its threshold.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from riqa.errors import InputError
from riqa.labels import DETAILS, class_names
from riqa.learn.examples import Examples
from riqa.learn.inference import compute_logits
from riqa.learn.model import QualityNet

N_QUANTILES = 101
MOST_IMAGES = 1000
"""Training photographs that are enough to know ranks; evenly spaced, where there are more."""

Standing = dict[str, dict[str, list[float]]]
"""Class name -> detail -> `N_QUANTILES` quantiles of the logit of good, ascending. Worst class first."""


def fit_standing(model: QualityNet, training: Examples) -> Standing:
    """Compute how a model's answers spread over training photographs of its worst and of its best class.

    Args:
        model: A network with both heads.
        training: Its training photographs; those of known overall class count.

    Returns:
        Quantiles, which a model's JSON file keeps; empty for a model without both heads, or without a
        photograph of one of the two classes.
    """
    n_classes = model.architecture["n_overall"]
    if not n_classes or not model.architecture["n_details"]:
        return {}
    some = np.linspace(0, len(training) - 1, min(len(training), MOST_IMAGES)).round().astype(int)
    training = training.at(torch.from_numpy(some))
    logits, overall = compute_logits(model, training)["details"].double().numpy(), training.overall.numpy()
    names = class_names(n_classes)
    of_class = {name: logits[overall == names.index(name)] for name in (names[0], names[-1])}
    if not all(len(values) for values in of_class.values()):
        return {}
    levels = np.linspace(0, 1, N_QUANTILES)
    return {
        name: {
            detail: np.quantile(values[:, k], levels).round(4).tolist()
            for k, detail in enumerate(DETAILS)
            if not np.isnan(values[:, k]).any()
        }
        for name, values in of_class.items()
    }


def read_standing(description: Mapping, file: Path) -> Standing:
    """Read the result of `fit_standing` from a model's description; empty where it has none.

    Args:
        description: Content of the model's JSON file.
        file: That file, for the message.

    Raises:
        InputError: If it is there and is something else.
    """
    standing = description.get("standing", {})
    try:
        share_below(standing, np.zeros(len(DETAILS)))
        if any(len(found) != N_QUANTILES for of_class in standing.values() for found in of_class.values()):
            raise ValueError(f"a detail of it has not {N_QUANTILES}")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{file}: standing holds no quantiles ({error}); train the model again") from None
    return standing


def share_below(standing: Standing, logits: np.ndarray) -> dict[str, dict[str, float]]:
    """Return for each detail which share of the training photographs of a class is worse.

    Args:
        standing: Of `fit_standing`.
        logits: (3,) of good, of one photograph.

    Returns:
        Detail -> class name -> share in [0, 1]; half of those that are equal count as worse.
    """
    shares: dict[str, dict[str, float]] = {}
    for name, quantiles in standing.items():
        for detail, z in zip(DETAILS, logits, strict=True):
            if detail not in quantiles:  # the model is silent about it
                continue
            below = np.searchsorted(quantiles[detail], round(float(z), 4), "left")
            up_to = np.searchsorted(quantiles[detail], round(float(z), 4), "right")
            shares.setdefault(detail, {})[name] = float(below + up_to) / 2 / N_QUANTILES
    return shares


def most_likely(shares: Mapping[str, Mapping[str, float]]) -> str:
    """Return the detail with the worst rank in the best class; among ties, in the worst class.

    Args:
        shares: Result of `share_below`, not empty.
    """
    return min(shares, key=lambda detail: tuple(shares[detail].values())[::-1])
