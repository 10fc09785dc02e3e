"""The phantom's four sets, each with the role of a real one, and real photographs that are spoilt on purpose.

| set | stands for | labels |
|---|---|---|
| `phantom_details` | MSHF | details, by odd panels of eight experts |
| `phantom_grades` | EyeQ | overall in three classes, by graders; prevalences of EyeQ's train and test |
| `phantom_eyes` | DeepDRiD | overall in two classes, graded for the eye and copied to its two views |
| `phantom_observers` | EyeQ-D | details by odd panels, a blinded second session; overall in three classes |

Beside the manifest each set holds `truth.parquet` (severity of every defect, perceived severities, camera,
field of view) and `ratings.parquet`.
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from riqa.data.catalogue import hold_out
from riqa.data.curate import each_image
from riqa.data.findings import Finding
from riqa.data.manifest import COLUMNS, Dataset, save_dataset
from riqa.errors import InputError
from riqa.files import write_parquet
from riqa.labels import DETAILS
from riqa.phantom.degrade import DEFECTS
from riqa.phantom.photograph import generator, take
from riqa.phantom.raters import GRADERS, expert_labels, overall_score, perceived_severity
from riqa.phantom.trouble import TROUBLE, draw_severities, sample_by_grade

_LABELS = 10  # purpose of a generator, after those of riqa.phantom.photograph
_CITATION = "Procedural phantom of this project (riqa.phantom); no photograph of a person."


@dataclass(frozen=True)
class Spec:
    """What a set is like."""

    both_eyes: float  # share of patients with photographs of both eyes
    cameras: Mapping[str, float]  # shares; details and overall sets differ, as MSHF and EyeQ do
    classes: Mapping[str, Sequence[float]]  # by split, shares of the overall classes from 0 on; () ungraded
    has_details: bool = False
    views: int = 1  # photographs per eye


_TRAIN, _TEST = (0.18, 0.15, 0.67), (0.20, 0.28, 0.52)  # reject, usable, good in EyeQ's two sets
_READERS = dict(reader_a=0.28, reader_b=0.26, portable=0.28, tabletop_b=0.18)
MANY = dict(tabletop_a=0.2, tabletop_b=0.18, tabletop_c=0.2, tabletop_d=0.16, tabletop_e=0.14, reader_a=0.12)
_FEW = dict(tabletop_c=0.35, reader_b=0.3, tabletop_a=0.2, portable=0.15)
SPECS: dict[str, Spec] = {
    "phantom_details": Spec(0.4, _READERS, {"train": (), "test": ()}, has_details=True),
    "phantom_grades": Spec(0.46, MANY, {"train": _TRAIN, "test": _TEST}),
    "phantom_eyes": Spec(1.0, _FEW, {"train": (0.5, 0.5), "test": (0.5, 0.5)}, views=2),
    "phantom_observers": Spec(0.1, MANY, {"test": _TEST}, has_details=True),
}
"""The phantom's sets by name."""


