"""The paper's numbers, as printed (Telesco et al. 2025, arXiv:2511.13353; Tables 1 to 5).

Each function returns a tidy table, a row a number, with the place where it is printed. Where the paper
contradicts itself the table is followed: Section 4.2 gives contrast on MSHF as 0.875 (student) and 0.940
(Teacher), Table 4 prints 0.840 and 0.875.
"""

import pandas as pd

from riqa.labels import DETAILS

PAPER_SET = {3: "eyeq", 2: "deepdrid"}
"""The paper's set with three and with two overall classes."""

SET_NAMES = {"eyeq": "EyeQ", "deepdrid": "DeepDRiD", "mshf": "MSHF", "eyeq_d": "EyeQ-D"}

METHODS = {"mcf_net": "MCF", "quickqual": "QuickQual"}
"""Models of `riqa.data.published_predictions`, as Table 3 calls them."""

GOOD_AGAINST_REST = {"Yi et al. 2023": 0.895, "Guo et al. 2024": 0.926, "MT-EyeQ": 0.940}
"""F1 of good against usable and reject together, on EyeQ (Section 4.1)."""

# method as printed, quality output, training labels, label-efficiency strategy, interpretability
_TABLE_1 = (
    ("Muddamsetty & Moeslund 2021", "Only overall", "Image-level", "Supervised", "None"),
    ("Leonardo et al. 2022", "Only overall", "Image-level", "Supervised", "None"),
    ("Abramovich et al. 2023", "Only overall", "Image-level", "Semi-supervised", "CAM-only"),
    ("Engelmann et al. 2023", "Only overall", "Image-level", "Lightweight head", "None"),
    ("Xu et al. 2023", "Only overall", "Image-level", "Supervised", "Priors"),
    ("Yi et al. 2023", "Overall + details", "None", "Zero-shot", "None"),
    ("Huang et al. 2024", "Only overall", "Image-level", "Supervised", "CAM-only"),
    ("König et al. 2024", "Overall + details", "Image-level", "Supervised", "Additional task"),
    ("Guo et al. 2024", "Overall + details", "Image-level", "Supervised", "Additional task"),
    ("Proposed approach", "Overall + details", "Image-level", "Semi-supervised", "Additional task + CAM"),
)
# set, method as printed, riqa's name of the model ("" for other people's), F1, precision, recall, accuracy
_TABLE_2 = (
    ("eyeq", "Wang et al. 2015", "", 0.699, 0.740, 0.699, None),
    ("eyeq", "Yan et al. 2018", "", 0.748, 0.798, 0.745, 0.793),
    ("eyeq", "Fu et al. 2019", "", 0.855, 0.865, 0.850, None),
    ("eyeq", "Ou et al. 2019", "", 0.744, 0.798, 0.748, 0.792),
    ("eyeq", "Raj et al. 2020", "", 0.869, 0.870, 0.970, 0.884),
    ("eyeq", "Zhou et al. 2020", "", 0.868, 0.866, 0.870, None),
    ("eyeq", "Muddamsetty & Moeslund, 2021", "", 0.859, 0.864, 0.857, 0.881),
    ("eyeq", "Leonardo et al. 2022", "", 0.878, 0.879, 0.878, 0.894),
    ("eyeq", "Xu et al. 2023", "", 0.872, 0.876, 0.871, 0.889),
    ("eyeq", "QuickQual", "", 0.867, 0.877, 0.861, 0.886),
    ("eyeq", "König et al. 2024", "", 0.830, 0.810, 0.850, 0.910),
    ("eyeq", "Guo et al. 2024", "", 0.846, 0.867, 0.827, 0.866),
    ("eyeq", "Huang et al. 2024 (DenseNet121)", "", 0.734, 0.741, 0.761, 0.779),
    ("eyeq", "Huang et al. 2024 (SwinT-S)", "", 0.763, 0.765, 0.770, 0.803),
    ("eyeq", "Huang et al. 2024", "", 0.776, 0.791, 0.765, 0.815),
    ("eyeq", "ST-EyeQ", "single_task", 0.863, 0.866, 0.863, 0.882),
    ("eyeq", "MT-EyeQ", "multi_task", 0.875, 0.877, 0.874, 0.891),
    ("deepdrid", "QuickQual", "", 0.742, 0.698, 0.790, 0.698),
    ("deepdrid", "ST-DeepDRiD", "single_task", 0.763, 0.745, 0.782, 0.732),
    ("deepdrid", "MT-DeepDRiD", "multi_task", 0.778, 0.721, 0.845, 0.735),
)
# method, riqa's name, F1 of reject, usable, good, all on EyeQ
_TABLE_3 = (
    ("MCF", "", 0.864, 0.783, 0.935),
    ("QuickQual", "", 0.880, 0.786, 0.937),
    ("ST-EyeQ", "single_task", 0.872, 0.782, 0.936),
    ("MT-EyeQ", "multi_task", 0.883, 0.804, 0.940),
)
# set, method, riqa's name, then (F1, precision, recall) of illumination, clarity, contrast
_TABLE_4 = (
    ("mshf", "Teacher-A", "teacher", (0.908, 0.864, 0.957), (0.807, 0.909, 0.725), (0.875, 0.837, 0.917)),
    ("mshf", "MT-EyeQ", "multi_task", (0.897, 0.902, 0.893), (0.788, 0.825, 0.754), (0.840, 0.872, 0.810)),
    (
        "mshf",
        "MT-DeepDRiD",
        "multi_task",
        (0.795, 0.660, 1.000),
        (0.844, 0.795, 0.899),
        (0.812, 0.695, 0.976),
    ),
    ("eyeq_d", "Teacher-A", "teacher", (0.755, 0.633, 0.934), (0.919, 0.942, 0.897), (0.881, 0.787, 1.000)),
    ("eyeq_d", "MT-EyeQ", "multi_task", (0.758, 0.630, 0.951), (0.921, 0.973, 0.873), (0.876, 0.785, 0.991)),
    (
        "eyeq_d",
        "MT-DeepDRiD",
        "multi_task",
        (0.670, 0.504, 1.000),
        (0.912, 0.965, 0.865),
        (0.868, 0.774, 0.991),
    ),
)
# F1 values of Table 4 that carry an asterisk: significantly different from Teacher-A
_TABLE_4_STARS = {
    ("mshf", "MT-EyeQ", "contrast"),
    ("mshf", "MT-DeepDRiD", "illumination"),
    ("mshf", "MT-DeepDRiD", "contrast"),
    ("eyeq_d", "MT-DeepDRiD", "illumination"),
    ("eyeq_d", "MT-DeepDRiD", "contrast"),
}
# on EyeQ-D, one expert held out: method, riqa's name, then as in Table 4
_TABLE_5 = (
    ("Ophthalmologist", "", (0.707, 0.552, 0.982), (0.934, 0.941, 0.926), (0.871, 0.817, 0.934)),
    ("Teacher-A", "teacher", (0.708, 0.567, 0.944), (0.930, 0.934, 0.926), (0.871, 0.772, 1.000)),
)
_TABLE_5_STARS = {
    ("Ophthalmologist", "illumination", "recall"),
    ("Ophthalmologist", "contrast", "precision"),
    ("Teacher-A", "illumination", "precision"),
    ("Teacher-A", "contrast", "recall"),
}


