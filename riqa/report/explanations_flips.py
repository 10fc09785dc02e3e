"""Where two models part: images that one gets wrong and the other right, counted and chosen by rule.

The paper's Figure 4 shows images that the single-task model gets wrong and the multi-task model right. A page
of such pictures makes any second model look good; so the opposite flips are counted and shown as well.
"""

import numpy as np
import pandas as pd
from pandas.io.formats.style import Styler

from riqa.labels import DETAILS, class_names
from riqa.report.results import Result, record
from riqa.report.tables import page_table


def answer_pairs(predictions: pd.DataFrame, before: str, after: str, n_classes: int) -> pd.DataFrame:
    """Put the overall answers of two models side by side.

    Args:
        predictions: Rows of `riqa.learn.predict.predict` of one dataset, with both models.
        before: Name of the first model.
        after: Name of the second.
        n_classes: Overall classes, 2 or 3.

    Returns:
        A row an image and seed: image_id, seed, question ("overall"), truth, before and after (predicted
        classes), p_before and p_after (probability of the true class). Images without a grade are left out.
    """
    columns = [f"p_overall_{k}" for k in range(n_classes)]
    own = predictions.dropna(subset="overall").set_index(["image_id", "seed"])
    pair = [own.loc[own["model"] == model, [*columns, "overall"]] for model in (before, after)]
    pair[1] = pair[1].loc[pair[0].index]
    truth = pair[0]["overall"].to_numpy(int)
    return _pairs(pair[0].index, "overall", truth, [side[columns].to_numpy() for side in pair])


def detail_pairs(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Put the answers of two models about the details side by side, as `answer_pairs`.

    Args:
        before: Rows of `riqa.learn.predict.predict` of one dataset and the first model.
        after: Those of the second model, with the same images and seeds.

    Returns:
        As `answer_pairs`; question is the detail, classes are 0 bad and 1 good.
    """
    before, after = (rows.set_index(["image_id", "seed"]) for rows in (before, after))
    frames = []
    for detail in DETAILS:
        known = before.index[before[detail].notna()]
        probs = [rows.loc[known, f"p_{detail}"].to_numpy() for rows in (before, after)]
        truth = before.loc[known, detail].to_numpy(int)
        frames.append(_pairs(known, detail, truth, [np.stack([1 - p, p], axis=1) for p in probs]))
    return pd.concat(frames, ignore_index=True)


def count_flips(pairs: pd.DataFrame) -> pd.DataFrame:
    """Count flips by question and true class.

    Returns:
        Columns question, truth, n (images), wrong_to_right, right_to_wrong (means over seeds).
    """
    was, now = pairs["before"] == pairs["truth"], pairs["after"] == pairs["truth"]
    flagged = pairs.assign(wrong_to_right=~was & now, right_to_wrong=was & ~now)
    counts = flagged.groupby(["question", "truth"], sort=False)[["wrong_to_right", "right_to_wrong"]].sum()
    counts = counts / pairs["seed"].nunique()
    counts.insert(0, "n", pairs.groupby(["question", "truth"])["image_id"].nunique())
    order = {question: k for k, question in enumerate(["overall", *DETAILS])}
    return counts.reset_index().sort_values(
        ["question", "truth"], key=lambda c: c.map(order) if c.name == "question" else c, ignore_index=True
    )


def flips_for_page(counts: pd.DataFrame, n_classes: int, caption: str) -> Styler:
    """Show `count_flips`: a row a question and true class.

    Args:
        counts: Of `count_flips`.
        n_classes: Overall classes of the set; details have two.
        caption: The table's caption.
    """
    names = [
        class_names(n_classes if row.question == "overall" else 2)[row.truth] for row in counts.itertuples()
    ]
    shown = counts.assign(truth=names).round(1).astype(str)
    shown = shown.rename(
        columns={"n": "images", "wrong_to_right": "wrong → right", "right_to_wrong": "right → wrong"}
    )
    return page_table(shown, caption, index=False)


def flip_results(counts: pd.DataFrame, prefix: str, n_classes: int, seeds: list[int]) -> list[Result]:
    """Make records ``<prefix>.<question>.<class>.<wrong_to_right|right_to_wrong>`` of `count_flips`."""
    results = []
    for row in counts.itertuples():
        name = class_names(n_classes if row.question == "overall" else 2)[row.truth]
        for kind in ("wrong_to_right", "right_to_wrong"):
            results.append(
                record(
                    f"{prefix}.{row.question}.{name}.{kind}",
                    getattr(row, kind),
                    n=row.n,
                    seeds=seeds,
                    method="images, mean over seeds",
                )
            )
    return results


def choose_flips(pairs: pd.DataFrame, seed: int, to_right: bool) -> pd.DataFrame:
    """Choose pictures: of each question and true class the flip that changed the probability of truth most.

    Args:
        pairs: Of `answer_pairs` or `detail_pairs`.
        seed: The training seed whose networks are shown.
        to_right: Whether to choose among the flips from wrong to right, or from right to wrong.

    Returns:
        Rows of `pairs`, at most one a question and true class, those without a flip left out.
    """
    own = pairs[pairs["seed"] == seed]
    was, now = own["before"] == own["truth"], own["after"] == own["truth"]
    flips = own[(~was & now) if to_right else (was & ~now)]
    change = (flips["p_after"] - flips["p_before"]).abs().rename("change")
    ranked = flips.assign(change=change).sort_values(["change", "image_id"], ascending=[False, True])
    best = ranked.drop_duplicates(["question", "truth"])
    return best.sort_index()[list(pairs.columns)].reset_index(drop=True)


def _pairs(index: pd.MultiIndex, question: str, truth: np.ndarray, probs: list[np.ndarray]) -> pd.DataFrame:
    rows = np.arange(len(truth))
    frame = index.to_frame(index=False).assign(question=question, truth=truth)
    for name, own in zip(("before", "after"), probs, strict=True):
        frame[name], frame[f"p_{name}"] = own.argmax(axis=1), own[rows, truth]
    return frame.sort_values(["question", "truth", "seed", "image_id"], ignore_index=True)