def phantom_set(
    name: str,
    out: Path | str,
    *,
    n_train: int = 0,
    n_test: int,
    n_repeat: int = 0,
    validation: float = 0.0,
    seed: int = 0,
    workers: int = 1,
    size: int = 256,
) -> Dataset:
    """Make one of `SPECS` in the folder `out`, where it replaces an older set; return it.

    Of `n_train` photographs for training, if the set has any, the share `validation` is held out by patient
    as split "val"; `n_test` show other patients. The same experts rate `n_repeat` again, blinded, in session
    2. `size` is their nominal width, pixels. Overall classes have their shares to the photograph. The bytes
    do not depend on the number of `workers`, processes side by side.

    An InputError tells of a number of photographs that is 0, or no multiple of 4 for two views of both eyes,
    and of a folder that holds anything but a dataset.
    """
    spec, n = SPECS[name], {"train": n_train, "test": n_test}
    if spec.views == 2 and (n_train % 4 or n_test % 4):
        raise InputError(f"{name}: {n_train=}, {n_test=}; give multiples of 4 (two eyes, two views)")
    n = {split: n[split] // spec.views for split in spec.classes}
    if min(n.values()) < 1:
        raise InputError(f"{name}: {n} photographs; give at least 1 for each split")
    rng = generator(name, seed, _LABELS)
    plan, tables = _plan(spec, n, rng), []
    n_classes = len(spec.classes["test"]) or None
    if n_classes:
        wanted = np.concatenate([_exact_classes(n[s], shares, rng) for s, shares in spec.classes.items()])
        severities, given = sample_by_grade(wanted, n_classes, rng, spec.views)
        plan["overall"] = np.repeat(wanted, spec.views)
        given = np.repeat(given, spec.views, axis=0)
        tables = [GRADERS.table(plan["image_id"], given[..., None], np.ones_like(given))]
    else:
        severities = draw_severities(len(plan), TROUBLE["details"], rng)
    if spec.has_details:
        plan[list(DETAILS)], details = expert_labels(plan["image_id"], severities, rng, n_repeat)
        tables.insert(0, details)
    if validation:
        hold_out(plan, validation, seed)
    key = plan.assign(study=name, seed=seed, number=np.arange(len(plan)), camera=plan["source"], size=size)
    key = key[["image_id", "study", "seed", "number", "patient", "eye", "view", "camera", "size"]]
    ratings = pd.concat(tables, ignore_index=True)
    dataset = Dataset(name, Path(out), plan, n_classes, _CITATION, "MIT", ratings=ratings, drawn=True)
    return make_set(dataset, key, severities, workers)


phantom_details = partial(phantom_set, "phantom_details", validation=0.1)
phantom_grades = partial(phantom_set, "phantom_grades", validation=0.1)
phantom_eyes = partial(phantom_set, "phantom_eyes", validation=0.25)
phantom_observers = partial(phantom_set, "phantom_observers")


def _plan(spec: Spec, n: Mapping[str, int], rng: np.random.Generator) -> pd.DataFrame:
    """Assign photographs to patients: one row each, all labels missing."""
    rows, patient = [], 0
    for split, left in n.items():
        while left:
            pair = left > 1 and rng.random() < spec.both_eyes
            sides = ["left", "right"] if pair else [str(rng.choice(["left", "right"]))]
            rows += [(patient, side, split) for side in sides]
            left -= len(sides)
            patient += 1
    plan = pd.DataFrame(rows, columns=["patient", "eye", "split"])
    plan["view"] = np.where(rng.random(len(plan)) < 0.15, "disc", "macula")
    shares = np.array(list(spec.cameras.values()))
    of_patient = rng.choice(list(spec.cameras), patient, p=shares / sum(spec.cameras.values()))
    plan["source"] = of_patient[plan["patient"]]
    plan["patient_id"] = plan["patient"].map("p{:05d}".format)
    plan["image_id"] = plan["patient_id"] + "_" + plan["eye"]
    plan[["overall", *DETAILS]] = np.nan
    if spec.views == 2:
        plan = plan.loc[plan.index.repeat(2)].reset_index(drop=True)
        plan["view"] = np.tile(["macula", "disc"], len(plan) // 2)
        plan["image_id"] += "_" + plan["view"]
    return plan


def _exact_classes(n: int, shares: Sequence[float], rng: np.random.Generator) -> np.ndarray:
    """Shuffle classes 0, 1, ... with counts nearest to `shares` (largest remainder)."""
    exact = np.array(shares) / np.sum(shares) * n
    counts = np.floor(exact).astype(int)
    counts[np.argsort(counts - exact, kind="stable")[: n - counts.sum()]] += 1
    return rng.permutation(np.repeat(np.arange(len(shares)), counts))


def simulated_details(
    source: Dataset, out: Path | str, *, seed: int = 0, workers: int = 1, size: int = 512
) -> Dataset:
    """Spoil the good photographs of a real dataset with random defects and let the experts label the details.

    A Teacher can so learn details on real images that no expert has labelled. Severities are drawn as in
    `phantom_details`; patients and splits stay. Photographs that cannot be read or show no field of view are
    left out and counted in the findings. `size` is the width to which wider ones are reduced first, pixels;
    all else is as in `phantom_set`. InputError if the source has no good photograph, or none can be used.
    """
    name = "simulated_details"
    good = source.manifest[source.manifest["overall"] == (source.n_classes or 0) - 1]
    if good.empty:
        raise InputError(f"{source.root}: {source.name} has no photograph labelled good; nothing to spoil")
    rng, plan = generator(name, seed, _LABELS), good.assign(overall=np.nan).reset_index(drop=True)
    key = plan[["image_id"]].assign(study=name, seed=seed, number=np.arange(len(plan)), size=size)
    key = key.assign(source_image_id=plan["image_id"], source_path=plan["path"])
    severities = draw_severities(len(plan), TROUBLE["details"], rng)
    plan[list(DETAILS)], ratings = expert_labels(plan["image_id"], severities, rng)
    dataset = replace(source, name=name, root=Path(out), manifest=plan, n_classes=None, ratings=ratings)
    return make_set(dataset, key, severities, workers, source.root)


def make_set(
    dataset: Dataset, key: pd.DataFrame, severities: Mapping, workers: int, source_root: Path | None = None
) -> Dataset:
    """Take the photographs and write the set: into a sibling folder first, renamed when all is there.

    The dataset's root is where it goes; `key` is the first columns of its truth table, image_id ahead.
    """
    out = dataset.root
    if out.exists() and not (out.is_dir() and ((out / "dataset.json").is_file() or not any(out.iterdir()))):
        raise InputError(f"{out} exists and is not a dataset made here; give another folder or empty it")
    growing = out.with_name(out.name + ".partial")
    shutil.rmtree(growing, ignore_errors=True)
    (growing / "images").mkdir(parents=True)
    drawn = pd.DataFrame(severities)[list(DEFECTS)]
    rows = pd.concat([key, drawn], axis=1).to_dict("records")
    jobs = [(row, source_root, growing / "images") for row in rows]
    geometry = list(each_image(take, jobs, workers, dataset.name))
    made, findings = np.array([bool(one) for one in geometry]), ()
    if lost := (~made).sum():
        if not made.any():
            raise InputError(f"{source_root}: none of {lost} good photographs shows a field; check the files")
        text = f"{lost} good photographs without a readable field of view were left out"
        findings = (Finding("no-field", "warning", text),)
    perceived = pd.DataFrame(perceived_severity(severities)).add_prefix("perceived_")
    truth = pd.concat([key, pd.DataFrame(geometry), drawn, perceived], axis=1)
    truth = truth.assign(overall_score=overall_score(severities))[made].reset_index(drop=True)
    write_parquet(truth, growing / "truth.parquet")
    path = "images/" + key["image_id"] + ".jpg"
    manifest = dataset.manifest.assign(path=path, dataset=dataset.name)
    manifest = manifest.loc[made, list(COLUMNS)].reset_index(drop=True)
    ratings = dataset.ratings[dataset.ratings["image_id"].isin(truth["image_id"])].reset_index(drop=True)
    dataset = replace(dataset, root=growing, manifest=manifest, findings=findings, ratings=ratings)
    save_dataset(dataset)
    shutil.rmtree(out, ignore_errors=True)
    growing.rename(out)
    return replace(dataset, root=out)
