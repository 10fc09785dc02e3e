"""Curated sets: how many images have which labels, are fields of view right, what do size and crop keep?

Those up to `outlined` describe sets and images; the others return rows of `riqa.results`.
"""

from collections.abc import Iterable, Mapping

import cv2
import numpy as np
import pandas as pd

from riqa.data.fields import field_agreement
from riqa.data.fov import FieldOfView
from riqa.data.inspection import inspect_sets
from riqa.data.manifest import Dataset, class_counts, label_shift, patients_in_several_splits
from riqa.data.published import COUNTS
from riqa.data.store import Store
from riqa.evaluate.framing import held_out_aucs, interval_over_folds
from riqa.labels import DETAILS, class_names
from riqa.paper import datasets as cards
from riqa.results import rows, stack, tidy

ALL_SETS = "all sets"
"""The dataset of a number that is about all of them; no set can be called so."""


def described(datasets: Iterable[Dataset], roles: Mapping[str, str]) -> pd.DataFrame:
    """Return the cards of sets (`riqa.paper.datasets`), with role in this build, licence and source."""
    datasets = list(datasets)
    told = cards(*(dataset.name for dataset in datasets))
    taken_with = [", ".join(sorted(set(dataset.manifest["source"]))) for dataset in datasets]
    told["role"] = told.index.map(roles)
    told["cameras"] = told["cameras"].where(told["cameras"] != "", taken_with)
    told[["licence", "source"]] = [(dataset.licence, dataset.citation) for dataset in datasets]
    return told.set_index("title").drop(columns="plays")


def findings(datasets: Mapping[str, Dataset], workers: int = 1) -> pd.DataFrame:
    """Return what adapters and the inspection of all images found: set, severity, finding, what it says.

    Findings stand in the order of the sets; what is said of two sets comes last.
    """
    found = [(name, one) for name, dataset in datasets.items() for one in dataset.findings]
    found += inspect_sets(datasets, workers)
    found.sort(key=lambda pair: [*datasets, pair[0]].index(pair[0]))
    told = [(name.replace("_", " "), one.severity, one.code, one.message) for name, one in found]
    return pd.DataFrame(told, columns=["set", "severity", "finding", "what it says"])


def counts_beside_published(datasets: Iterable[Dataset]) -> pd.DataFrame:
    """Count images, and put the numbers of the paper's sets below them, as text.

    Validation images are counted with those for training, from which they are taken, unless the publisher
    has a validation set. One row per set and split, one column per class, and `all`.
    """
    found = {}
    for dataset in datasets:
        played = cards(dataset.name)["plays"].iloc[0] or dataset.name
        published, title = COUNTS.get(played, {}), cards(played)["title"].iloc[0]
        merged = {} if "val" in published else {"val": "train"}
        manifest = dataset.manifest.assign(split=dataset.manifest["split"].replace(merged))
        for split, counts in class_counts(manifest, dataset.n_classes).iterrows():
            texts = found[dataset.name, split] = counts.map("{:,}".format).to_dict()
            for label, beside in published.get(split, {}).items():
                if label in texts:
                    texts[label] += f"<br><small>{title}: {beside:,.0f}</small>"
    shown = pd.DataFrame(found).T.rename_axis(index=["dataset", "split"], columns="label")
    return shown[[c for c in ("all", "reject", "bad", "usable", "good") if c in shown]].fillna("")


def curated(stores: Mapping[str, Store]) -> pd.DataFrame:
    """Return all stores' images in one table: manifest, class in words, field of view, row in the store."""
    found = []
    for store in stores.values():
        boxes = pd.read_parquet(store.root / "fields.parquet").drop(columns="image_id")
        n_classes = store.meta["n_classes"]
        words = dict(enumerate(class_names(n_classes))) if n_classes else {}
        label = store.manifest["overall"].map(words).rename("label")
        found.append(pd.concat([store.manifest, label, boxes.assign(row=range(len(boxes)))], axis=1))
    return pd.concat(found, ignore_index=True)


def agreement(datasets: Mapping[str, Dataset], images: pd.DataFrame) -> dict[str, pd.Series]:
    """Return the intersection over union of found and true fields of view, for each set that knows these.

    `images` is what `curated` returns. Where a set was made by spoiling photographs of another one, a patient
    with two splits is a ValueError.
    """
    found = {}
    for name, dataset in datasets.items():
        if not (path := dataset.root / "truth.parquet").is_file():
            continue
        truth, own = pd.read_parquet(path), images[images["dataset"] == name]
        if "fov_cut" in truth:
            found[name] = field_agreement(own, truth)
        for other in datasets if "source_image_id" in truth else ():
            if torn := patients_in_several_splits(images[images["dataset"].isin([name, other])]):
                raise ValueError(f"{name} and {other} have patients in several splits: {torn[:3]}")
    return found


