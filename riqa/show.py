"""Numbers for readers: what things are called, cells and tables, and sentences that say what a row shows."""

import re

import pandas as pd
from pandas.io.formats.style import Styler

from riqa.results import METHODS

# fmt: off
NAMES = {
    # models and sets
    "teacher": "Teacher", "single_task": "single-task", "single_task_control": "control",
    "multi_task": "multi-task", "multi_task_or_start": "multi-task or its start",
    "student": "Student", "nash": "Nash", "nash_on_placebo": "Nash on placebo",
    "tuned_weight": "weight by validation", "fixmatch": "FixMatch", "fixmatch_placebo": "FixMatch placebo",
    "mcf_net": "MCF-Net", "quickqual": "QuickQual", "cross_entropy": "cross-entropy",
    "eyeq": "EyeQ", "deepdrid": "DeepDRiD", "mshf": "MSHF", "eyeq_d": "EyeQ-D", "fives": "FIVES",
    "resnet10": "ResNet-10", "wide_resnet10_2": "Wide ResNet-10-2", "vit_tiny": "ViT-Tiny",
    "resnet18": "ResNet-18", "resnet50": "ResNet-50", "swin_t": "Swin-T",
    # scores, costs and tests
    "macro_f1": "macro-F1", "f1": "F1", "auc": "AUC",
    "ece": "ECE", "ece_floor": "floor of ECE", "brier": "Brier score",
    "wrong_to_right": "wrong → right", "right_to_wrong": "right → wrong",
    "image_id": "images", "patient_id": "patients", "seed": "seeds",
    "gflop": "GFLOP an image", "spent": "of the budget",
    "image_probability": "probability of the true class, by image",
    "image_correct": "right or wrong, by image", "seed_score": "macro-F1, by seed",
    "wilcoxon": "Wilcoxon, two-tailed", "wilcoxon_greater": "Wilcoxon, one-tailed",
    "aurc": "AURC", "quadratic_kappa": "κ, quadratic weights", "set_size": "classes in the set",
    "covered": "true class in the set", "conformal": "one limit", "conformal_class": "a limit per class",
    "pooled": "by the most probable class", "pooled_cost": "by costs",
    "bootstrap": "paired bootstrap", "mrmc": "seeds as readers",
    "mcnemar": "McNemar", "mcnemar_exact": "McNemar",
    # maps
    "shuffled": "shuffled weights", "outside": "share outside the field of view",
    "empty": "share of empty maps", "alike": "rank correlation of two maps",
    "heads": "heads shuffled", "last_quarter": "and the last quarter of layers",
    "last_half": "and the last half", "last_three_quarters": "and three quarters",
    "every_layer": "and every layer", "other_seed": "another training seed",
    "pointing": "pointing game", "pointing_gain": "pointing above chance",
    "energy": "energy inside", "energy_gain": "energy above chance", "iou_0.5": "IoU at half maximum",
    "deletion_gain": "gain by deletion", "insertion_gain": "gain by insertion",
    "labels_true": "share of true labels", "other_eye_labels": "another eye's labels",
    "repair_gain": "gain by repair", "repair_truth": "gain by repair in the true order",
    "fall": "fall of p on the blank", "answer_lost": "share with an answer to lose",
    "imagenet": "ImageNet", "probe_auc": "AUC of the probe",
    # errors that go together
    "phi": "φ", "phi_shared": "φ, shared by all networks", "phi_own": "φ, one network's own",
    "gradient_cosine": "cosine of gradients", "gradient_length": "length of gradients, doublings",
    "error_gone": "share of errors gone", "error_gone_beyond": "share of errors gone, beyond the usual",
    # advice
    "another_detail": "another detail at random", "spoilt_detail": "a spoilt detail at random",
    "frequent_detail": "always the most frequent detail", "best_detail": "best detail, truth known",
    "true_class_raised": "share whose true class rises", "own_class_raised": "share whose own class rises",
    # experts and details
    "share_good": "called good", "called_bad": "called bad",
    "any": "any of the three", "worst": "lowest of the three", "majority": "majority vote",
    "agreement": "raw agreement", "cohen_kappa": "Cohen's κ", "fleiss_kappa": "Fleiss' κ",
    "krippendorff_alpha": "Krippendorff's α", "gwet_ac1": "Gwet's AC1", "dawid_skene": "Dawid and Skene",
    "severity_threshold": "threshold", "severity_width": "width",
    "teacher_intercepts": "one intercept", "teacher_class_intercepts": "one per class",
    "teacher_proportions": "proportions",
}
# fmt: on


def name(key: str) -> str:
    """Return what readers call a dataset, model, metric or method: "multi-task (EyeQ)"."""
    model, _, trained_on = str(key).partition("@")
    told = NAMES.get(model, model.replace("_", " "))
    return f"{told} ({name(trained_on)})" if trained_on else told


def names(rows: pd.DataFrame) -> pd.DataFrame:
    """Add the columns that pages show: `set`, `comparison` ("A minus B", or the model alone) and `score`."""
    model, rival, score = (rows[key].map(name).astype(object) for key in ("model", "rival", "metric"))
    return rows.assign(
        set=rows["dataset"].map(name),
        comparison=model.where(rows["rival"] == "", model + " minus " + rival),
        score=score.where(rows["group"] == "all", score + " (" + rows["group"] + ")"),
    )


