"""Whether photographs get reasons: how details and overall quality go together (the paper's Figure 6).

Every function takes predictions as `riqa.predictions` reads them, of one or more datasets and models; images
without overall quality are left out.
"""

from collections.abc import Mapping
from itertools import product

import numpy as np
import pandas as pd

from riqa.evaluate.bootstrap import auc_interval, mean_interval
from riqa.labels import DETAILS, class_names
from riqa.results import rows, stack, tidy
from riqa.studies.answers import by_image, by_model


def reasons(
    predictions: pd.DataFrame, n_classes: Mapping[str, int], *, n_resamples: int = 2_000
) -> pd.DataFrame:
    """Count reasons by overall class, and ask how well details tell the worst class from the best.

    Predictions are of one split; n_classes is dataset -> classes of its overall quality, 2 or 3.

    Returns:
        Rows of the metric `called_bad`, whose group is a class and whose target is a detail, or "any" for the
        share that gets at least one reason; and of the metric `auc`, whose group is "<worst> against good"
        and whose target is a detail, or "worst" for the smallest probability of the three. A class without
        images has no row.
    """
    found, columns = [], ("target", "metric", "group")
    for keys, own in by_model(predictions):
        images, probs = by_image(own[own["overall"].notna()])
        overall, patients = images["overall"].to_numpy(dtype=int), images["patient_id"].to_numpy()
        bad = probs < 0.5  # never, where a model is silent (NaN)
        shares = {"any": bad.any(axis=2)} | {detail: bad[..., k] for k, detail in enumerate(DETAILS)}
        labels, numbers = class_names(n_classes[keys["dataset"]]), {}
        for code, target in product(sorted(set(overall)), shares):
            here = overall == code
            how = {"groups": patients[here], "n_resamples": n_resamples}
            numbers[target, "called_bad", labels[code]] = mean_interval(shares[target][:, here], **how)
        answered = [k for k in range(len(DETAILS)) if not np.isnan(probs[..., k]).any()]
        ends = np.isin(overall, (0, len(labels) - 1))
        best = overall[ends] > 0
        if answered and best.any() and not best.all():
            order = {DETAILS[k]: probs[..., k] for k in answered}
            order |= {"worst": probs[..., answered].min(axis=2)}
            how = {"groups": patients[ends], "n_resamples": n_resamples}
            for target, values in order.items():
                key = target, "auc", f"{labels[0]} against good"
                numbers[key] = auc_interval(best, values[:, ends], **how)
        found.append(rows(numbers, columns, n=own["image_id"].nunique(), confidence=0.95, **keys))
    return stack(found)


def quartiles(predictions: pd.DataFrame, n_classes: Mapping[str, int]) -> pd.DataFrame:
    """Return where the probabilities of good lie, by overall class, detail and seed; as `reasons`.

    Returns:
        One row per dataset, model, group (the class), target (the detail) and seed; columns low, median and
        high (the quartiles), spread (between them) and n (images). A class without images has no row.
    """
    known = predictions[predictions["overall"].notna()]
    group = [
        class_names(n_classes[d])[int(c)] for d, c in zip(known["dataset"], known["overall"], strict=True)
    ]
    answers = known[["dataset", "model", "overall", "seed"]].assign(group=group)
    answers[list(DETAILS)] = known[[f"p_{detail}" for detail in DETAILS]]
    tall = answers.melt(["dataset", "model", "overall", "group", "seed"], var_name="target", value_name="p")
    by = ["dataset", "model", "overall", "group", "target", "seed"]
    found = tall.groupby(by, sort=False)["p"].quantile([0.25, 0.5, 0.75]).unstack()
    found.columns = ["low", "median", "high"]
    found["spread"], found["n"] = found["high"] - found["low"], tall.groupby(by)["p"].size()
    found = found.reset_index().sort_values("overall", kind="stable", ignore_index=True)
    return found.drop(columns="overall")


