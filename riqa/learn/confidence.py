"""How sure an answer about overall quality is: a temperature, and what validation images reach with it.

Networks that are trained to the end are often surer than they are right. Dividing logits by one number, the
temperature, mends much of that and leaves the most probable class what it was (Guo et al. 2017,
arXiv:1706.04599). All is fitted on validation images, which also chose the epoch, and never on others.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import BaseModel, Field, ValidationError
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from riqa.errors import InputError
from riqa.learn.examples import Examples
from riqa.learn.model import QualityNet
from riqa.learn.predict import in_batches, probabilities
from riqa.learn.tasks import UNKNOWN_OVERALL

N_QUANTILES = 101
MOST = 20.0  # the largest temperature, and 1 / MOST the smallest: few images may ask for any


class Confidence(BaseModel, frozen=True):
    """What a model's description says under `confidence`."""

    temperature: Annotated[float, Field(ge=1 / MOST, le=MOST)]
    quantiles: Annotated[  # of the largest probability of a validation image at that temperature, ascending
        tuple[Annotated[float, Field(ge=0, le=1)], ...], Field(min_length=N_QUANTILES, max_length=N_QUANTILES)
    ]

    def least(self, coverage: float) -> float:
        """Return the probability that the surest `coverage`, in (0, 1], of validation images reach."""
        return float(np.interp(1 - coverage, np.linspace(0, 1, N_QUANTILES), self.quantiles))


def tempered(probs: np.ndarray, temperature: float) -> np.ndarray:
    """Divide the logits behind probabilities (..., K) by a temperature: softmax(log(p) / T)."""
    return softmax(np.log(np.maximum(probs, np.finfo(float).tiny)) / temperature, axis=-1)


def fit_temperature(probs: np.ndarray, truth: np.ndarray) -> float:
    """Find the temperature with the least log loss of probs (N, K) for classes (N,); ValueError if N is 0."""
    if not len(truth):
        raise ValueError("no image with a known label to fit a temperature to")
    logits, own = np.log(np.maximum(probs, np.finfo(float).tiny)), (np.arange(len(truth)), truth)

    def log_loss(log_temperature: float) -> float:
        return -log_softmax(logits / np.exp(log_temperature), axis=1)[own].mean()

    best = np.exp(minimize_scalar(log_loss, bounds=(-np.log(MOST), np.log(MOST)), method="bounded").x)
    return float(np.clip(best, 1 / MOST, MOST))


def fit_confidence(model: QualityNet, validation: Examples, precision: str = "auto") -> dict[str, object]:
    """Fit what `Confidence` holds on validation images; empty without an overall head, or a known grade."""
    n_classes, truth = model.architecture["n_overall"], validation.targets["overall"].numpy()
    known = truth != UNKNOWN_OVERALL
    if not n_classes or not known.any():
        return {}
    probs = probabilities(in_batches(model, model, validation, precision))[:, :n_classes]
    temperature = round(fit_temperature(probs[known], truth[known]), 4)
    surest = tempered(probs[known], temperature).max(axis=1)
    levels = np.linspace(0, 1, N_QUANTILES)
    return {"temperature": temperature, "quantiles": np.quantile(surest, levels).round(4).tolist()}


def read_confidence(description: Mapping, file: Path) -> Confidence | None:
    """Read what `fit_confidence` found from a description; an InputError names its file if it is broken."""
    try:
        found = description.get("confidence")
        return Confidence.model_validate(found) if found else None
    except ValidationError as error:
        where = ".".join(map(str, ("confidence", *error.errors()[0]["loc"])))
        raise InputError(f"{file}: {where}: {error.errors()[0]['msg']}; train the model again") from None
