"""Backbones trained at equal cost: what each has learned, and how well it holds on other images."""

import numpy as np
import pandas as pd
from pandas.io.formats.style import Styler

from riqa.evaluate.stats import bootstrap_interval, paired_bootstrap
from riqa.report.overall import stacked_labels
from riqa.report.results import Result, record
from riqa.report.tables import page_table

METHOD = "one seed; percentile bootstrap over patients"


def backbone_table(
    costs: pd.DataFrame, predictions: pd.DataFrame, n_resamples: int = 2_000, confidence: float = 0.95
) -> pd.DataFrame:
    """Score every backbone on the images that it learned from and on validation images.

    Args:
        costs: of `riqa.learn.equal_cost.train_at_equal_cost`.
        predictions: its predictions, of one seed, the backbone as model.
        n_resamples: bootstrap replicates.
        confidence: coverage of the intervals, in (0, 1).

    Returns:
        The rows of `costs` with, for each split (train and val), ``<split>_f1``, ``<split>_low``,
        ``<split>_high`` (macro-F1 of overall quality in [0, 1] with its interval over patients),
        ``<split>_loss`` (cross-entropy, 0 or more) and ``<split>_n`` (images); gap and loss_gap (how much
        better it is on what it learned from: train minus val, val minus train); best (whether its validation
        macro-F1 is the highest, the first of equals); difference, difference_low, difference_high (validation
        macro-F1 minus that of the best, on the same images; 0 for the best itself).
    """
    options = {"n_resamples": n_resamples, "confidence": confidence}
    rows, answers = [], {}
    for name in costs["backbone"]:
        row = {}
        for split in ("train", "val"):
            own = predictions[(predictions["model"] == name) & (predictions["split"] == split)]
            images, labels, n_classes = stacked_labels(own)
            truth, patients = images["overall"].to_numpy(), images["patient_id"].to_numpy()
            found = bootstrap_interval(truth, labels, n_classes=n_classes, groups=patients, **options)
            score = found["macro_f1"]
            row |= {f"{split}_f1": score.value, f"{split}_low": score.low, f"{split}_high": score.high}
            row |= {f"{split}_loss": _cross_entropy(own), f"{split}_n": len(images)}
        answers[name] = labels  # on validation images, whose truth is that of every backbone
        rows.append(row)
    table = pd.concat([costs.reset_index(drop=True), pd.DataFrame(rows)], axis=1)
    table["gap"] = table["train_f1"] - table["val_f1"]
    table["loss_gap"] = table["val_loss"] - table["train_loss"]
    table["best"] = table.index == table["val_f1"].idxmax()
    best = answers[table.loc[table["best"], "backbone"].item()]
    gaps = [
        paired_bootstrap(truth, answers[name], best, n_classes=n_classes, groups=patients, **options)
        for name in table["backbone"]
    ]
    table["difference"] = [gap.value for gap in gaps]
    table["difference_low"] = [gap.low for gap in gaps]
    table["difference_high"] = [gap.high for gap in gaps]
    return table


def backbones_for_page(table: pd.DataFrame, caption: str) -> Styler:
    """Show `backbone_table`: a row a backbone, what it costs, and both splits beside each other."""
    cells = {
        "backbone": table["backbone"],
        "parameters": (table["parameters"] / 1e6).map("{:.1f} million".format),
        "GFLOP an image and step": (table["flop"] / 1e9).map("{:.3g}".format),
        "epochs": table["epochs"].astype(str),
        "of the budget": table["spent"].map("{:.0%}".format),
        "macro-F1, training": _with_interval(table, "train"),
        "macro-F1, validation": _with_interval(table, "val"),
        "gap": table["gap"].map("{:+.3f}".format),
        "loss, training": table["train_loss"].map("{:.3f}".format),
        "loss, validation": table["val_loss"].map("{:.3f}".format),
    }
    return page_table(pd.DataFrame(cells), caption, index=False)


