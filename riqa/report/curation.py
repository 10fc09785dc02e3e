"""What chapter 01 reports about curated sets."""

from collections.abc import Mapping, Sequence

import numpy as np

from riqa.data.checks import class_counts, label_shift
from riqa.data.store import Store
from riqa.labels import DETAILS
from riqa.report.results import Result, record


def curation_results(store: Store, agreement: Sequence[float] | None = None) -> list[Result]:
    """Return what chapter 01 reports about a store.

    Args:
        store: A curated set.
        agreement: Intersection over union of its fields of view with the truth, where that is known.

    Returns:
        Records `curation.<set>.<split>.count`, `.<split>.<class>.count`, `.<split>.<detail>.share_good`,
        `.set_aside`, `.label_shift`, and `.field_iou_median` and `.field_iou_p01` where `agreement` is given.
    """
    name, manifest = store.meta["name"], store.manifest
    results = []
    for split, row in class_counts(manifest, store.meta["n_classes"]).iterrows():
        for label, count in row.items():
            part = "" if label == "all" else f"{label}."
            results.append(record(f"curation.{name}.{split}.{part}count", count, n=row["all"]))
        rows = manifest[manifest["split"] == split]
        for detail in DETAILS:
            known = rows[detail].dropna()
            if len(known):
                results.append(
                    record(f"curation.{name}.{split}.{detail}.share_good", known.mean(), n=len(known))
                )
    results.append(record(f"curation.{name}.set_aside", store.meta["n_set_aside"], n=len(manifest)))
    shift = label_shift(manifest)
    results.append(record(f"curation.{name}.label_shift", shift, method="total variation, train to test"))
    if agreement is not None:
        method = "intersection over union with the phantom's true field of view"
        for label, value in (("median", np.median(agreement)), ("p01", np.quantile(agreement, 0.01))):
            results.append(
                record(f"curation.{name}.field_iou_{label}", value, n=len(agreement), method=method)
            )
    return results


def framing_results(name: str, rows: Sequence[Mapping]) -> list[Result]:
    """Return how well simple measurements tell the details of a set, by size and crop.

    Args:
        name: The set.
        rows: detail, framing (`crop` or `whole`), size (pixels), n, and value, low, high of the AUC.

    Returns:
        Records `curation.<set>.<detail>.auc.<framing>_<size>`.
    """
    method = "logistic regression on scale energies, five folds by patient, bootstrap over patients"
    return [
        record(
            f"curation.{name}.{row['detail']}.auc.{row['framing']}_{row['size']}",
            row["value"],
            low=row["low"],
            high=row["high"],
            n=row["n"],
            method=method,
        )
        for row in rows
    ]
