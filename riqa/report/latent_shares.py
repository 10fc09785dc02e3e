"""How often experts say *good* of a detail, and how often a model does, on the same images (Section 4.2)."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from pandas.io.formats.style import Styler

from riqa.evaluate.means import mean_interval
from riqa.labels import DETAILS
from riqa.report.details import judged_answers, reader_name
from riqa.report.latent_pages import over_interval
from riqa.report.results import Result, record
from riqa.report.seeds import METHOD
from riqa.report.tables import page_table


def good_shares(
    predictions: Mapping[str, pd.DataFrame],
    *,
    confidence: float = 0.95,
    n_resamples: int = 2_000,
    seed: int = 0,
) -> pd.DataFrame:
    """Compare shares of *good*, by label and by prediction, image by image.

    Args:
        predictions: model -> rows of `riqa.learn.predict.predict` of one dataset, any seeds.
        confidence: coverage of the intervals.
        n_resamples: bootstrap replicates over patients and seeds.
        seed: of the draws.

    Returns:
        A row a model and detail that is judged: model, detail, n, seeds, experts, predicted (shares of good,
        mean over seeds), value, low, high (experts minus predicted: negative where the experts are stricter).
    """
    draw = {"n_resamples": n_resamples, "confidence": confidence, "seed": seed}
    rows = []
    for model, own in predictions.items():
        for detail in DETAILS:
            if own[detail].isna().all():
                continue
            images, truth, probs = judged_answers(own, detail)
            called = probs >= 0.5
            found = mean_interval(truth - called.astype(float), groups=images["patient_id"], **draw)
            shares = (len(images), tuple(sorted(own["seed"].unique())), truth.mean(), called.mean())
            rows.append((model, detail, *shares, found.value, found.low, found.high))
    columns = ["model", "detail", "n", "seeds", "experts", "predicted", "value", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def share_records(dataset: str, shares: pd.DataFrame) -> list[Result]:
    """Make records ``latent.<set>.<model>.<detail>.good_experts``, ``.good_predicted``, ``.good_difference``.

    The difference is experts minus predicted, with its interval.
    """
    records = []
    for row in shares.itertuples():
        place = f"latent.{dataset}.{row.model}.{row.detail}"
        given = {"n": row.n, "seeds": row.seeds}
        records += [
            record(f"{place}.good_experts", row.experts, n=row.n, method="share of images"),
            record(f"{place}.good_predicted", row.predicted, method="share, mean over seeds", **given),
            record(f"{place}.good_difference", row.value, low=row.low, high=row.high, method=METHOD, **given),
        ]
    return records


def shares_for_page(shares: pd.DataFrame, planted: Mapping[str, float] | None, caption: str) -> Styler:
    """Show `good_shares`: a row a detail and model, with the difference over its interval.

    Args:
        shares: of `good_shares`.
        planted: detail -> share that is truly good, where somebody knows it (phantoms).
        caption: of the table.
    """
    order = {detail: place for place, detail in enumerate(DETAILS)}
    rows = shares.sort_values("detail", key=lambda details: details.map(order), kind="stable")
    table = pd.DataFrame({"detail": rows["detail"], "experts": rows["experts"].map("{:.0%}".format)})
    if planted is not None:
        table["planted"] = [f"{planted[detail]:.0%}" for detail in rows["detail"]]
    table["model"] = rows["model"].map(reader_name)
    table["called good by it"] = rows["predicted"].map("{:.0%}".format)
    table["experts minus model"] = [
        over_interval(row.value, row.low, row.high, "+.2f") for row in rows.itertuples()
    ]
    return page_table(table, caption, index=False)


def share_sentences(shares: pd.DataFrame, model: str) -> list[str]:
    """Say for each detail whether the experts call fewer images good than a model does."""
    sentences = []
    for row in shares[shares["model"] == model].itertuples():
        if np.sign(row.low) == np.sign(row.high) != 0:
            word = "fewer" if row.value < 0 else "more"
            said = f"the experts call **{word}** images good than the model does"
        else:
            said = "the interval includes zero: **no difference is shown**"
        sentences.append(
            f"{row.detail.capitalize()}: {said} ({row.experts:.0%} against {row.predicted:.0%}; difference "
            f"{row.value:+.2f}, {row.low:+.2f} to {row.high:+.2f})."
        )
    return sentences


def nearer_to_planted(shares: pd.DataFrame, planted: Mapping[str, float], model: str) -> list[str]:
    """Say for each detail whose share of good is nearer to the planted one, the experts' or a model's."""
    sentences = []
    for row in shares[shares["model"] == model].itertuples():
        of_experts, of_model = (
            abs(row.experts - planted[row.detail]),
            abs(row.predicted - planted[row.detail]),
        )
        nearer = (
            "both alike"
            if of_experts == of_model
            else "the experts"
            if of_experts < of_model
            else "the model"
        )
        sentences.append(f"{row.detail}: {nearer}")
    return sentences
