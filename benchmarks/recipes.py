"""The paper's recipe of training against a faster one: what macro-F1 does each reach, and at what cost?

Both train the same network from the same weights on the same images, with the same augmentation; only the
schedule differs. The paper's takes 115 passes with a learning rate that is halved three times (Section 3.2).
The faster one takes 14, fewer than an eighth, with a rate that rises and falls once (Smith and Topin 2019,
arXiv:1708.07120). Each is scored by the macro-F1 of its best epoch on validation images, as the paper chooses
its models; the best of 115 looks is a more flattering maximum than the best of 14, in favour of the paper's.

The more validation images, the less of a maximum is luck; so phantoms of its own, drawn for this alone, have
2,000 of them, and of real photographs two fifths are for validation. The peak of the faster recipe's rate was
chosen without them: from 0.02, 0.05 and 0.1 on phantoms of another seed, and from 0.005, 0.01, 0.02 and 0.04
on training patients assigned anew, for a network with pretrained weights.

A run that is stopped goes on after its last whole epoch. Run, with PYTHONPATH=. and OMP_NUM_THREADS=1:
python benchmarks/recipes.py phantom
python benchmarks/recipes.py thumbnails --eyeq ../photographs/eyeq --seeds 0 1 --learning-rate 0.01 \\
  --backbone efficientnet_lite0 --weights imagenet
python benchmarks/recipes.py phantom_few --store _build/quick/work/01_curate_images/stores/phantom_grades
"""

import argparse
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.recipes_report import recipe_figure, recipe_table
from benchmarks.results import tabulate
from riqa.data.adapters import load
from riqa.data.curate import curate
from riqa.data.manifest import Dataset, grouped_stratified_split
from riqa.data.store import open_store
from riqa.evaluate.stats import paired_bootstrap
from riqa.files import write_json
from riqa.learn.augment import Augmentation
from riqa.learn.config import TrainingConfig
from riqa.learn.runs import TrainingRun, run_all
from riqa.learn.train import image_side
from riqa.phantom.study import phantom_grades

PAPER = TrainingConfig(
    epochs=115,
    learning_rate=0.01,
    schedule="steps",
    weight_decay=0.0005,
    lambda_details=0.0,
    augmentation=Augmentation(max_transforms=7),
)
FASTER_EPOCHS = PAPER.epochs // 8
SIDE = 64
"""Of the curated images, pixels."""
PHANTOM_SEED = 1
"""Of the photographs; profiles draw theirs from seed 0."""


def phantoms(folder: Path, workers: int) -> Dataset:
    """Draw 3,000 photographs to train on and 2,000 for validation."""
    return phantom_grades(
        folder, n_train=5000, n_test=500, validation=0.4, size=192, seed=PHANTOM_SEED, workers=workers
    )


def photographs(eyeq: Path) -> Dataset:
    """Return those of EyeQ that are there, without the test patients: two fifths are for validation."""
    found = load("eyeq", eyeq)
    ours = found.manifest[found.manifest["split"] != "test"]
    dealt = grouped_stratified_split(ours, {"train": 0.6, "val": 0.4}, seed=0)
    return replace(found, manifest=ours.assign(split=dealt))


def runs_of(
    recipe: str, config: TrainingConfig, options: argparse.Namespace, n_classes: int
) -> list[TrainingRun]:
    """Return one run per seed."""
    folder = options.out / options.name / recipe
    return [
        TrainingRun(
            "single_task",
            options.name,
            options.store,
            n_overall=n_classes,
            n_details=0,
            config=replace(config, seed=seed),
            models=folder / "models",
            backbone=options.backbone,
            weights=options.weights,
            predict_on=((options.store, ("val",)),),
            checkpoints=folder / "checkpoints",
        )
        for seed in options.seeds
    ]


def curve(history: pd.DataFrame, config: TrainingConfig, side: int, n_images: int) -> list[dict]:
    """Return for every epoch and seed what it had cost by then, and how good the model was."""
    told = history.loc[history["epoch"] > 0, ["seed", "epoch", "val_score"]].sort_values(
        "seed", kind="stable"
    )
    sides = told["epoch"].map(lambda epoch: image_side(side, epoch, config))
    told["cost"] = n_images * ((sides / side) ** 2).groupby(told["seed"]).cumsum()
    return told.rename(columns={"val_score": "score"}).to_dict("records")