def over_seeds(quartiles: pd.DataFrame) -> pd.DataFrame:
    """Make rows of the metrics `median` and `spread` out of `quartiles`, with their range over seeds."""
    keys = ["dataset", "model", "target", "group"]
    tall = quartiles.melt([*keys, "seed", "n"], ["median", "spread"], var_name="metric")
    tall = tall.groupby([*keys, "metric", "n"], sort=False)
    found = tall["value"].agg(value="mean", low="min", high="max").reset_index()
    return tidy(found, method="seeds", seeds=sorted(quartiles["seed"].unique()))


STATEMENTS = (
    ("EyeQ (three classes): rejectable images receive low illumination and clarity", "medians below 0.5",
     (3,), lambda of: (of["median"].loc["reject", ["illumination", "clarity"]] < 0.5).all()),
    ("EyeQ (three classes): contrast of rejectable images is more dispersed", "quartiles farthest apart",
     (3,), lambda of: of["spread"].loc["reject", "contrast"]
     > of["spread"].loc["reject", ["illumination", "clarity"]].max()),
    ("EyeQ (three classes): contrast of rejectable images has a low median", "median below 0.5",
     (3,), lambda of: of["median"].loc["reject", "contrast"] < 0.5),
    ("EyeQ (three classes): usable images score higher than rejectable ones", "all three medians",
     (3,), lambda of: (of["median"].loc["usable"] > of["median"].loc["reject"]).all()),
    ("EyeQ (three classes): usable images vary more than rejectable ones", "all three quartile distances",
     (3,), lambda of: (of["spread"].loc["usable"] > of["spread"].loc["reject"]).all()),
    ("EyeQ (three classes): good images cluster at high probabilities", "all lower quartiles at least 0.5",
     (3,), lambda of: (of["low"].loc["good"] >= 0.5).all()),
    ("DeepDRiD (two classes): bad images vary more than rejectable ones of EyeQ",
     "quartile distances, bad against reject",
     (2, 3), lambda two, three: (two["spread"].loc["bad"] > three["spread"].loc["reject"]).all()),
    ("DeepDRiD (two classes): good images score higher than bad ones", "all three medians",
     (2,), lambda of: (of["median"].loc["good"] > of["median"].loc["bad"]).all()),
    ("DeepDRiD (two classes): good images vary less than bad ones", "all three quartile distances",
     (2,), lambda of: (of["spread"].loc["good"] < of["spread"].loc["bad"]).all()),
)  # fmt: skip
"""What the paper says of Figure 6 (Section 4.2): its words, what they mean here, sets with how many classes
it takes, and whether it holds for them. The paper prints no numbers, so its words are made precise: "low" is
a median below one half, "cluster at high probabilities" a lower quartile of at least one half, and
variability is the distance of the quartiles."""


def statements(of_sets: Mapping[int, pd.DataFrame]) -> pd.DataFrame:
    """Test each of `STATEMENTS`, given by number of classes (3, 2 or both) `quartiles` of one Student.

    Returns:
        One row per statement: statement, meaning, seeds (how many there are) and holds (in how many of them;
        NaN where a class has no image or this build has no such set).
    """
    wide = {"index": "group", "columns": "target", "values": ["median", "low", "spread"]}
    by_seed = {n: {seed: own.pivot(**wide) for seed, own in table.groupby("seed")}
               for n, table in of_sets.items()}  # fmt: skip
    found = []
    for statement, meaning, needs, holds in STATEMENTS:
        seeds = sorted(set.intersection(*(set(by_seed.get(n, {})) for n in needs)))
        try:
            count = sum(bool(holds(*(by_seed[n][s] for n in needs))) for s in seeds) if seeds else np.nan
        except KeyError:  # a class without images
            count = np.nan
        found.append((statement, meaning, len(seeds), count))
    return pd.DataFrame(found, columns=["statement", "meaning", "seeds", "holds"])
