"""Sequences of captures of one eye: severities wander from capture to capture, and few captures are labelled.

Each capture is an exposure of its own: framing, and the place of a spot or crescent, are drawn anew. What
captures of a sequence share is the eye, the camera, and which defects it has.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from riqa.data.manifest import Dataset
from riqa.evaluate.mrmc import interval_of_method, jackknife
from riqa.evaluate.stats import paired_cells
from riqa.labels import DETAILS
from riqa.phantom.degrade import DEFECTS, GROUPS
from riqa.phantom.raters import GRADERS, THRESHOLD, grade_thresholds, overall_score, perceived_severity
from riqa.phantom.study import MANY, make_set
from riqa.phantom.trouble import TROUBLE, draw_severities
from riqa.results import rows, stack
from riqa.studies.answers import by_image, drawn_as_one

SET = "phantom_sequences"


def walk(length: int, step: float, rng: np.random.Generator, n: int) -> np.ndarray:
    """Draw n random walks that stay standard normal: (length, n).

    A step keeps sqrt(1 - step**2) of where the walk is and adds normal noise of
    standard deviation `step`, in [0, 1].
    """
    z = rng.standard_normal((length, n))
    for t in range(1, length):
        z[t] = np.sqrt(1 - step**2) * z[t - 1] + step * z[t]
    return z


def add_sudden(
    severities: Mapping[str, np.ndarray], share: float, lasting: int, rng: np.random.Generator
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Let a severe defect come and go again in a share of the sequences, between the first and last capture.

    Severities are (length, n) by defect. The defect stays for `lasting` captures, at most length - 2, and
    belongs to a detail that is good then, before and after; a sequence that has none is left as it is.
    Returns severities with it, and where it is: bool (length, n, 3), by detail.
    """
    length, n = next(iter(severities.values())).shape
    changed, seen = {name: own.copy() for name, own in severities.items()}, perceived_severity(severities)
    good = np.stack([seen[detail] <= THRESHOLD for detail in DETAILS], axis=-1)
    where = np.zeros(good.shape, bool)
    for one in rng.permutation(n)[: round(share * n)]:
        begin = int(rng.integers(1, length - lasting))
        able = np.flatnonzero(good[begin - 1 : begin + lasting + 1, one].all(axis=0))
        if len(able):
            k, here = rng.choice(able), slice(begin, begin + lasting)
            changed[str(rng.choice(GROUPS[DETAILS[k]]))][here, one] = rng.uniform(0.7, 1)
            where[here, one, k] = True
    return changed, where