def backbone_sentences(table: pd.DataFrame | None, confidence: float = 0.95) -> list[str]:
    """Say which backbone does best on validation images, from which it can be told, and where the gaps are.

    Args:
        table: of `backbone_table`, or None where no backbone was compared.
        confidence: that the intervals of the table have.
    """
    if table is None:
        return ["This build compares no backbones: `backbones_compared` is empty."]
    best = table[table["best"]].iloc[0]
    text = f"**{best['backbone']}** has the highest validation macro-F1, {best['val_f1']:.3f}"
    others = table[~table["best"]]
    told = others["difference_high"] < 0
    if told.any():
        text += f"; the {confidence:.0%} interval of the difference excludes zero for "
        text += " and ".join(others.loc[told, "backbone"])
    if (~told).any():
        text += f"; these {best['val_n']} validation images cannot tell it from "
        text += " or ".join(others.loc[~told, "backbone"])
    widest = table.loc[table["gap"].idxmax()]
    said = [f"{text}."]
    if widest["gap"] <= 0:
        said.append("No backbone scores higher on what it learned from than on other photographs.")
    else:
        above = widest["train_f1"] > widest["val_high"]
        told = (
            "above the interval: a sign of overfitting"
            if above
            else "inside the interval: no evidence of one"
        )
        said.append(
            f"The largest gap between training and validation macro-F1 is that of **{widest['backbone']}**: "
            f"{widest['train_f1']:.3f} on what it learned from, {widest['val_f1']:.3f} "
            f"({widest['val_low']:.3f} to {widest['val_high']:.3f}) on other photographs. "
            f"The first lies {told}."
        )
    if (table["epochs"] == 1).any():
        once = " and ".join(table.loc[table["epochs"] == 1, "backbone"])
        said.append(f"{once} saw every photograph once only: too early to learn any by heart.")
    return said


def backbone_records(table: pd.DataFrame | None, dataset: str, seed: int) -> list[Result]:
    """Make records ``backbones.<dataset>.<backbone>.<what>`` of a table of `backbone_table`.

    `what` is parameters, gflop (an image and training step), epochs, spent (share of the budget),
    train_macro_f1, val_macro_f1, train_loss or val_loss.
    """
    records = []
    for row in () if table is None else table.itertuples():
        prefix = f"backbones.{dataset}.{row.backbone}"
        cost = {"parameters": row.parameters, "gflop": row.flop / 1e9, "epochs": row.epochs}
        for what, value in (cost | {"spent": row.spent}).items():
            records.append(record(f"{prefix}.{what}", value, method="counted, not measured in time"))
        for split in ("train", "val"):
            shared = {"n": getattr(row, f"{split}_n"), "seeds": [seed]}
            low, high = getattr(row, f"{split}_low"), getattr(row, f"{split}_high")
            interval = {"low": low, "high": high, "method": METHOD}
            records.append(
                record(f"{prefix}.{split}_macro_f1", getattr(row, f"{split}_f1"), **interval, **shared)
            )
            how = "mean cross-entropy, one seed"
            records.append(
                record(f"{prefix}.{split}_loss", getattr(row, f"{split}_loss"), method=how, **shared)
            )
    return records


def _cross_entropy(predictions: pd.DataFrame) -> float:
    """Return the mean negative logarithm of the probability of the true class."""
    predictions = predictions.dropna(subset="overall")
    truth = predictions["overall"].to_numpy(dtype=int)
    probs = predictions[[f"p_overall_{k}" for k in range(truth.max() + 1)]].to_numpy()
    return float(-np.log(probs[np.arange(len(truth)), truth]).mean())


def _with_interval(table: pd.DataFrame, split: str) -> list[str]:
    """Write a split's macro-F1 over its interval, a text a row."""
    columns = table[[f"{split}_f1", f"{split}_low", f"{split}_high"]].itertuples(index=False)
    return [f"{value:.3f} <small>({low:.3f} to {high:.3f})</small>" for value, low, high in columns]
