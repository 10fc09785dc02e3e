"""Candidates for the weight of the details loss: validation scores as table, sentences and records."""

from collections.abc import Mapping, Sequence

import pandas as pd
from pandas.io.formats.style import Styler

from riqa.evaluate.stats import bootstrap_interval, paired_bootstrap
from riqa.report.overall import stacked_labels
from riqa.report.results import Result, record
from riqa.report.seeds import METHOD
from riqa.report.tables import page_table


def weight_table(
    predictions: pd.DataFrame, chosen: Mapping[str, float], n_resamples: int = 2_000, confidence: float = 0.95
) -> pd.DataFrame:
    """Score every candidate on validation images, alone and against the one that was chosen.

    Args:
        predictions: of `riqa.learn.weighting.run_trials`.
        chosen: of `riqa.learn.weighting.choose_weights`.
        n_resamples: bootstrap replicates.
        confidence: coverage of the intervals, in (0, 1).

    Returns:
        A row a set and a candidate: set, lambda_details, chosen, value, low, high (macro-F1 of overall
        quality), difference, difference_low, difference_high (the candidate minus the chosen one, on the same
        images; 0 for the chosen), n (images), seeds.
    """
    rows = []
    for name, of_set in predictions.groupby("trained_on", sort=False):
        by_weight = {
            weight: stacked_labels(of_weight) for weight, of_weight in of_set.groupby("lambda_details")
        }
        _, best, _ = by_weight[chosen[name]]
        for weight, (images, labels, n_classes) in by_weight.items():
            truth = images["overall"].to_numpy()
            options = {"n_classes": n_classes, "groups": images["patient_id"].to_numpy()}
            options |= {"n_resamples": n_resamples, "confidence": confidence}
            score = bootstrap_interval(truth, labels, **options)["macro_f1"]
            gap = paired_bootstrap(truth, labels, best, **options)
            rows.append(
                {
                    "set": name,
                    "lambda_details": weight,
                    "chosen": weight == chosen[name],
                    "value": score.value,
                    "low": score.low,
                    "high": score.high,
                    "difference": gap.value,
                    "difference_low": gap.low,
                    "difference_high": gap.high,
                    "n": len(images),
                    "seeds": tuple(sorted(int(seed) for seed in of_set["seed"].unique())),
                }
            )
    return pd.DataFrame(rows)


def weights_for_page(table: pd.DataFrame, caption: str) -> Styler:
    """Show `weight_table`: a row a candidate, the difference to the chosen one with its interval."""
    against = [
        "chosen"
        if row.chosen
        else f"{row.difference:+.3f} <small>({row.difference_low:+.3f} to {row.difference_high:+.3f})</small>"
        for row in table.itertuples()
    ]
    cells = {
        "set": table["set"],
        "λ details": table["lambda_details"].map("{:g}".format),
        "validation macro-F1": [
            f"{row.value:.3f} <small>({row.low:.3f} to {row.high:.3f})</small>" for row in table.itertuples()
        ],
        "minus the chosen": against,
        "images": table["n"].astype(str),
    }
    return page_table(pd.DataFrame(cells), caption, index=False)


def weight_sentences(
    table: pd.DataFrame | None, chosen: Mapping[str, float], confidence: float = 0.95
) -> list[str]:
    """Say for every set which weight is used and why, and whether the choice means anything."""
    if table is None:
        return [
            f"For {name} the weight is {weight:g}, as given: this build tries no other."
            for name, weight in chosen.items()
        ]
    said = []
    for name, rows in table.groupby("set", sort=False):
        others = rows[~rows["chosen"]]
        told = others["difference_high"] < 0
        text = f"For {name} no candidate has a higher validation score than **{chosen[name]:g}**"
        if not told.any():
            text += f"; every {confidence:.0%} interval of a difference to it includes zero, so that these "
            text += f"{rows['n'].iloc[0]} images cannot tell the candidates apart."
        else:
            worse = " and ".join(f"{weight:g}" for weight in others.loc[told, "lambda_details"])
            text += f", and it can be told from {worse}"
            text += "." if told.all() else ", but not from the rest."
        said.append(text)
    return said


def weight_records(
    table: pd.DataFrame | None, chosen: Mapping[str, float], seeds: Sequence[int]
) -> list[Result]:
    """Make records ``weighting.<set>.lambda_details`` and, where candidates were compared, their scores.

    A score is called ``weighting.<set>.val_macro_f1.<weight>``, with the weight's point written as ``_``.
    """
    how = "given, none other tried" if table is None else "highest macro-F1 on validation images"
    records = [
        record(f"weighting.{name}.lambda_details", weight, seeds=seeds, method=how)
        for name, weight in chosen.items()
    ]
    for row in () if table is None else table.itertuples():
        weight = f"{row.lambda_details:g}".replace(".", "_")
        interval = {"low": row.low, "high": row.high, "n": row.n, "seeds": row.seeds, "method": METHOD}
        records.append(record(f"weighting.{row.set}.val_macro_f1.{weight}", row.value, **interval))
    return records