def draw_sequences(
    out: Path, n: Mapping[str, int], *, length: int, step: float, sudden: float, lasting: int = 2,
    n_classes: int = 3, seed: int = 0, workers: int = 1, size: int = 256,
) -> Dataset:  # fmt: skip
    """Draw sequences into the folder `out`, each of one eye of a patient of its own; capture by capture.

    Grades are those of the book's graders, and nobody has judged details. Beside what the book's sets tell,
    `truth.parquet` has `capture`, from 0 on, and `sudden`, the detail of a sudden defect, or nothing.

    Args:
        out: Folder to make; an older set there is replaced.
        n: Sequences by split.
        length: Captures of a sequence, 3 or more.
        step: How far troubles go from capture to capture, see `walk`; 0: they stay.
        sudden: Share of the sequences with a defect that comes and goes, and
        lasting: for how many captures it stays, see `add_sudden`.
        n_classes: Of overall quality, 2 or 3.
        seed: Seed of everything in the set.
        workers: Processes side by side; the bytes do not depend on it.
        size: Nominal width of the photographs, pixels.
    """
    rng, total = np.random.default_rng([seed, length]), sum(n.values())
    drawn = draw_severities(total, TROUBLE["grades"], rng, normal=lambda m: walk(length, step, rng, m))
    drawn, where = add_sudden(drawn, sudden, lasting, rng)
    severities = {name: drawn[name].T.reshape(-1) for name in DEFECTS}  # sequence by sequence
    patients = pd.DataFrame({"patient": range(total), "split": np.repeat([*n], [*n.values()])})
    patients["eye"] = rng.choice(["left", "right"], total)
    patients["view"] = np.where(rng.random(total) < 0.15, "disc", "macula")
    shares = np.array([*MANY.values()])
    patients["source"] = rng.choice([*MANY], total, p=shares / shares.sum())
    plan = patients.loc[patients.index.repeat(length)].reset_index(drop=True)
    plan["capture"] = np.tile(np.arange(length), total)
    plan["patient_id"] = plan["patient"].map("p{:05d}".format)
    plan["image_id"] = plan["patient_id"] + plan["capture"].map("_{:02d}".format)
    names = np.array(["", *DETAILS], dtype=object)
    come = where.transpose(1, 0, 2).reshape(-1, len(DETAILS))
    plan["sudden"] = names[np.where(come.any(axis=1), come.argmax(axis=1) + 1, 0)]
    score = overall_score(severities)[:, None]
    given = GRADERS.rate(score, grade_thresholds(n_classes), rng)
    plan["overall"] = np.median(given[..., 0], axis=1)
    plan[list(DETAILS)] = np.nan
    key = plan.assign(study=SET, seed=seed, number=np.arange(len(plan)), camera=plan["source"], size=size)
    told = ["image_id", "study", "seed", "number", "patient", "eye", "view", "camera", "size"]
    ratings = GRADERS.table(plan["image_id"], given, np.ones(given.shape[:2], bool))
    citation = "Procedural phantom of this project (riqa.phantom); no photograph of a person."
    dataset = Dataset(SET, Path(out), plan, n_classes, citation, "MIT", ratings=ratings, drawn=True)
    return make_set(dataset, key[[*told, "capture", "sudden"]], severities, workers)


def mean_leads(
    predictions: pd.DataFrame, pairs: Iterable[tuple[str, str]], *, confidence: float = 0.95
) -> pd.DataFrame:
    """Compare macro-F1, mean over the three details: seeds as readers, patients as cases.

    Predictions are those of `riqa.studies.details.methods`, and every image is judged in every detail.

    Raises:
        ValueError: If a pair has not the same images and seeds, or a detail is not judged.
    """
    found = []
    for dataset, here in predictions.groupby("dataset", sort=False):
        for model, rival in pairs:
            a, b = (here[here["model"] == name] for name in (model, rival))
            (images, p), (others, q) = by_image(a), by_image(b)
            seeds = sorted(a["seed"].unique())
            truth = images[list(DETAILS)].to_numpy(dtype=float)
            if not images["image_id"].equals(others["image_id"]) or seeds != sorted(b["seed"].unique()):
                raise ValueError(f"{model} and {rival} must have the same images and seeds")
            if np.isnan(truth).any():
                raise ValueError(f"{dataset}: every image must be judged in every detail")
            marked = [
                paired_cells(truth[:, k].astype(int), *(x[..., k] >= 0.5 for x in (p, q)), 2, "macro_f1")
                for k in range(len(DETAILS))
            ]

            def mean(sums: np.ndarray, marked: list = marked) -> np.ndarray:
                parts = np.split(sums, len(DETAILS), axis=-1)
                return np.mean([lead(own) for (_, lead), own in zip(marked, parts, strict=True)], axis=0)

            cells = np.concatenate([own for own, _ in marked], axis=1)
            number = interval_of_method(jackknife(cells, mean, drawn_as_one(images)), confidence)
            keys = {"dataset": dataset, "model": model, "rival": rival, "target": "details", "seeds": seeds}
            keys |= {"method": "mrmc", "confidence": confidence, "n": len(images)}
            found.append(rows({("macro_f1", "all"): number}, **keys))
    return stack(found)
