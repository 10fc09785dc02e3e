"""Several backbones at equal cost: what each has learned, and how well that holds on other images.

Scores are of one seed, on the images that a backbone learned from (group "train") and on validation images
(group "val"); intervals draw patients. No test image takes part: comparing candidates on test images
would leave no test.
"""

import numpy as np
import pandas as pd

from riqa.evaluate.stats import bootstrap_interval, paired_bootstrap
from riqa.predictions import with_answers
from riqa.results import rows, tidy
from riqa.studies.overall import by_image, drawn_as_one

COSTS = ("parameters", "gflop", "epochs", "spent")


def costs(table: pd.DataFrame, dataset: str) -> pd.DataFrame:
    """Return what each backbone costs: one row per backbone and number.

    Args:
        table: Costs of `riqa.learn.equal_cost.train_at_equal_cost`.
        dataset: The set that all were trained on.

    Returns:
        Rows of the metrics parameters, gflop (per image and training step), epochs, and spent (share of the
        budget).
    """
    table = table.assign(gflop=table["flop"] / 1e9).rename(columns={"backbone": "model"})
    long = table.melt("model", COSTS, var_name="metric")
    return tidy(long, dataset=dataset, method="count")


def scores(predictions: pd.DataFrame, *, confidence: float = 0.95, n_resamples: int = 2_000) -> pd.DataFrame:
    """Score each backbone on both splits: macro-F1 of overall quality with its interval, and mean loss.

    Args:
        predictions: Of `riqa.learn.equal_cost.train_at_equal_cost`, the backbone as model.
        confidence: Coverage of the intervals.
        n_resamples: Bootstrap replicates.
    """
    found = []
    for (model, split), own in with_answers(predictions).groupby(["model", "split"], sort=False):
        images, called, n_classes = by_image(own)
        interval = bootstrap_interval(
            images["overall"].to_numpy(), called.to_numpy().T, n_classes=n_classes,
            groups=drawn_as_one(images), confidence=confidence, n_resamples=n_resamples,
        )["macro_f1"]  # fmt: skip
        (dataset,) = own["dataset"].unique()
        keys = {"dataset": dataset, "model": model, "n": len(images), "seeds": called.columns}
        found.append(rows({("macro_f1", split): interval}, confidence=confidence, **keys))
        loss = -np.log(own.dropna(subset="overall")["p_true"]).mean()
        found.append(rows({("cross_entropy", split): loss}, method="mean", **keys))
    return pd.concat(found, ignore_index=True)


def behind_the_best(
    predictions: pd.DataFrame, *, confidence: float = 0.95, n_resamples: int = 2_000
) -> pd.DataFrame:
    """Compare each backbone with the one whose validation macro-F1 is the highest, on the same images.

    Args:
        predictions: As for `scores`.
        confidence: Coverage of the intervals.
        n_resamples: Bootstrap replicates.

    Returns:
        One row per other backbone: it minus the best (the first of equals).
    """
    answered = with_answers(predictions[predictions["split"] == "val"])
    asked = {model: by_image(own) for model, own in answered.groupby("model", sort=False)}
    table = scores(predictions, n_resamples=100).query("metric == 'macro_f1' and group == 'val'")
    best = table.loc[table["value"].idxmax(), "model"]
    images, of_best, n_classes = asked.pop(best)
    found = []
    for model, (_, called, _) in asked.items():
        gap = paired_bootstrap(
            images["overall"].to_numpy(), called.to_numpy().T, of_best.to_numpy().T, n_classes=n_classes,
            groups=drawn_as_one(images), confidence=confidence, n_resamples=n_resamples,
        )  # fmt: skip
        keys = {"model": model, "rival": best, "n": len(images), "seeds": called.columns}
        found.append(rows({("macro_f1", "val"): gap}, confidence=confidence, **keys))
    if not found:
        return tidy(pd.DataFrame(columns=["value"]))
    return pd.concat(found, ignore_index=True).assign(dataset=table["dataset"].iloc[0])
