"""Where two models part: images that one gets wrong and the other right, in either direction.

The paper's Figure 4 shows images that the single-task model gets wrong and the multi-task model right. A page
of such pictures makes any second model look good; so the opposite flips are counted and shown as well.
"""

from collections.abc import Sequence
from itertools import product

import numpy as np
import pandas as pd

from riqa.labels import class_names
from riqa.results import rows

FLIPS = ("wrong_to_right", "right_to_wrong")


def flips(predictions: pd.DataFrame, pair: tuple[str, str], targets: Sequence[str]) -> pd.DataFrame:
    """Put the answers of two models side by side, and tell which of them is right.

    Args:
        predictions: Test predictions as `riqa.predictions` reads them, of any datasets and seeds.
        pair: The models, before and after.
        targets: "overall" or details.

    Returns:
        One row per dataset, target, class, seed and image that has a label: `truth` (the class's code),
        `group` (its name), `flip` (one of `FLIPS`, or empty), and `moved`, by how much the probability of the
        true class changed, without its sign.
    """
    keys, found = ["dataset", "target", "truth", "seed", "image_id"], []
    for dataset, target in product(predictions["dataset"].unique(), targets):
        own = predictions[predictions["dataset"] == dataset]
        three = own["p_overall_2"].notna().any()
        own = _about(own, target).pivot(index=keys, columns="model", values=["called", "p_true"])
        frame = own.index.to_frame(index=False)
        was, now = (own["called", model].to_numpy() == frame["truth"] for model in pair)
        before, after = (own["p_true", model].to_numpy() for model in pair)
        classes = class_names(3 if target == "overall" and three else 2)
        group = [classes[int(code)] for code in frame["truth"]]
        flip = np.select([~was & now, was & ~now], FLIPS, default="")
        found.append(frame.assign(group=group, flip=flip, moved=np.abs(after - before)))
    return pd.concat(found, ignore_index=True)


def count_flips(flipped: pd.DataFrame, model: str, rival: str) -> pd.DataFrame:
    """Count flips by class (and "all" of them), means over seeds; metrics are `FLIPS`, n all images."""
    seeds, found = sorted(flipped["seed"].unique()), []
    for (dataset, target), here in flipped.groupby(["dataset", "target"], sort=False):
        for group, own in [*here.groupby("group", sort=False), ("all", here)]:
            counts = {(kind, group): (own["flip"] == kind).sum() / len(seeds) for kind in FLIPS}
            keys = {"dataset": dataset, "target": target, "model": model, "rival": rival, "seeds": seeds}
            found.append(rows(counts, method="count_mean", n=own["image_id"].nunique(), **keys))
    return pd.concat(found, ignore_index=True)


def _about(own: pd.DataFrame, target: str) -> pd.DataFrame:
    """Return answers about a target: truth, the class called, and the probability of the true class."""
    own = own.assign(target=target, truth=own[target]).dropna(subset="truth")
    if target == "overall":
        return own
    good = own[f"p_{target}"]
    return own.assign(called=(good >= 0.5) * 1.0, p_true=good.where(own["truth"] == 1, 1 - good))
