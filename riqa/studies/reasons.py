"""Whether photographs get reasons: how details and overall quality go together (the paper's Figure 6).

Images without overall quality are left out. `n_classes` is dataset -> classes of its overall quality, 2 or 3,
which a Teacher's answers do not tell.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from riqa.evaluate.bootstrap import auc_interval
from riqa.labels import DETAILS, class_names
from riqa.results import stack, tidy
from riqa.studies.answers import each


def reasons(
    predictions: pd.DataFrame, n_classes: Mapping[str, int], *, n_resamples: int = 2_000
) -> pd.DataFrame:
    """Count reasons by overall class, and ask how well details tell the worst class from the best.

    Returns:
        Rows of the metric `called_bad`, whose group is a class and whose target is a detail, or "any" for the
        share that gets at least one reason; and of the metric `auc`, whose group is "<worst> against good"
        and whose target is a detail, or "worst" for the smallest probability of the three. A class without
        images has no row.
    """
    found, images = [], predictions.groupby(["dataset", "model"])["image_id"].nunique()  # graded or not
    for own in each(predictions, "overall", n_resamples=n_resamples):
        probs, overall, how = own.details, own.truth, own.draw()
        bad = probs < 0.5  # never, where a model is silent (NaN)
        shares = {"any": bad.any(axis=2)} | {detail: bad[..., k] for k, detail in enumerate(DETAILS)}
        names, numbers = class_names(n_classes[own.keys["dataset"]]), {}
        for code in np.unique(overall):
            for target, share in shares.items():
                numbers[target, "called_bad", names[code]] = own.mean(share, overall == code)
        answered = [k for k in range(len(DETAILS)) if not np.isnan(probs[..., k]).any()]
        ends = np.isin(overall, (0, len(names) - 1))
        best, how["groups"] = overall[ends] > 0, how["groups"][ends]
        if answered and best.any() and not best.all():
            order = {DETAILS[k]: probs[..., k] for k in answered}
            order |= {"worst": probs[..., answered].min(axis=2)}
            for target, values in order.items():
                key = target, "auc", f"{names[0]} against good"
                numbers[key] = auc_interval(best, values[:, ends], **how)
        n = images[own.keys["dataset"], own.keys["model"]]
        found.append(own.rows(numbers, ("target", "metric", "group"), n=n))
    return stack(found)


def quartiles(predictions: pd.DataFrame, n_classes: Mapping[str, int]) -> pd.DataFrame:
    """Return where the probabilities of good lie, by overall class, detail and seed.

    Returns:
        One row per dataset, model, group (the class), target (the detail) and seed; columns low, median and
        high (the quartiles), spread (between them) and n (images). A class without images has no row.
    """
    known = predictions.dropna(subset="overall")
    answers = known[["dataset", "model", "overall", "seed"]].copy()
    answers[list(DETAILS)] = known[[f"p_{detail}" for detail in DETAILS]]
    tall = answers.melt(["dataset", "model", "overall", "seed"], var_name="target", value_name="p")
    tall = tall.groupby(["dataset", "model", "overall", "target", "seed"], sort=False)["p"]
    found = tall.quantile([0.25, 0.5, 0.75]).unstack().set_axis(["low", "median", "high"], axis=1)
    found = found.assign(spread=found["high"] - found["low"], n=tall.size()).reset_index()
    found = found.sort_values("overall", kind="stable", ignore_index=True)
    classes = zip(found["dataset"], found.pop("overall").astype(int), strict=True)
    found.insert(2, "group", [class_names(n_classes[dataset])[code] for dataset, code in classes])
    return found


def over_seeds(quartiles: pd.DataFrame) -> pd.DataFrame:
    """Make rows of the metrics `median` and `spread` out of `quartiles`, with their range over seeds."""
    keys = ["dataset", "model", "target", "group"]
    tall = quartiles.melt([*keys, "seed", "n"], ["median", "spread"], var_name="metric")
    tall = tall.groupby([*keys, "metric", "n"], sort=False)
    found = tall["value"].agg(value="mean", low="min", high="max").reset_index()
    return tidy(found, method="seeds", seeds=sorted(quartiles["seed"].unique()))


STATEMENTS = {
    ("EyeQ (three classes): rejectable images receive low illumination and clarity", "medians below 0.5"):
        lambda of: (of["median", "reject", 3][["illumination", "clarity"]] < 0.5).all(),
    ("EyeQ (three classes): contrast of rejectable images is more dispersed", "quartiles farthest apart"):
        lambda of: (of["spread", "reject", 3].drop("contrast") < of["spread", "reject", 3]["contrast"]).all(),
    ("EyeQ (three classes): contrast of rejectable images has a low median", "median below 0.5"):
        lambda of: of["median", "reject", 3]["contrast"] < 0.5,
    ("EyeQ (three classes): usable images score higher than rejectable ones", "all three medians"):
        lambda of: (of["median", "usable", 3] > of["median", "reject", 3]).all(),
    ("EyeQ (three classes): usable images vary more than rejectable ones", "all three quartile distances"):
        lambda of: (of["spread", "usable", 3] > of["spread", "reject", 3]).all(),
    ("EyeQ (three classes): good images cluster at high probabilities", "all lower quartiles at least 0.5"):
        lambda of: (of["low", "good", 3] >= 0.5).all(),
    ("DeepDRiD (two classes): bad images vary more than rejectable ones of EyeQ",
     "quartile distances, bad against reject"):
        lambda of: (of["spread", "bad", 2] > of["spread", "reject", 3]).all(),
    ("DeepDRiD (two classes): good images score higher than bad ones", "all three medians"):
        lambda of: (of["median", "good", 2] > of["median", "bad", 2]).all(),
    ("DeepDRiD (two classes): good images vary less than bad ones", "all three quartile distances"):
        lambda of: (of["spread", "good", 2] < of["spread", "bad", 2]).all(),
}  # fmt: skip
"""What the paper says of Figure 6 (Section 4.2): its words, and what they mean here -> whether it holds, of
(quartile, class, number of classes) -> values by detail. The paper prints no numbers, so its words are made
precise: "low" is a median below one half, "cluster at high probabilities" a lower quartile of at least one
half, and variability is the distance of the quartiles."""


def statements(of_sets: Mapping[int, pd.DataFrame]) -> pd.DataFrame:
    """Test each of `STATEMENTS`.

    Args:
        of_sets: Number of overall classes (3, 2 or both) -> `quartiles` of one Student on such a set.

    Returns:
        One row per statement: statement, meaning, seeds (how many have what it needs) and holds (in how many;
        NaN where a class has no image or this build has no such set).
    """
    tall = pd.concat([table.assign(classes=n) for n, table in of_sets.items()])
    wide = {"index": "target", "columns": ["group", "classes"], "values": ["median", "low", "spread"]}
    by_seed = [own.pivot(**wide) for _, own in tall.groupby("seed")]
    found = []
    for (statement, meaning), holds in STATEMENTS.items():
        told = []
        for of in by_seed:
            try:
                told.append(bool(holds(of)))
            except KeyError:  # a set that is not there, or a class without images
                continue
        found.append((statement, meaning, len(told), sum(told) if told else np.nan))
    return pd.DataFrame(found, columns=["statement", "meaning", "seeds", "holds"])
