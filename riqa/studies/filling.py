"""Sequences of captures of one eye: severities wander from capture to capture, and few captures are labelled.

Each capture is an exposure of its own: framing, and the place of a spot or crescent, are drawn anew. What
captures of a sequence share is the eye, the camera, and which defects it has.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from riqa.data.manifest import Dataset
from riqa.labels import DETAILS
from riqa.phantom.degrade import DEFECTS, GROUPS
from riqa.phantom.raters import GRADERS, THRESHOLD, grade_thresholds, overall_score, perceived_severity
from riqa.phantom.study import MANY, make_set
from riqa.phantom.trouble import TROUBLE, draw_severities

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

    Of each split there are `n` sequences of `length` captures, 3 or more. From one to the next troubles go
    as far as a `step` of `walk`; 0: they stay. In the share `sudden` a defect comes and goes (`add_sudden`).
    Grades are those of the book's graders, in 2 or 3 classes, and nobody has judged details. Beside what the
    book's sets tell, `truth.parquet` has `capture`, from 0 on, and `sudden`, the detail of a sudden defect,
    or nothing. All else is as in `riqa.phantom.study.phantom_set`.
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
