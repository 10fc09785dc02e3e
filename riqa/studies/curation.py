"""Curated sets: how many images have which labels, are fields of view right, what do size and crop keep?"""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from riqa.data.checks import class_counts, label_shift
from riqa.data.manifest import Dataset
from riqa.data.published import COUNTS
from riqa.data.store import Store
from riqa.evaluate.bootstrap import auc_difference, auc_interval
from riqa.evaluate.framing import predict_held_out
from riqa.labels import DETAILS
from riqa.paper import datasets as cards
from riqa.results import rows, stack, tidy

ALL_SETS = "all sets"
"""The dataset of a number that is about all of them; no set can be called so."""


def counts_beside_published(datasets: Iterable[Dataset]) -> pd.DataFrame:
    """Count images, and put the numbers of the paper's sets below them, as text.

    Validation images are counted with those for training, from which they are taken, unless the publisher
    has a validation set. One row per set and split, one column per class, and `all`.
    """
    shown = {}
    for dataset in datasets:
        played = cards(dataset.name)["plays"].iloc[0] or dataset.name
        published, title = COUNTS.get(played, {}), cards(played)["title"].iloc[0]
        merged = {} if "val" in published else {"val": "train"}
        manifest = dataset.manifest.assign(split=dataset.manifest["split"].replace(merged))
        for split, counts in class_counts(manifest, dataset.n_classes).iterrows():
            beside = {
                label: f"<br><small>{title}: {n:,.0f}</small>"
                for label, n in published.get(split, {}).items()
            }
            shown[dataset.name, split] = {
                label: f"{n:,}" + beside.get(label, "") for label, n in counts.items()
            }
    shown = pd.DataFrame(shown).T.rename_axis(index=["dataset", "split"], columns="label")
    return shown[[c for c in ("all", "reject", "bad", "usable", "good") if c in shown]].fillna("")


def counts(store: Store) -> pd.DataFrame:
    """Count the images of a store by split and class, the shares of good details, and the label shift.

    Returns:
        Rows of the metrics `count` (group: a split, or "train, reject"), `share_good` (target: a detail;
        group: a split), `set_aside`, and `label_shift` where training and test have classes.
    """
    manifest, found = store.manifest, []
    columns = ["metric", "value", "n", "target", "group"]
    for split, row in class_counts(manifest, store.meta["n_classes"]).iterrows():
        groups = [split if label == "all" else f"{split}, {label}" for label in row.index]
        found += [("count", n, row["all"], "overall", group) for group, n in zip(groups, row, strict=True)]
        good = manifest.loc[manifest["split"] == split, list(DETAILS)].agg(["mean", "count"]).T
        known = good[good["count"] > 0]
        found += [
            ("share_good", one["mean"], int(one["count"]), detail, split) for detail, one in known.iterrows()
        ]
    found.append(("set_aside", store.meta["n_set_aside"], len(manifest), "overall", "all"))
    if not np.isnan(shift := label_shift(manifest)):
        n = manifest["split"].isin(["train", "test"]).sum()
        found.append(("label_shift", shift, n, "overall", "all"))
    return tidy(pd.DataFrame(found, columns=columns), dataset=store.meta["name"], method="count")


def totals(stores: Iterable[Store]) -> pd.DataFrame:
    """Count images and patients of all sets together, images set aside, and patients in several splits."""
    stores = list(stores)
    splits = pd.concat([store.manifest.groupby("patient_id")["split"].nunique() for store in stores])
    n = sum(len(store.manifest) for store in stores)
    numbers = {("count",): n, ("set_aside",): sum(store.meta["n_set_aside"] for store in stores)}
    numbers |= {("patients",): len(splits), ("patients_in_several_splits",): (splits > 1).sum()}
    return rows(numbers, ("metric",), dataset=ALL_SETS, n=n, method="count")


def fields(agreement: Mapping[str, pd.Series]) -> pd.DataFrame:
    """Summarise the intersection over union of fields of view and true ones, by set and all together.

    Returns:
        Rows of the metrics `field_iou_median` and `field_iou_p01` (one image in a hundred is below); none
        where no truth is known.
    """
    found, everywhere = [], {ALL_SETS: pd.concat(agreement.values())} if agreement else {}
    for name, iou in (agreement | everywhere).items():
        numbers = {("field_iou_median",): np.median(iou), ("field_iou_p01",): np.quantile(iou, 0.01)}
        found.append(rows(numbers, ("metric",), dataset=name, n=len(iou), method="phantom_field"))
    return stack(found)


def framing(
    measured: Mapping[tuple[str, int], np.ndarray], manifest: pd.DataFrame, *, dataset: str, seed: int = 0
) -> pd.DataFrame:
    """Measure how well simple numbers of N images tell bad details from good ones, by crop and size.

    `measured` are (framing "crop" or "whole", size in pixels) -> (N, K) numbers, see
    `riqa.evaluate.framing.measurements`; the seed is that of folds and bootstrap.

    Returns:
        One AUC per framing (`model`), detail (`target`) and size (`group`); and for each detail the largest
        crop minus the smallest one, and minus the whole photograph of that size, on the same draws.
    """
    sizes = sorted({size for _, size in measured})
    pairs = {("largest", "smallest"): ("crop", sizes[0]), ("crop", "whole"): ("whole", sizes[-1])}
    found = []
    for detail in DETAILS:
        known = manifest[manifest[detail].notna()]
        places, bad = manifest[detail].notna().to_numpy(), known[detail].eq(0).to_numpy()
        how = {"groups": known["patient_id"].to_numpy(), "seed": seed}
        probs = {key: predict_held_out(of[places], bad, **how) for key, of in measured.items()}
        keys = {"target": detail, "metric": "auc", "dataset": dataset, "n": len(bad)}
        keys |= {"confidence": 0.95, "method": "scale_energies"}
        own = {(kind, f"{size} px"): auc_interval(bad, p, **how) for (kind, size), p in probs.items()}
        best = probs["crop", sizes[-1]]
        gains = {pair: auc_difference(bad, best, probs[other], **how) for pair, other in pairs.items()}
        found += [rows(own, ("model", "group"), **keys), rows(gains, ("model", "rival"), **keys)]
    return stack(found)