def number(row: pd.Series, form: str = "") -> str:
    """Write the value of a row of results, or other columns of it.

    `form` is a number's format, "+.3f"; or text with columns in it, also of `names` where the row has them,
    "{low:.3f} to {high:.3f}"; or "p", the row's p-value. If empty, three digits, a difference with its sign.
    """
    if pd.isna(row["value"]) or ("{low" in form and pd.isna(row["low"])):
        return "–"
    if form == "p":
        return p_text(row["p"], "p")
    form = form or ("+.3f" if row["rival"] else ".3f")
    return typeset(form.format(**row) if "{" in form else format(row["value"], form))


def typeset(text: str) -> str:
    """Give numbers in a text a real minus sign, and a space that does not break before a percent sign."""
    return re.sub(r"(?<=\d)%", "\N{NO-BREAK SPACE}%", re.sub(r"(?<!\w)-(?=\d)", "−", text))


def _interval(row: pd.Series) -> str:
    """Write the interval of a row; that of a difference with signs."""
    return number(row, "{low:+.3f} to {high:+.3f}" if row["rival"] else "{low:.3f} to {high:.3f}")


def p_text(p: float, symbol: str = "") -> str:
    """Write a p-value with three digits, and "< 0.001" below that; after a symbol, "p = 0.012"."""
    sign = "<" if p < 0.001 else "=" if symbol else ""
    return f"{symbol} {sign} {max(p, 0.001):.3f}".strip()


def cell(row: pd.Series) -> str:
    """Write a number, below it its interval, and below that its p-value, where it has them."""
    small = [_interval(row)] if pd.notna(row["low"]) else []
    small += [p_text(row["p"], "p")] if pd.notna(row["p"]) else []
    return _stacked(number(row), *small)


def p_cell(row: pd.Series) -> str:
    """Write a p-value, and below it the corrected one where the row has it."""
    return _stacked(p_text(row["p"]), *([p_text(row["holm"], "Holm")] if "holm" in row else []))


def _stacked(*lines: str) -> str:
    """Put lines below each other, all but the first in small letters."""
    first, *small = (line.replace("<", "&lt;") for line in lines)
    return "<br>".join([first, *(f"<small>{line}</small>" for line in small)])


def wide(rows: pd.DataFrame, index: list[str], columns: str, cell=cell) -> pd.DataFrame:
    """Lay rows of results out as a table of text, in the order in which they come.

    `index` are the columns of `names` that make its rows, `columns` is the one that makes its columns.
    """
    shown = names(rows)
    shown["text"] = shown.apply(cell, axis=1)
    wide = shown.pivot(index=index, columns=columns, values="text").fillna("–")
    return wide.loc[shown.set_index(index).index.unique(), shown[columns].unique()]


def table(frame: pd.DataFrame, caption: str, **formats: str) -> Styler:
    """Style a table for a page: display names in its margins, a dash for what is missing.

    Text in it may hold HTML. The table's identity is made from the caption, so that a page keeps its bytes.
    `formats` say how the numbers of a column are written; three digits where nothing is said.
    """
    shown = frame.copy()
    for column in frame.select_dtypes("float"):
        form = formats.get(column, ".3f")
        shown[column] = ["–" if pd.isna(x) else typeset(format(x, form)) for x in frame[column]]
    shown = shown.astype(object).where(shown.notna(), "–")
    identity = re.sub(r"\W+", "-", caption.lower()).strip("-")
    styler = Styler(shown, uuid=identity, cell_ids=False, caption=caption)
    for axis in ("columns", "index"):
        styler = styler.format_index(name, axis=axis).hide(axis=axis, names=True)
    if isinstance(frame.index, pd.RangeIndex):
        styler = styler.hide(axis="index")
    return styler.set_table_attributes('class="dataframe riqa-table"')


def say(row: pd.Series) -> str:
    """Return one sentence on what a paired difference shows."""
    a, b, score = name(row["model"]), name(row["rival"]), name(row["metric"])
    score += "" if row["target"] == "overall" else f" of {row['target']}"
    ends = number(row, "{confidence:.0%} interval ") + _interval(row)
    if pd.isna(row["low"]):
        text = f"{a} minus {b} is {number(row)} in {score}: one network of each says nothing about methods."
    elif row["value"] == row["low"] == row["high"] == 0:
        text = f"{a} and {b} have the same {score} in every draw ({ends})."
    elif row["low"] <= 0 <= row["high"]:
        text = f"{a} minus {b} is {number(row)} in {score}, and its {ends} includes zero: "
        text += "this build cannot tell the two apart."
    else:
        which = "worse" if row["high"] < 0 else "better"
        text = f"{a} is {which} than {b} by {abs(row['value']):.3f} in {score} ({ends})."
    return text[0].upper() + text[1:]


def source(row: pd.Series) -> str:
    """Return where a number comes from: what it is, its interval, how it was made, and in which chapter."""
    ends = f", {number(row, '{confidence:.0%}')} interval {_interval(row)}" if pd.notna(row["low"]) else ""
    target = "" if row["target"] == "overall" else f"{row['target']}, "
    what = f"{row['comparison']}, {target}{row['score']}, {row['set']}{ends}"
    images = f"{row['n']:,} images; " if pd.notna(row["n"]) else ""
    return f"{what}; {METHODS[row['method']]}; {images}chapter {row['chapter']}"