def methods_of_the_literature() -> pd.DataFrame:
    """Return Table 1: what recent methods answer, learn from and show; no numbers.

    Returns:
        A row a method, in the order of print: method, quality output, training labels, label-efficiency
        strategy, interpretability.
    """
    columns = ["method", "quality output", "training labels", "label-efficiency strategy", "interpretability"]
    return pd.DataFrame(_TABLE_1, columns=columns)


def overall_quality() -> pd.DataFrame:
    """Return Tables 2 and 3: overall quality on EyeQ (macro averages) and DeepDRiD (positive class bad).

    Returns:
        Columns dataset, method (as printed), model (riqa's name, "" for other people's methods), metric (a
        key of `riqa.evaluate.metrics.overall_scores`), value, source. What is printed as "-" has no row.
    """
    rows = []
    for dataset, method, model, f1, *others in _TABLE_2:
        first = "macro_f1" if dataset == "eyeq" else "f1"
        for metric, value in zip((first, "precision", "recall", "accuracy"), (f1, *others), strict=True):
            rows.append((dataset, method, model, metric, value, "Table 2"))
    for method, model, *f1s in _TABLE_3:
        for name, value in zip(("reject", "usable", "good"), f1s, strict=True):
            rows.append(("eyeq", method, model, f"f1.{name}", value, "Table 3"))
    columns = ["dataset", "method", "model", "metric", "value", "source"]
    return pd.DataFrame(rows, columns=columns).dropna(subset="value", ignore_index=True)


def quality_details() -> pd.DataFrame:
    """Return Table 4: quality details on MSHF and EyeQ-D, positive class good.

    Returns:
        Columns dataset, method, model, detail, metric (f1, precision, recall), value, significant (the
        asterisk: differs from Teacher-A), source.
    """
    rows = [
        (dataset, method, model, detail, metric, value,
         metric == "f1" and (dataset, method, detail) in _TABLE_4_STARS, "Table 4")
        for dataset, method, model, *details in _TABLE_4
        for detail, values in zip(DETAILS, details, strict=True)
        for metric, value in zip(("f1", "precision", "recall"), values, strict=True)
    ]  # fmt: skip
    columns = ["dataset", "method", "model", "detail", "metric", "value", "significant", "source"]
    return pd.DataFrame(rows, columns=columns)


def expert_and_teacher() -> pd.DataFrame:
    """Return Table 5: one expert and the Teacher against the majority of the other experts, on EyeQ-D.

    Returns:
        Columns method, model, detail, metric (f1, precision, recall), value, significant (the asterisk),
        source.
    """
    rows = [
        (method, model, detail, metric, value, (method, detail, metric) in _TABLE_5_STARS, "Table 5")
        for method, model, *details in _TABLE_5
        for detail, values in zip(DETAILS, details, strict=True)
        for metric, value in zip(("f1", "precision", "recall"), values, strict=True)
    ]
    return pd.DataFrame(
        rows, columns=["method", "model", "detail", "metric", "value", "significant", "source"]
    )


def paper_value(n_classes: int, model: str, metric: str) -> float | None:
    """Return what the paper prints for its own model on its set with so many classes; None for nothing."""
    table = overall_quality()
    found = table[
        (table["dataset"] == PAPER_SET[n_classes]) & (table["model"] == model) & (table["metric"] == metric)
    ]
    return None if not model or found.empty else float(found["value"].iloc[0])
