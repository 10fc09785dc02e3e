"""The rank of a photograph in each detail among the training photographs of the best and the worst class.

A threshold says whether a detail is bad; a rank says how unusual it is. The worst rank names the likeliest
reason even where no detail falls below its threshold.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field, TypeAdapter, ValidationError

from riqa.errors import InputError
from riqa.labels import DETAILS, class_names
from riqa.learn.examples import Examples
from riqa.learn.model import QualityNet
from riqa.learn.predict import in_batches

N_QUANTILES = 101
MOST_IMAGES = 1000  # evenly spaced training photographs, enough to know ranks
_Quantiles = Annotated[list[float], Field(min_length=N_QUANTILES, max_length=N_QUANTILES)]
Standing = dict[str, dict[str, _Quantiles]]
"""Class name -> detail -> `N_QUANTILES` quantiles of the logit of good, ascending. Worst class first."""


def fit_standing(model: QualityNet, training: Examples) -> Standing:
    """Compute how answers spread over training images of the worst and best class; empty if one lacks."""
    n_classes = model.architecture["n_overall"]
    if not n_classes or not model.architecture["n_details"]:
        return {}
    training = training.spaced(MOST_IMAGES)
    logits = in_batches(model, model, training)["details"].double().numpy()
    overall, levels = training.targets["overall"].numpy(), np.linspace(0, 1, N_QUANTILES)
    standing = {}
    for code in (0, n_classes - 1):
        own = logits[overall == code]
        if not len(own):
            return {}
        standing[class_names(n_classes)[code]] = {
            detail: np.quantile(own[:, k], levels).round(4).tolist()
            for k, detail in enumerate(DETAILS)
            if not np.isnan(own[:, k]).any()
        }
    return standing


def read_standing(description: Mapping, file: Path) -> Standing:
    """Read what `fit_standing` found from a description; an InputError names its file if it is broken."""
    try:
        return TypeAdapter(Standing).validate_python(description.get("standing", {}))
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
        raise InputError(f"{file}: standing holds no quantiles ({reason}); train the model again") from None


def share_below(standing: Standing, logits: np.ndarray) -> dict[str, dict[str, float]]:
    """Return by detail and class which share of training photographs is worse; of equal ones half."""
    shares: dict[str, dict[str, float]] = {}
    for name, quantiles in standing.items():
        for detail, z in zip(DETAILS, logits, strict=True):
            if detail in quantiles:  # else the model is silent about it
                z = round(float(z), 4)
                below, up_to = (np.searchsorted(quantiles[detail], z, side) for side in ("left", "right"))
                shares.setdefault(detail, {})[name] = float(below + up_to) / 2 / N_QUANTILES
    return shares


def most_likely(shares: Mapping[str, Mapping[str, float]]) -> str:
    """Return the detail of `share_below` with the worst rank in the best class; of ties in the worst."""
    return min(shares, key=lambda detail: tuple(shares[detail].values())[::-1])