def outlined(photograph: np.ndarray, field: FieldOfView) -> np.ndarray:
    """Draw the border of a field of view on a copy of its photograph (H, W, 3), in light blue."""
    inside = field.mask()
    width = max(2, max(inside.shape) // 80)
    kernel = np.ones((2 * width + 1,) * 2, np.uint8)
    drawn = photograph.copy()
    drawn[inside & (cv2.erode(inside.astype(np.uint8), kernel, borderValue=0) == 0)] = 86, 180, 233
    return drawn


def counts(store: Store) -> pd.DataFrame:
    """Count the images of a store by split and class, the shares of good details, and the label shift.

    Returns:
        Rows of the metrics `count` (group: a split, or "train, reject"), `share_good` (target: a detail;
        group: a split), `set_aside`, and `label_shift` where training and test have classes.
    """
    manifest, found = store.manifest, []
    for split, row in class_counts(manifest, store.meta["n_classes"]).iterrows():
        groups = {label: split if label == "all" else f"{split}, {label}" for label in row.index}
        found += [("count", "overall", groups[label], count, row["all"]) for label, count in row.items()]
        known = manifest.loc[manifest["split"] == split, list(DETAILS)].agg(["mean", "count"])
        found += [("share_good", detail, split, *known[detail]) for detail in known if known[detail]["count"]]
    found.append(("set_aside", "overall", "all", store.meta["n_set_aside"], len(manifest)))
    if not np.isnan(shift := label_shift(manifest)):
        n = manifest["split"].isin(["train", "test"]).sum()
        found.append(("label_shift", "overall", "all", shift, n))
    found = pd.DataFrame(found, columns=["metric", "target", "group", "value", "n"])
    return tidy(found, dataset=store.meta["name"], method="count")


def totals(stores: Iterable[Store]) -> pd.DataFrame:
    """Count images and patients of all sets together, images set aside, and patients in several splits."""
    stores = list(stores)
    splits = [s.manifest.groupby("patient_id")["split"].nunique() for s in stores]
    numbers = {
        ("count",): (n := sum(len(s.manifest) for s in stores)),
        ("set_aside",): sum(s.meta["n_set_aside"] for s in stores),
        ("patients",): sum(map(len, splits)),
        ("patients_in_several_splits",): sum((own > 1).sum() for own in splits),
    }
    return rows(numbers, ("metric",), dataset=ALL_SETS, n=n, method="count")


def fields(agreement: Mapping[str, pd.Series]) -> pd.DataFrame:
    """Summarise the intersection over union of fields of view and true ones, by set and all together.

    Rows of `field_iou_median` and `field_iou_p01` (one image in a hundred is below); none without any truth.
    """
    found, everywhere = [], {ALL_SETS: pd.concat(agreement.values())} if agreement else {}
    for name, iou in (agreement | everywhere).items():
        numbers = {("field_iou_median",): np.median(iou), ("field_iou_p01",): np.quantile(iou, 0.01)}
        found.append(rows(numbers, ("metric",), dataset=name, n=len(iou), method="phantom_field"))
    return stack(found)


def framing(
    measured: Mapping[tuple[str, int], np.ndarray], manifest: pd.DataFrame, *, dataset: str, seed: int = 0
) -> pd.DataFrame:
    """Measure how well simple numbers of images tell bad details from good ones, by crop and size.

    `measured` is (framing, size in pixels) -> (N, K) numbers (`riqa.evaluate.framing.measurements`) of the N
    images of the manifest, whose framings are "crop" and "whole"; `seed` that of the folds.

    Returns:
        One AUC per framing (`model`), detail (`target`) and size (`group`); and for each detail the largest
        crop minus the smallest one, and minus the whole photograph of that size, in the same folds.
    """
    sizes = sorted({size for _, size in measured})
    pairs = {("largest", "smallest"): ("crop", sizes[0]), ("crop", "whole"): ("whole", sizes[-1])}
    found = []
    for detail in DETAILS:
        known = manifest[detail].notna().to_numpy()
        bad = manifest.loc[known, detail].eq(0).to_numpy()
        patients = manifest.loc[known, "patient_id"].to_numpy()
        aucs = held_out_aucs([of[known] for of in measured.values()], bad, patients, seed)
        aucs = dict(zip(measured, aucs, strict=True))
        keys = {"target": detail, "metric": "auc", "dataset": dataset, "n": len(bad)}
        keys |= {"confidence": 0.95, "method": "scale_energies"}
        own = {(kind, f"{size} px"): interval_over_folds(of) for (kind, size), of in aucs.items()}
        found.append(rows(own, ("model", "group"), **keys))
        gains = {pair: aucs["crop", sizes[-1]] - aucs[other] for pair, other in pairs.items()}
        gains = {pair: interval_over_folds(gain, test_zero=True) for pair, gain in gains.items()}
        found.append(rows(gains, ("model", "rival"), **keys))
    return stack(found)
