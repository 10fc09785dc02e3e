"""The phantom's four sets, each with the role of a real one.

| set | stands for | labels |
|---|---|---|
| `phantom_details` | MSHF | details, by odd panels of eight experts |
| `phantom_grades` | EyeQ | overall in three classes, by graders; prevalences of EyeQ's train and test |
| `phantom_eyes` | DeepDRiD | overall in two classes, graded for the eye and copied to its two views |
| `phantom_observers` | EyeQ-D | details by odd panels, a blinded second session; overall in three classes |

Beside the manifest each set holds `truth.parquet` (severity of every defect, perceived severities, camera,
field of view) and, where people rated, `ratings.parquet`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from riqa.data.manifest import COLUMNS, Dataset, grouped_stratified_split
from riqa.errors import InputError
from riqa.labels import DETAILS
from riqa.phantom.degrade import DEFECTS
from riqa.phantom.folder import finish_folder, start_folder, truth_columns
from riqa.phantom.photograph import Exposure, generator, photograph, run_all
from riqa.phantom.raters import expert_labels, graders, ratings_table
from riqa.phantom.trouble import TROUBLE, draw_severities, sample_by_grade

CAMERA_MIX: dict[str, dict[str, float]] = {
    "phantom_details": {"reader_a": 0.28, "reader_b": 0.26, "portable": 0.28, "tabletop_b": 0.18},
    "phantom_grades": {
        "tabletop_a": 0.2,
        "tabletop_b": 0.18,
        "tabletop_c": 0.2,
        "tabletop_d": 0.16,
        "tabletop_e": 0.14,
        "reader_a": 0.12,
    },
    "phantom_eyes": {"tabletop_c": 0.35, "reader_b": 0.3, "tabletop_a": 0.2, "portable": 0.15},
}
CAMERA_MIX["phantom_observers"] = CAMERA_MIX["phantom_grades"]
"""Which cameras a set was taken with: details and overall sets differ, as MSHF and EyeQ do."""

PREVALENCE = {"train": (0.18, 0.15, 0.67), "test": (0.20, 0.28, 0.52)}
"""Shares of reject, usable, good in EyeQ's train and test sets."""

_LABELS, _SPLIT = 10, 11  # purposes of generators, after those of riqa.phantom.photograph
_CITATION = "Procedural phantom of this project (riqa.phantom); no photograph of a person."
_LICENCE = "MIT"


def phantom_details(
    out: Path | str,
    *,
    n_train: int = 642,
    n_test: int = 160,
    seed: int = 0,
    workers: int = 1,
    size: int = 256,
    validation: float = 0.1,
) -> Dataset:
    """Make the details set: few photographs, three quality details by majority of odd expert panels.

    Args:
        out: Folder to make; an older phantom set there is replaced.
        n_train: Photographs for training, validation included.
        n_test: Photographs for testing, of other patients.
        seed: Seed of everything in the set.
        workers: Processes side by side; the bytes do not depend on it.
        size: Nominal width of the photographs, pixels.
        validation: Share of `n_train` held out by patient as split "val"; 0 for none.

    Returns:
        The dataset, also written to `out`.
    """
    name = "phantom_details"
    rng = generator(name, seed, _LABELS)
    plan = _plan(name, {"train": n_train, "test": n_test}, rng, pairs=0.4)
    severities = draw_severities(len(plan), TROUBLE["details"], rng)
    labels, ratings = expert_labels(_names(plan), severities, rng)
    plan[list(DETAILS)] = labels
    return _make(name, plan, severities, ratings, None, Path(out), seed, workers, size, validation)


