"""How real phantoms are: what is trained on them tells rejected from good real photographs, by its AUC.

    PYTHONPATH=. OMP_NUM_THREADS=1 python benchmarks/phantom_realism.py DATA [--half development|report]

DATA holds `eyeq/`. For each seed, phantoms are drawn as for `phantom_grades`, and a logistic regression
learns their grades from features of EfficientNet-Lite0 with ImageNet weights, which stay as they are. It is
asked for the real photographs that are not EyeQ's test images. Half of their patients are for development:
what is chosen by realism, as was the strength of the penalty, is chosen on those; what is reported is
measured on the others.
To compare with another version of the phantoms, let PYTHONPATH name a checkout of it.
"""

import argparse
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from riqa.data.adapters import load
from riqa.data.curate import curate
from riqa.data.manifest import Dataset, grouped_stratified_split
from riqa.data.store import open_store
from riqa.learn.backbones import build_backbone
from riqa.learn.examples import unlabelled
from riqa.learn.predict import in_batches
from riqa.phantom.study import phantom_grades

SIDE, WIDTH = 96, 160  # pixels: of curated images, and of drawn photographs before
HALVES = {"development": "val", "report": "test"}


def real_photographs(eyeq: Path) -> Dataset:
    """Return the rejected and the good ones of EyeQ that are there, test images left out, in two halves."""
    found = load("eyeq", eyeq)
    ours = found.manifest[(found.manifest["split"] != "test") & (found.manifest["overall"] != 1)]
    dealt = grouped_stratified_split(ours, {"val": 0.5, "test": 0.5}, seed=0)
    return replace(found, manifest=ours.assign(split=dealt))


def features(dataset: Dataset, folder: Path, network: torch.nn.Module) -> tuple[np.ndarray, pd.DataFrame]:
    """Return features (N, D) and manifest rows of the photographs that can be curated."""
    curate(dataset, folder, SIDE)
    store = open_store(folder)
    found = in_batches(network, lambda images: {"features": network(images)}, unlabelled(store.images))
    return found["features"].numpy(), store.manifest


def auc_of(seed: int, n: int, network: torch.nn.Module, asked: np.ndarray, good: np.ndarray) -> float:
    """Draw `n` phantoms of a seed, learn their grades, and return the AUC in the photographs `asked`."""
    with TemporaryDirectory() as folder:
        drawn = phantom_grades(
            Path(folder) / "drawn", n_train=n, n_test=5, seed=seed, size=WIDTH, validation=0
        )
        values, rows = features(drawn, Path(folder) / "store", network)
    train = (rows["split"] == "train").to_numpy()
    learner = make_pipeline(StandardScaler(), LogisticRegression(C=0.001, max_iter=2000))
    learner.fit(values[train], rows["overall"][train].astype(int))
    scores = learner.decision_function(asked)
    return float(roc_auc_score(good, scores[:, 2] - scores[:, 0]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder that holds eyeq/")
    parser.add_argument(
        "--half", choices=list(HALVES), default="development", help="patients to be asked for"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5, 6])
    parser.add_argument("--n", type=int, default=250, help="phantoms to learn from")
    options = parser.parse_args()
    torch.set_num_threads(1)
    network = build_backbone("efficientnet_lite0", "imagenet", SIDE)[0].eval()
    with TemporaryDirectory() as folder:
        values, rows = features(real_photographs(options.data / "eyeq"), Path(folder) / "store", network)
    here = (rows["split"] == HALVES[options.half]).to_numpy()
    good = rows["overall"][here].to_numpy() == 2
    print(f"{options.half}: {good.sum()} good and {(~good).sum()} rejected real photographs")
    found = []
    for seed in options.seeds:
        found.append(auc_of(seed, options.n, network, values[here], good))
        print(f"seed {seed}: AUC {found[-1]:.4f}", flush=True)
    error = np.std(found, ddof=1) / np.sqrt(len(found)) if len(found) > 1 else np.nan
    print(f"mean {np.mean(found):.4f}, standard error over seeds {error:.4f}")


if __name__ == "__main__":
    main()
