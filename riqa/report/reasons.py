"""Whether photographs get reasons: which share is called bad in a detail, by overall class."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from riqa.evaluate.auc import auc_interval
from riqa.evaluate.means import mean_interval
from riqa.evaluate.stats import Interval
from riqa.labels import DETAILS, class_names
from riqa.report.results import Result, interval_records
from riqa.report.seeds import METHOD, stack_seeds


def reason_intervals(
    predictions: pd.DataFrame, n_classes: int, n_resamples: int = 2_000
) -> dict[str, Interval]:
    """Score how reasons and overall quality go together.

    Args:
        predictions: rows of `riqa.learn.predict.predict` of one model on one dataset, with true overall
            quality; rows without it are left out.
        n_classes: classes of overall quality, 2 or 3.
        n_resamples: bootstrap replicates.

    Returns:
        ``<class>.any`` is the share of a class that gets at least one reason, ``<class>.<detail>`` the share
        called bad in it, ``auc.<detail>`` and ``auc.worst`` how well the probability of good, and the
        smallest of the three, tells the worst class from the best. A class without images has no entry.
    """
    images, probs = stack_seeds(
        predictions[predictions["overall"].notna()], [f"p_{detail}" for detail in DETAILS]
    )
    overall, patients = images["overall"].to_numpy(dtype=int), images["patient_id"].to_numpy()
    bad = probs < 0.5  # never, where a model is silent (NaN)
    answered = [k for k in range(len(DETAILS)) if not np.isnan(probs[..., k]).any()]
    found = {}
    for code, name in enumerate(class_names(n_classes)):
        own = overall == code
        if own.any():
            shares = {"any": bad.any(axis=2)} | {detail: bad[..., k] for k, detail in enumerate(DETAILS)}
            for what, values in shares.items():
                found[f"{name}.{what}"] = mean_interval(
                    values[:, own], groups=patients[own], n_resamples=n_resamples
                )
    ends = np.isin(overall, (0, n_classes - 1))
    best = overall[ends] > 0
    if answered and best.any() and not best.all():
        scores = {DETAILS[k]: probs[..., k] for k in answered} | {"worst": probs[..., answered].min(axis=2)}
        for what, values in scores.items():
            found[f"auc.{what}"] = auc_interval(
                best, values[:, ends], groups=patients[ends], n_resamples=n_resamples
            )
    return found


def reason_results(
    predictions: pd.DataFrame, n_classes: int, model: str, n_resamples: int = 2_000
) -> list[Result]:
    """Make records ``reasons.<dataset>.<model>.<what>`` of `reason_intervals`."""
    (dataset,) = predictions["dataset"].unique()
    facts = {"n": predictions["image_id"].nunique(), "seeds": predictions["seed"].unique(), "method": METHOD}
    found = reason_intervals(predictions, n_classes, n_resamples)
    return interval_records(f"reasons.{dataset}.{model}", found, **facts)


def reasons_table(
    compared: Mapping[tuple[str, str, str], Mapping[str, Interval]], expert_shares: pd.DataFrame
) -> pd.DataFrame:
    """Lay reasons out: a row a set, a split and a kind of answers.

    Args:
        compared: `reason_intervals` by set, split and kind of answers.
        expert_shares: known share of bad, a row a class, a column a detail.

    Returns:
        Columns as text: the worst class and the best with a reason, the AUC of the worst detail, each with
        its interval; the AUC of each detail; and the largest distance of a share from the known one, where
        the classes are the same.
    """
    rows = {}
    for key, found in compared.items():
        classes = list(dict.fromkeys(name.split(".")[0] for name in found if not name.startswith("auc.")))
        ends = {"worst": classes[0], "best": classes[-1]}
        rows[key] = {f"{end} class with a reason": _text(found[f"{name}.any"]) for end, name in ends.items()}
        rows[key]["AUC of the worst detail"] = _text(found["auc.worst"]) if "auc.worst" in found else "–"
        areas = [f"{found[f'auc.{detail}'].value:.2f}" for detail in DETAILS if f"auc.{detail}" in found]
        rows[key]["and of each"] = ", ".join(areas) or "–"
        far = [
            abs(found[f"{name}.{detail}"].value - expert_shares.loc[name, detail])
            for name in expert_shares.index.intersection(classes)
            for detail in DETAILS
        ]
        rows[key]["farthest share"] = f"{max(far):.2f}" if classes == list(expert_shares.index) else "–"
    index = pd.MultiIndex.from_tuples(rows, names=["set", "split", "answers"])
    return pd.DataFrame(list(rows.values()), index=index)


def _text(interval: Interval) -> str:
    return f"{interval.value:.2f} [{interval.low:.2f}, {interval.high:.2f}]"