def phantom_grades(
    out: Path | str,
    *,
    n_train: int = 2000,
    n_test: int = 600,
    seed: int = 0,
    workers: int = 1,
    size: int = 256,
    validation: float = 0.1,
) -> Dataset:
    """Make the three-class overall set, with EyeQ's prevalences (see `PREVALENCE`) to the photograph.

    Args: As `phantom_details`.

    Returns:
        The dataset, also written to `out`.
    """
    name = "phantom_grades"
    rng = generator(name, seed, _LABELS)
    plan = _plan(name, {"train": n_train, "test": n_test}, rng, pairs=0.46)
    wanted = np.concatenate(
        [_exact_classes(n, PREVALENCE[split], rng) for split, n in (("train", n_train), ("test", n_test))]
    )
    plan, severities, ratings = _grade(plan, wanted, "grades", 3, 1, rng)
    return _make(name, plan, severities, ratings, 3, Path(out), seed, workers, size, validation)


def phantom_eyes(
    out: Path | str,
    *,
    n_train: int = 1200,
    n_test: int = 400,
    seed: int = 0,
    workers: int = 1,
    size: int = 256,
    validation: float = 0.25,
) -> Dataset:
    """Make the binary overall set: two views per eye, both eyes, one label per eye copied to its views.

    As in DeepDRiD the label belongs to the eye (the graders judge its two views together), so a
    photograph's label is noisier than its own quality. Half of the eyes are good.

    Args: As `phantom_details`; `n_train` and `n_test` are multiples of 4 (two eyes, two views per eye).

    Returns:
        The dataset, also written to `out`.

    Raises:
        InputError: If a number of photographs is not a multiple of 4.
    """
    name = "phantom_eyes"
    if n_train % 4 or n_test % 4:
        raise InputError(
            f"{name}: n_train={n_train}, n_test={n_test}; give multiples of 4 (two eyes, two views)"
        )
    rng = generator(name, seed, _LABELS)
    plan = _plan(name, {"train": n_train // 2, "test": n_test // 2}, rng, pairs=1.0)
    plan = plan.loc[plan.index.repeat(2)].reset_index(drop=True)
    plan["view"] = np.tile(["macula", "disc"], len(plan) // 2)
    wanted = np.concatenate([_exact_classes(n // 2, (0.5, 0.5), rng) for n in (n_train, n_test)])
    plan, severities, ratings = _grade(plan, wanted, "eyes", 2, 2, rng)
    return _make(name, plan, severities, ratings, 2, Path(out), seed, workers, size, validation)


def phantom_observers(
    out: Path | str,
    *,
    n_test: int = 160,
    n_repeat: int = 40,
    seed: int = 0,
    workers: int = 1,
    size: int = 256,
) -> Dataset:
    """Make the observer set: every photograph rated by 3, 5 or 7 of eight experts, all of it test data.

    Args:
        out: Folder to make; an older phantom set there is replaced.
        n_test: Number of photographs.
        n_repeat: How many of them the same experts rate again, blinded, in session 2.
        seed: Seed of everything in the set.
        workers: Processes side by side; the bytes do not depend on it.
        size: Nominal width of the photographs, pixels.

    Returns:
        The dataset, also written to `out`.
    """
    name = "phantom_observers"
    rng = generator(name, seed, _LABELS)
    plan = _plan(name, {"test": n_test}, rng, pairs=0.1)
    wanted = _exact_classes(n_test, PREVALENCE["test"], rng)
    plan, severities, grades = _grade(plan, wanted, "grades", 3, 1, rng)
    labels, ratings = expert_labels(_names(plan), severities, rng, n_repeat=n_repeat)
    plan[list(DETAILS)] = labels
    ratings = pd.concat([ratings, grades], ignore_index=True)
    return _make(name, plan, severities, ratings, 3, Path(out), seed, workers, size, 0.0)


def _plan(name: str, sizes: Mapping[str, int], rng: np.random.Generator, pairs: float) -> pd.DataFrame:
    """Assign photographs to patients: one row per eye, a share `pairs` of the patients with both eyes."""
    if min(sizes.values()) < 1:
        raise InputError(f"{name}: {dict(sizes)} photographs; give at least 1 for each split")
    rows, patient = [], 0
    for split, n in sizes.items():
        left = n
        while left:
            sides = (
                ["left", "right"]
                if left > 1 and rng.random() < pairs
                else [str(rng.choice(["left", "right"]))]
            )
            rows += [(patient, side, split) for side in sides]
            left -= len(sides)
            patient += 1
    plan = pd.DataFrame(rows, columns=["patient", "eye", "split"])
    plan["view"] = np.where(rng.random(len(plan)) < 0.15, "disc", "macula")
    mix = CAMERA_MIX[name]
    of_patient = rng.choice(list(mix), patient, p=np.array(list(mix.values())) / sum(mix.values()))
    plan["source"] = of_patient[plan["patient"]]
    plan["overall"] = np.nan
    for detail in DETAILS:
        plan[detail] = np.nan
    return plan


def _exact_classes(n: int, shares: Sequence[float], rng: np.random.Generator) -> np.ndarray:
    """Shuffle classes 0, 1, ... with counts nearest to `shares` (largest remainder)."""
    exact = np.array(shares) / np.sum(shares) * n
    counts = np.floor(exact).astype(int)
    counts[np.argsort(counts - exact, kind="stable")[: n - counts.sum()]] += 1
    return rng.permutation(np.repeat(np.arange(len(shares)), counts))


def _names(plan: pd.DataFrame) -> pd.Series:
    """Return identifiers like `p00012_left`, with the view where an eye has several."""
    names = plan["patient"].map("p{:05d}".format) + "_" + plan["eye"]
    return names + "_" + plan["view"] if names.duplicated().any() else names


def _grade(
    plan: pd.DataFrame, wanted: np.ndarray, chances: str, n_classes: int, views: int, rng: np.random.Generator
) -> tuple[pd.DataFrame, dict[str, np.ndarray], pd.DataFrame]:
    """Draw severities for the grades wanted; fill `overall` and collect the graders' scores."""
    raters = graders()
    severities, _, overall, given = sample_by_grade(wanted, TROUBLE[chances], raters, rng, n_classes, views)
    scores = np.repeat(given, views, axis=0)[..., None]
    return plan.assign(overall=overall), severities, ratings_table(_names(plan), scores, ("overall",), raters)


def _make(
    name: str,
    plan: pd.DataFrame,
    severities: Mapping[str, np.ndarray],
    ratings: pd.DataFrame,
    n_classes: int | None,
    out: Path,
    seed: int,
    workers: int,
    size: int,
    validation: float,
) -> Dataset:
    """Render the photographs and write the set: into a sibling folder first, renamed when all is there."""
    partial = start_folder(out)
    ids = _names(plan)
    jobs = []
    for k, row in enumerate(plan.itertuples()):
        present = {defect: float(severities[defect][k]) for defect in DEFECTS if severities[defect][k] > 0}
        exposure = Exposure(name, seed, row.patient, k, row.eye, row.view, row.source, size, present)
        jobs.append((exposure, partial / "images" / f"{ids[k]}.jpg"))
    geometry = pd.DataFrame(run_all(photograph, jobs, workers, name))
    manifest = plan.assign(
        image_id=ids,
        dataset=name,
        patient_id=plan["patient"].map("p{:05d}".format),
        path="images/" + ids + ".jpg",
    )
    train = manifest["split"] == "train"
    if validation:
        shares = {"train": 1 - validation, "val": validation}
        manifest.loc[train, "split"] = grouped_stratified_split(manifest[train], shares, seed)
    key = pd.DataFrame(
        {
            "image_id": ids,
            "study": name,
            "seed": seed,
            "number": np.arange(len(plan)),
            "patient": plan["patient"],
            "eye": plan["eye"],
            "view": plan["view"],
            "camera": plan["source"],
            "size": size,
        }
    )
    truth = pd.concat([key, geometry, truth_columns(severities)], axis=1)
    manifest = manifest[list(COLUMNS)]
    dataset = Dataset(name, partial, manifest, n_classes, _CITATION, _LICENCE, drawn=True)
    return finish_folder(dataset, truth, ratings, out)
