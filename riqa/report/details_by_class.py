"""The paper's Figure 6 in numbers: probabilities of details by overall class, and what the paper says."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from riqa.labels import DETAILS, class_names
from riqa.report.results import Result, record


def probabilities_by_class(predictions: pd.DataFrame, n_classes: int) -> pd.DataFrame:
    """Summarise each detail's probability of good in each overall class.

    Args:
        predictions: rows of `riqa.learn.predict.predict` of one dataset, any models and seeds, with true
            overall quality; rows without it are left out.
        n_classes: classes of its overall quality, 2 or 3.

    Returns:
        A row a model, class, detail and seed: model, label, detail, seed, n (images), median, low, high (the
        quartiles). A class without images has no row.
    """
    names, rows = class_names(n_classes), []
    known = predictions[predictions["overall"].notna()]
    for (model, code, seed), found in known.groupby(["model", "overall", "seed"], sort=True):
        for detail in DETAILS:
            low, middle, high = np.quantile(found[f"p_{detail}"], [0.25, 0.5, 0.75])
            rows.append((model, names[int(code)], detail, seed, len(found), middle, low, high))
    columns = ["model", "label", "detail", "seed", "n", "median", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def class_results(summary: pd.DataFrame, dataset: str) -> list[Result]:
    """Make records ``details.<dataset>.<model>.<detail>.<class>.median`` and ``.spread`` (between quartiles).

    Args:
        summary: `probabilities_by_class`; values are means over seeds, with the smallest and largest of a
            seed as low and high.
        dataset: name of the set.
    """
    spread = summary["high"] - summary["low"]
    results = []
    for (model, label, detail), rows in summary.assign(spread=spread).groupby(
        ["model", "label", "detail"], sort=False
    ):
        for metric in ("median", "spread"):
            results.append(
                record(
                    f"details.{dataset}.{model}.{detail}.{label}.{metric}",
                    rows[metric].mean(),
                    low=rows[metric].min(),
                    high=rows[metric].max(),
                    n=rows["n"].iloc[0],
                    seeds=rows["seed"],
                    method="mean over seeds; smallest and largest of a seed",
                )
            )
    return results


def medians_table(summary: pd.DataFrame, model: str) -> pd.DataFrame:
    """Lay one model's medians out: a row a class, a column a detail, "median (lower – upper quartile)"."""
    means = summary[summary["model"] == model].groupby(["label", "detail"], sort=False)
    means = means[["median", "low", "high"]].mean()
    text = [f"{row.median:.2f} ({row.low:.2f} – {row.high:.2f})" for row in means.itertuples(index=False)]
    return pd.Series(text, index=means.index).unstack()[list(DETAILS)].loc[list(summary["label"].unique())]


def paper_statements(summaries: Mapping[int, pd.DataFrame], model_of: Mapping[int, str]) -> pd.DataFrame:
    """Ask of each sentence that the paper writes about Figure 6 (section 4.2) whether it holds here.

    The paper prints no numbers, so its words are made precise: "low" is a median below one half, "cluster at
    high probabilities" a lower quartile of at least one half, and variability is the distance of the
    quartiles.

    Args:
        summaries: number of overall classes (3, 2 or both) -> `probabilities_by_class` of such a set.
        model_of: number of overall classes -> the Student to ask.

    Returns:
        Columns statement, measured as (what its words mean here), seeds (how many there are), holds_in (in
        how many of them it holds; NaN where a class has no image or this build has no such set), a row a
        statement.
    """
    tables: dict[int, dict[object, pd.DataFrame]] = {}
    for n_classes, summary in summaries.items():
        rows = summary[summary["model"] == model_of[n_classes]]
        rows = rows.assign(spread=rows["high"] - rows["low"])
        tables[n_classes] = {
            seed: found.pivot(index="label", columns="detail", values=["median", "low", "spread"])
            for seed, found in rows.groupby("seed")
        }
    two = ["illumination", "clarity"]
    statements = (
        ("3 classes: rejectable images receive low illumination and clarity", "medians below 0.5", (3,),
         lambda of: (of[3]["median"].loc["reject", two] < 0.5).all()),
        ("3 classes: contrast of rejectable images is more dispersed", "quartiles farthest apart", (3,),
         lambda of: of[3]["spread"].loc["reject", "contrast"] > of[3]["spread"].loc["reject", two].max()),
        ("3 classes: … but with a low median", "median below 0.5", (3,),
         lambda of: of[3]["median"].loc["reject", "contrast"] < 0.5),
        ("3 classes: usable images score higher than rejectable ones", "all three medians", (3,),
         lambda of: (of[3]["median"].loc["usable"] > of[3]["median"].loc["reject"]).all()),
        ("3 classes: … with greater variability", "all three quartile distances", (3,),
         lambda of: (of[3]["spread"].loc["usable"] > of[3]["spread"].loc["reject"]).all()),
        ("3 classes: good images cluster at high probabilities", "all lower quartiles at least 0.5", (3,),
         lambda of: (of[3]["low"].loc["good"] >= 0.5).all()),
        ("2 classes: bad images vary more than with three classes", "quartile distances, bad against reject",
         (2, 3), lambda of: (of[2]["spread"].loc["bad"] > of[3]["spread"].loc["reject"]).all()),
        ("2 classes: good images score higher than bad ones", "all three medians", (2,),
         lambda of: (of[2]["median"].loc["good"] > of[2]["median"].loc["bad"]).all()),
        ("2 classes: … and more consistently", "all three quartile distances", (2,),
         lambda of: (of[2]["spread"].loc["good"] < of[2]["spread"].loc["bad"]).all()),
    )  # fmt: skip
    rows = []
    for statement, meaning, needs, holds in statements:
        seeds = sorted(set.intersection(*(set(tables.get(n, {})) for n in needs)))
        try:
            found = (
                sum(bool(holds({n: tables[n][seed] for n in needs})) for seed in seeds) if seeds else np.nan
            )
        except KeyError:  # a class without images
            found = np.nan
        rows.append((statement, meaning, len(seeds), found))
    return pd.DataFrame(rows, columns=["statement", "measured as", "seeds", "holds_in"])