def contest(options: argparse.Namespace) -> dict | None:
    """Train with both recipes and return what they reached at which cost; None if only one was wanted."""
    store = open_store(options.store)
    n_images = int((store.manifest["split"] == "train").sum())
    n_images -= n_images % PAPER.batch_size  # the incomplete last batch of an epoch is left out
    side, n_classes = store.images.shape[1], store.meta["n_classes"]
    recipes = {
        "paper": PAPER,
        "faster": replace(
            PAPER,
            epochs=FASTER_EPOCHS,
            schedule="one_cycle",
            learning_rate=options.learning_rate,
            start_scale=options.start_scale,
            ema_decay=options.ema_decay,
        ),
    }
    told, predictions = {}, {}
    for recipe, config in recipes.items():
        if options.only not in (None, recipe):
            continue
        begun = time.monotonic()
        history, answers = run_all(runs_of(recipe, config, options, n_classes), options.jobs)
        seconds = time.monotonic() - begun
        best = history[history["best"]].set_index("seed")
        told[recipe] = {
            "config": asdict(config),
            "curve": curve(history, config, side, n_images),
            "best": best[["epoch", "val_score"]].rename(columns={"val_score": "score"}).to_dict("index"),
            "seconds": seconds,
        }
        columns = [f"p_overall_{k}" for k in range(n_classes)]
        called = [own[columns].to_numpy().argmax(1) for _, own in answers.groupby("seed")]
        predictions[recipe] = np.stack(called)
        each = ", ".join(f"{score:.3f}" for score in best["val_score"])
        print(f"{recipe}: {best['val_score'].mean():.3f} ({each}), {seconds:.0f} s", flush=True)
    if options.only:
        return None
    images = answers[answers["seed"] == options.seeds[0]]
    difference = paired_bootstrap(
        images["overall"].to_numpy(dtype=int),
        predictions["faster"],
        predictions["paper"],
        n_classes=n_classes,
        groups=images["patient_id"].to_numpy(),
    )
    passes = FASTER_EPOCHS / PAPER.epochs
    return {
        "name": options.name,
        "backbone": options.backbone,
        "weights": options.weights,
        "side": side,
        "n_train": n_images,
        "n_validation": len(images),
        "recipes": told,
        "difference": asdict(difference),
        "passes": passes,
        "met": bool(difference.value >= 0 and passes <= 1 / 8),
    }


def tell(found: dict, folder: Path) -> None:
    """Write a contest's table and figure for the book."""
    name = f"recipes_{found['name']}"
    conditions = (
        f"Macro-F1 of the best epoch on {found['n_validation']} validation images, mean over seeds; "
        "difference with its 95 % interval over patients and seeds; passes as a share of the paper's"
    )
    tabulate(folder / f"{name}.json", conditions, recipe_table(found))
    recipe_figure(found).savefig(folder / f"{name}.png", dpi=200)


def main() -> None:
    """Train with both recipes, compare them, write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", help="of the contest, for the page")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--store", type=Path, help="curated set with overall grades, with splits of its own")
    source.add_argument("--eyeq", type=Path, help="folder of EyeQ's photographs; else phantoms are drawn")
    parser.add_argument("--backbone", default="resnet10")
    parser.add_argument("--weights", default="none", choices=["none", "imagenet"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--learning-rate", type=float, default=0.05, help="peak of the faster recipe")
    parser.add_argument(
        "--start-scale", type=float, default=1.0, help="first side of the faster recipe, share"
    )
    parser.add_argument("--ema-decay", type=float, default=0.0, help="moving average of the faster recipe")
    parser.add_argument("--only", choices=["paper", "faster"], help="train with this recipe, compare nothing")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("_build/bench/recipes"), help="folder")
    options = parser.parse_args()
    if options.store is None:
        folder = options.out / options.name
        images = photographs(options.eyeq) if options.eyeq else phantoms(folder / "photographs", options.jobs)
        options.store = curate(images, folder / "store", SIDE, options.jobs).root
    found = contest(options)
    if found is not None:
        write_json(options.out / f"{options.name}.json", found)
        tell(found, options.out.parent)


if __name__ == "__main__":
    main()
